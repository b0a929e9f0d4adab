package cli

import (
	"context"
	"net/http"
	"path"
	"strings"

	"github.com/spf13/cobra"
)

func findCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "find TEXT|PATTERN",
		Short: "look for names in all Spaces that you may list",
		Long: `Look for names in all Spaces that you may list. A word is looked for anywhere in the path; a pattern with * ? [ ] has
to agree with the path below the Space, or with its last part. Case does not matter. Values are never looked at.`,
		Example: "  keephold find stripe\n  keephold find '*_KEY'\n  keephold find 'shop/*/db'",
		Args:    cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if _, err := path.Match(args[0], ""); err != nil || args[0] == "" {
				return usagef("%q is no pattern", args[0])
			}
			found, hidden, err := a.findNames(cmd.Context(), strings.ToLower(args[0]))
			if err != nil {
				return err
			}
			if hidden > 0 && !o.quiet {
				env.talk("%d Spaces could not be looked through: you may not list all of them", hidden)
			}
			if err := env.columns(o, "names", found); err != nil || len(found) > 0 {
				return err
			}
			return silent(exitNo)
		}),
	}
}

// findNames lists every Space and keeps what agrees. The server answers only what the caller may list.
func (a *api) findNames(ctx context.Context, pattern string) (found []string, hidden int, err error) {
	spaces, err := a.spaces(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range sortedKeys(spaces) {
		if t := spaces[name].Type; t != "" && t != "kv" {
			continue
		}
		t := target{space: strings.TrimSuffix(name, "/"), versioned: spaces[name].Options["version"] == "2"}
		var out struct {
			Keys []string `json:"keys"`
		}
		err := a.call(ctx, "SCAN", t.url("metadata"), nil, &out)
		switch status(err) {
		case 0:
			if err != nil {
				return nil, 0, err
			}
		case http.StatusNotFound: // nothing in it
		case http.StatusForbidden:
			hidden++
		default:
			return nil, 0, explain(err, "cannot look through "+name)
		}
		for _, key := range out.Keys {
			if !strings.HasSuffix(key, "/") && agrees(pattern, strings.ToLower(key), strings.ToLower(name+key)) {
				found = append(found, name+key)
			}
		}
	}
	return found, hidden, nil
}

// agrees compares lower-case names. The pattern is known to be well formed.
func agrees(pattern, key, whole string) bool {
	if !strings.ContainsAny(pattern, "*?[") {
		return strings.Contains(whole, pattern)
	}
	for _, s := range []string{key, whole, path.Base(key)} {
		if ok, _ := path.Match(pattern, s); ok {
			return true
		}
	}
	return false
}
