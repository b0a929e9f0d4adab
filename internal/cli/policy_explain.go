package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func policyExplainCommand(env Env, o *options) *cobra.Command {
	var want string
	c := &cobra.Command{
		Use:   "explain SPACE/PATH",
		Short: "say what you may do with a secret",
		Long: `Say what you may do with a secret, operation by operation, as your policies have it. The exit code is 1 when the
operation of --for is not allowed. With --for the rules that spoke are named too, and the nearest that missed.`,
		Example: "  keephold policy explain secret/app\n  keephold policy explain secret/app --for read",
		Args:    cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rows := t.operations()
			paths := make([]string, len(rows))
			for i, r := range rows {
				paths[i] = r.API
			}
			may, err := a.capabilities(cmd, paths)
			if err != nil {
				return err
			}
			if err := env.printMay(o, t, rows, may, want); want == "" || err != nil && codeOf(err) != exitNo {
				return err
			}
			return a.why(cmd, env, o, rows, want)
		}),
	}
	c.Flags().StringVar(&want, "for", "", "only this operation: read, write, patch, delete, undelete, destroy, list, history")
	return c
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

func (env Env) printMay(o *options, t target, rows []operation, may map[string][]string, want string) error {
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
		err = env.printJSON(map[string]any{"space": t.space, "path": t.path, "operations": kept})
	} else {
		err = env.table([]string{"OPERATION", "ALLOWED", "NEEDS", "ON", "YOU HAVE"}, lines)
	}
	if err == nil && want != "" && no {
		return silent(exitNo)
	}
	return err
}

// why says which rules decided.
func (a *api) why(cmd *cobra.Command, env Env, o *options, rows []operation, want string) error {
	for _, r := range rows {
		if r.Name != want {
			continue
		}
		var out struct {
			Allowed bool   `json:"allowed"`
			Text    string `json:"text"`
		}
		if err := a.call(cmd.Context(), http.MethodPut, "keephold/why", map[string]string{"resource": r.API, "capability": r.Needs}, &out); err != nil {
			return explain(err, "cannot say why")
		}
		if !o.quiet {
			env.talk("%s", strings.TrimRight(out.Text, "\n"))
		}
		if !out.Allowed {
			return silent(exitNo)
		}
	}
	return nil
}
