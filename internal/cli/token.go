package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/secret"
)

func tokenValue(text string) secret.Value { return secret.NewValue([]byte(text)) }

// keys lists what is under a path of the API; nothing there is an empty list.
func (a *api) keys(ctx context.Context, path string) ([]string, error) {
	var out struct {
		Keys []string `json:"keys"`
	}
	err := a.call(ctx, "LIST", path, nil, &out)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	return out.Keys, err
}

func tokenCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:     "token",
		Short:   "make, look up, renew and revoke tokens",
		Example: "  keephold token create --policy web --ttl 1h\n  keephold token lookup\n  keephold token revoke --accessor ACCESSOR",
	}, tokenCreateCommand(env, o), tokenLookupCommand(env, o), tokenRenewCommand(env, o), tokenRevokeCommand(env, o), tokenCapabilitiesCommand(env, o))
}

func tokenCreateCommand(env Env, o *options) *cobra.Command {
	var policies, meta []string
	var ttl, period, name, role, kind string
	var orphan, noDefault bool
	var uses int
	c := &cobra.Command{
		Use:   "create",
		Short: "make a token and print it once",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			body := map[string]any{}
			set := func(name string, v any, given bool) {
				if given {
					body[name] = v
				}
			}
			set("policies", policies, len(policies) > 0)
			set("ttl", ttl, ttl != "")
			set("period", period, period != "")
			set("display_name", name, name != "")
			set("type", kind, kind != "")
			set("num_uses", uses, uses > 0)
			set("no_default_policy", true, noDefault)
			pairs, err := pairsOf(meta)
			if err != nil {
				return err
			}
			set("meta", pairs, len(pairs) > 0)
			path := "auth/token/create"
			if orphan {
				path += "-orphan"
			} else if role != "" {
				path += "/" + escapePath(role)
			}
			var made struct {
				authAnswer
				Accessor string `json:"accessor"`
			}
			if err := a.call(cmd.Context(), http.MethodPost, path, body, &made); err != nil {
				return explain(err, "cannot make a token")
			}
			if o.json {
				return env.printJSON(map[string]any{"token": made.Token, "accessor": made.Accessor, "policies": made.Policies, "ttl": made.TTL})
			}
			if !o.quiet {
				env.talk("accessor %s, policies %s, valid for %ds", made.Accessor, strings.Join(made.Policies, ", "), made.TTL)
			}
			return env.print(made.Token + "\n")
		}),
	}
	f := c.Flags()
	f.StringSliceVar(&policies, "policy", nil, "policies of the token (default: yours)")
	f.StringVar(&ttl, "ttl", "", "how long it is valid, for instance 1h")
	f.StringVar(&period, "period", "", "make it one that is renewed for ever, in steps of this length")
	f.StringVar(&name, "name", "", "name shown in the audit log")
	f.StringVar(&role, "role", "", "token role to make it by")
	f.StringVar(&kind, "type", "", "service or batch")
	f.IntVar(&uses, "uses", 0, "how often it may be used (0: without limit)")
	f.BoolVar(&orphan, "orphan", false, "do not let it end with yours")
	f.BoolVar(&noDefault, "no-default-policy", false, "leave the policy default out")
	f.StringArrayVar(&meta, "meta", nil, "NAME=VALUE to keep with it, shown in the audit log")
	return c
}

func pairsOf(texts []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range texts {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, usagef("%q is not NAME=VALUE", s)
		}
		m[k] = v
	}
	return m, nil
}

// whichToken is the token a command is about: your own, one by its accessor, or one read from a safe place.
type whichToken struct{ accessor string }

func (w *whichToken) register(c *cobra.Command) {
	c.Use += " [-]"
	c.Args = cobra.MaximumNArgs(1)
	c.Flags().StringVar(&w.accessor, "accessor", "", "the token with this accessor")
	c.Long = c.Short + `.

Without an argument it is your own token. With --accessor it is that one's; with - the token is read from stdin, for it
is never taken from the command line.`
}

// request is the path and the body of an operation on the token.
func (w *whichToken) request(env Env, verb string, args []string) (path string, body map[string]any, err error) {
	switch {
	case w.accessor != "":
		return "auth/token/" + verb + "-accessor", map[string]any{"accessor": w.accessor}, nil
	case len(args) == 0:
		return "auth/token/" + verb + "-self", map[string]any{}, nil
	}
	from, err := env.values(args)
	if err != nil {
		return "", nil, err
	}
	token, err := from.next("Token")
	if err != nil {
		return "", nil, err
	}
	return "auth/token/" + verb, map[string]any{"token": reveal(token)}, nil
}

type tokenInfo struct {
	Accessor string            `json:"accessor"`
	Name     string            `json:"display_name"`
	Policies []string          `json:"policies"`
	Identity []string          `json:"identity_policies"`
	TTL      int64             `json:"ttl"`
	Expires  string            `json:"expire_time"`
	Type     string            `json:"type"`
	Uses     int               `json:"num_uses"`
	Orphan   bool              `json:"orphan"`
	Renew    bool              `json:"renewable"`
	Path     string            `json:"path"`
	Entity   string            `json:"entity_id"`
	Meta     map[string]string `json:"meta"`
}

func tokenLookupCommand(env Env, o *options) *cobra.Command {
	var w whichToken
	c := &cobra.Command{Use: "lookup", Short: "say what a token is", Example: "  keephold token lookup\n  keephold token lookup - < token"}
	c.RunE = env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
		path, body, err := w.request(env, "lookup", args)
		if err != nil {
			return err
		}
		method := http.MethodPost
		var in any = body
		if len(body) == 0 {
			method, in = http.MethodGet, nil
		}
		var t tokenInfo
		if err := a.call(cmd.Context(), method, path, in, &t); err != nil {
			return explain(err, "cannot look up the token")
		}
		policies := append(t.Policies, t.Identity...)
		if o.json {
			return env.printJSON(map[string]any{
				"accessor": t.Accessor, "name": t.Name, "policies": policies, "ttl": t.TTL, "expires": t.Expires, "type": t.Type,
				"uses": t.Uses, "orphan": t.Orphan, "renewable": t.Renew, "via": t.Path, "entity": t.Entity, "meta": t.Meta,
			})
		}
		ttl := "for ever"
		if t.TTL > 0 {
			ttl = fmt.Sprintf("%ds", t.TTL)
		}
		return env.table([]string{"NAME", "POLICIES", "VALID", "TYPE", "VIA", "ACCESSOR"}, [][]string{{t.Name, strings.Join(policies, ","), ttl, t.Type, t.Path, t.Accessor}})
	})
	w.register(c)
	return c
}

func tokenRenewCommand(env Env, o *options) *cobra.Command {
	var w whichToken
	var increment string
	c := &cobra.Command{Use: "renew", Short: "let a token live longer"}
	c.RunE = env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
		path, body, err := w.request(env, "renew", args)
		if err != nil {
			return err
		}
		if increment != "" {
			body["increment"] = increment
		}
		var got authAnswer
		if err := a.call(cmd.Context(), http.MethodPost, path, body, &got); err != nil {
			return explain(err, "cannot renew the token")
		}
		return env.done(o, map[string]any{"ttl": got.TTL, "policies": got.Policies}, "valid for %ds from now", got.TTL)
	})
	w.register(c)
	c.Flags().StringVar(&increment, "increment", "", "for how long, for instance 1h")
	return c
}

func tokenRevokeCommand(env Env, o *options) *cobra.Command {
	var w whichToken
	c := &cobra.Command{Use: "revoke", Short: "end a token, and those that were made with it"}
	c.RunE = env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
		path, body, err := w.request(env, "revoke", args)
		if err != nil {
			return err
		}
		if err := a.call(cmd.Context(), http.MethodPost, path, body, nil); err != nil {
			return explain(err, "cannot revoke the token")
		}
		return env.done(o, map[string]any{"did": "revoked"}, "revoked")
	})
	w.register(c)
	return c
}

func tokenCapabilitiesCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "capabilities API-PATH…",
		Short:   "say what you may do on paths of the API",
		Example: "  keephold token capabilities secret/data/app",
		Args:    cobra.MinimumNArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			may, err := a.capabilities(cmd, args)
			if err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"capabilities": may})
			}
			var rows [][]string
			for _, p := range args {
				rows = append(rows, []string{p, strings.Join(may[p], ",")})
			}
			return env.table([]string{"PATH", "CAPABILITIES"}, rows)
		}),
	}
}
