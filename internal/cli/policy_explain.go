package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func policyExplainCommand(env Env, o *options) *cobra.Command {
	var want string
	var of []string
	c := &cobra.Command{
		Use:   "explain SPACE/PATH",
		Short: "say what you may do with a secret",
		Long: `Say what you may do with a secret, operation by operation, as your policies have it. The exit code is 1 when the
operation of --for is not allowed. With --for the rules that spoke are named too, and the nearest that missed; and the rule that decided is said as each
dialect would: Vault policy text, an IAM statement, a Google binding, Azure permissions.

With --of it is what those policies say, whoever holds them.`,
		Example: "  keephold policy explain secret/app\n  keephold policy explain secret/app --for read\n  keephold policy explain secret/app --for read --of web",
		Args:    cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rows := t.operations()
			if len(of) > 0 {
				return env.explainOthers(cmd, o, a, rows, want, of)
			}
			paths := make([]string, len(rows))
			for i, r := range rows {
				paths[i] = r.API
			}
			may, err := a.capabilities(cmd, paths)
			if err != nil {
				return err
			}
			var why *reasons
			if want != "" && o.json {
				if why, err = a.reasons(cmd, "keephold/why", rows, want, nil); err != nil {
					return err
				}
			}
			if err := env.printMay(o, t, rows, may, want, why); want == "" || o.json || err != nil && codeOf(err) != exitNo {
				return err
			}
			if why, err = a.reasons(cmd, "keephold/why", rows, want, nil); err != nil {
				return err
			}
			return env.printReasons(o, why, true)
		}),
	}
	c.Flags().StringVar(&want, "for", "", "only this operation: read, write, patch, delete, undelete, destroy, list, history")
	c.Flags().StringSliceVar(&of, "of", nil, "what these policies say, and not your own; needs --for")
	return c
}

// reasons is what the native API says of a decision.
type reasons struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule,omitempty"`
	Views   []struct {
		Dialect string `json:"dialect"`
		Text    string `json:"text,omitempty"`
		Why     string `json:"why,omitempty"`
	} `json:"views,omitempty"`
	Text string `json:"text"`
}

// explainOthers says what policies give, whoever holds them.
func (env Env) explainOthers(cmd *cobra.Command, o *options, a *api, rows []operation, want string, of []string) error {
	if want == "" {
		return usagef("--of needs --for, which says what is to be explained").withHint("--for read")
	}
	why, err := a.reasons(cmd, "keephold/explain", rows, want, of)
	if err != nil {
		return err
	}
	if o.json {
		if err := env.printJSON(map[string]any{"policies": of, "why": why}); err != nil {
			return err
		}
	}
	return env.printReasons(o, why, false)
}

// operation is what a person calls something that can be done, and where policies decide on it.
type operation struct {
	Name    string `json:"operation"`
	API     string `json:"path"`
	Needs   string `json:"needs"`
	Allowed bool   `json:"allowed"`
}

func (t target) operations() []operation {
	if !t.versioned {
		p := t.url("")
		return []operation{{"read", p, "read", false}, {"write", p, "update", false}, {"delete", p, "delete", false}, {"list", p, "list", false}}
	}
	return []operation{
		{"read", t.url("data"), "read", false}, {"write", t.url("data"), "update", false}, {"patch", t.url("data"), "patch", false},
		{"delete", t.url("data"), "delete", false}, {"undelete", t.url("undelete"), "update", false}, {"destroy", t.url("destroy"), "update", false},
		{"list", t.url("metadata"), "list", false}, {"history", t.url("metadata"), "read", false},
	}
}

func (env Env) printMay(o *options, t target, rows []operation, may map[string][]string, want string, why *reasons) error {
	var lines [][]string
	kept := rows[:0]
	no := false
	for _, r := range rows {
		if want != "" && r.Name != want {
			continue
		}
		caps := strings.Join(may[r.API], ",")
		for _, c := range may[r.API] {
			r.Allowed = r.Allowed || c == r.Needs || c == "root"
		}
		answer := "yes"
		if !r.Allowed {
			answer, no = "no", true
		}
		kept = append(kept, r)
		lines = append(lines, []string{r.Name, answer, r.Needs, r.API, caps})
	}
	if len(kept) == 0 {
		return usagef("there is no operation %q", want)
	}
	var err error
	if o.json {
		doc := map[string]any{"space": t.space, "path": t.path, "operations": kept}
		if why != nil {
			doc["why"] = why
		}
		err = env.printJSON(doc)
	} else {
		err = env.table([]string{"OPERATION", "ALLOWED", "NEEDS", "ON", "YOU HAVE"}, lines)
	}
	if err == nil && want != "" && no {
		return silent(exitNo)
	}
	return err
}

// reasons asks which rules decided.
func (a *api) reasons(cmd *cobra.Command, path string, rows []operation, want string, policies []string) (*reasons, error) {
	for _, r := range rows {
		if r.Name != want {
			continue
		}
		out := new(reasons)
		body := map[string]any{"resource": r.API, "capability": r.Needs}
		if policies != nil {
			body["policies"] = policies
		}
		if err := a.call(cmd.Context(), http.MethodPut, path, body, out); err != nil {
			return nil, explain(err, "cannot say why")
		}
		return out, nil
	}
	return nil, usagef("there is no operation %q", want)
}

// printReasons is talk where something else was printed, and else the answer.
func (env Env) printReasons(o *options, why *reasons, talk bool) error {
	text := strings.TrimRight(why.Text, "\n")
	switch {
	case o.json:
	case talk && !o.quiet:
		env.talk("%s", text)
	case !talk:
		if err := env.print(text + "\n"); err != nil {
			return err
		}
	}
	if !why.Allowed {
		return silent(exitNo)
	}
	return nil
}
