package cli

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func findCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "find TEXT|PATTERN",
		Short: "look for names in all Spaces",
		Long: `Look for names in all Spaces, among those that you may see. A word is looked for anywhere in a path; a pattern with * ? [ ] has
to agree with the path below the Space, or with its last part. Case does not matter. Values are never looked at.`,
		Example: "  keephold find stripe\n  keephold find '*_KEY'\n  keephold find 'shop/*/db'",
		Args:    cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if _, err := path.Match(args[0], ""); err != nil || args[0] == "" {
				return usagef("%q is no pattern", args[0])
			}
			found, err := a.findNames(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := env.columns(o, "names", found); err != nil || len(found) > 0 {
				return err
			}
			return silent(exitNo)
		}),
	}
}

// findNames asks for page after page. The server answers only names that the caller may see; it compares words itself,
// and patterns are compared here.
func (a *api) findNames(ctx context.Context, what string) (found []string, err error) {
	pattern := strings.ToLower(what)
	query := url.Values{"limit": {"1000"}}
	if !strings.ContainsAny(pattern, "*?[") {
		query.Set("q", what)
	}
	for {
		var page struct {
			Hits []struct {
				Space string `json:"space"`
				Path  string `json:"path"`
			} `json:"hits"`
			Next string `json:"next"`
		}
		if err := a.call(ctx, http.MethodGet, "keephold/search?"+query.Encode(), nil, &page); err != nil {
			return nil, explain(err, "cannot search")
		}
		for _, h := range page.Hits {
			name := h.Space + "/" + h.Path
			if query.Has("q") || agrees(pattern, strings.ToLower(h.Path), strings.ToLower(name)) {
				found = append(found, name)
			}
		}
		if page.Next == "" {
			slices.Sort(found)
			return found, nil
		}
		query.Set("next", page.Next)
	}
}

// agrees compares lower-case names. The pattern is known to be well formed.
func agrees(pattern, key, whole string) bool {
	for _, s := range []string{key, whole, path.Base(key)} {
		if ok, _ := path.Match(pattern, s); ok {
			return true
		}
	}
	return false
}
