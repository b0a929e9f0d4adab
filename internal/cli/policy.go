package cli

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func policyCommand(env Env, o *options) *cobra.Command {
	return group(&cobra.Command{
		Use:     "policy",
		Short:   "say who may do what, and ask why not",
		Example: "  keephold policy write web @web.hcl\n  keephold policy explain secret/app\n  keephold policy test cases.txt",
	}, policyWriteCommand(env, o), policyReadCommand(env, o), policyListCommand(env, o), policyDeleteCommand(env, o), policyExplainCommand(env, o), policyTestCommand(env, o))
}

func policyPath(name string) string { return "sys/policies/acl/" + escapePath(name) }

func policyWriteCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "write NAME @FILE|-",
		Short:   "store a policy, written as HCL or JSON",
		Example: "  keephold policy write web @web.hcl\n  keephold policy write web - < web.hcl",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] != "-" && !strings.HasPrefix(args[1], "@") {
				return usagef("%q is neither @FILE nor -", args[1]).withHint("keephold policy write %s @%s", args[0], args[1])
			}
			text, err := env.source(args[1])
			if err != nil {
				return err
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := a.call(cmd.Context(), http.MethodPut, policyPath(args[0]), map[string]string{"policy": string(text)}, nil); err != nil {
				return explain(err, "cannot store the policy "+args[0])
			}
			return env.done(o, map[string]any{"policy": args[0], "did": "stored"}, "stored the policy %s", args[0])
		},
	}
}

func policyReadCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "read NAME",
		Short: "print a policy",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			var doc struct {
				Name   string `json:"name"`
				Policy string `json:"policy"`
			}
			if err := a.call(cmd.Context(), http.MethodGet, policyPath(args[0]), nil, &doc); err != nil {
				return explain(err, "cannot read the policy "+args[0])
			}
			if o.json {
				return env.printJSON(map[string]any{"policy": doc.Name, "text": doc.Policy})
			}
			return env.print(strings.TrimSuffix(doc.Policy, "\n") + "\n")
		}),
	}
}

func policyListCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the policies",
		Args:  cobra.NoArgs,
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, _ []string) error {
			keys, err := a.keys(cmd.Context(), "sys/policies/acl")
			if err != nil {
				return explain(err, "cannot list the policies")
			}
			return env.columns(o, "policies", keys)
		}),
	}
}

func policyDeleteCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "remove a policy; who has it may do less from now on",
		Args:  cobra.ExactArgs(1),
		RunE: env.asking(o, func(cmd *cobra.Command, a *api, args []string) error {
			if err := a.call(cmd.Context(), http.MethodDelete, policyPath(args[0]), nil, nil); err != nil {
				return explain(err, "cannot remove the policy "+args[0])
			}
			return env.done(o, map[string]any{"policy": args[0], "did": "removed"}, "removed the policy %s", args[0])
		}),
	}
}

// capabilities asks what the caller may do on paths of the API.
func (a *api) capabilities(cmd *cobra.Command, paths []string) (map[string][]string, error) {
	out := map[string]json.RawMessage{}
	if err := a.call(cmd.Context(), http.MethodPost, "sys/capabilities-self", map[string]any{"paths": paths}, &out); err != nil {
		return nil, explain(err, "cannot tell what you may do")
	}
	may := map[string][]string{}
	for _, p := range paths {
		var caps []string
		if err := json.Unmarshal(out[p], &caps); err != nil {
			return nil, failf(exitInternal, "the answer on %s is not understood: %w", p, err)
		}
		may[p] = caps
	}
	return may, nil
}

func policyTestCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE|-",
		Short: "check that you may do what a file of cases says, and nothing of what it forbids",
		Long: `Check that you may do what a file of cases says, and nothing of what it forbids. A case is a line of three words:
"allow" or "deny", a capability, and a path of the API. Nothing is read or changed. Sign in as the role to be tested.

  allow read   secret/data/app
  deny  update secret/data/app

The exit code is 1 when a case does not hold.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cases, err := env.readCases(args[0])
			if err != nil {
				return err
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			var paths []string
			for _, c := range cases {
				paths = append(paths, c.Path)
			}
			may, err := a.capabilities(cmd, paths)
			if err != nil {
				return err
			}
			return env.printCases(o, cases, may)
		},
	}
}

type policyCase struct {
	Line       int    `json:"line"`
	Want       string `json:"want"`
	Capability string `json:"capability"`
	Path       string `json:"path"`
	Got        string `json:"got"`
}

func (env Env) readCases(name string) (cases []policyCase, err error) {
	in := env.awake()
	if name != "-" {
		f, err := os.Open(strings.TrimPrefix(name, "@"))
		if err != nil {
			return nil, failf(exitNotFound, "%w", err)
		}
		defer func() { _ = f.Close() }() // only read from
		in = f
	}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 3 || words[0] != "allow" && words[0] != "deny" {
			return nil, failf(exitBadData, "%s:%d: not \"allow|deny CAPABILITY PATH\"", name, n)
		}
		cases = append(cases, policyCase{Line: n, Want: words[0], Capability: words[1], Path: words[2]})
	}
	if err := lines.Err(); err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	if len(cases) == 0 {
		return nil, failf(exitBadData, "%s holds no case", name)
	}
	return cases, nil
}

func (env Env) printCases(o *options, cases []policyCase, may map[string][]string) error {
	failed := 0
	var rows [][]string
	for i, c := range cases {
		caps := may[c.Path]
		got := "deny"
		if slices.Contains(caps, c.Capability) || slices.Contains(caps, "root") {
			got = "allow"
		}
		cases[i].Got = got
		if got != c.Want {
			failed++
			rows = append(rows, []string{c.Want, got, c.Capability, c.Path})
		}
	}
	var err error
	if o.json {
		err = env.printJSON(map[string]any{"cases": cases, "failed": failed})
	} else {
		err = env.table([]string{"WANT", "GOT", "CAPABILITY", "PATH"}, rows)
		env.talk("%d of %d cases hold", len(cases)-failed, len(cases))
	}
	if err == nil && failed > 0 {
		return silent(exitNo)
	}
	return err
}
