package cli

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/provider"
)

func diffCommand(env Env, o *options) *cobra.Command {
	var from, to string
	c := &cobra.Command{
		Use:   "diff SECRET [SECRET] | ENV|FILE [ENV|FILE] | ADDRESS [SPACE[/FOLDER]]",
		Short: "compare two secrets, or two versions of one, without showing values",
		Long: `Compare two secrets, each NAME, ENV/NAME or SPACE/PATH, or two versions of one, field by field. Values are compared and never shown. The exit code is 0
when all fields are the same and 1 when they are not. With the ADDRESS of a store elsewhere (keephold pull --help) all secrets of
both are compared, by name.`,
		Example: "  keephold diff staging/app prod/app\n  keephold diff secret/app --from 3 --to 4\n  keephold diff secret/app --from 3\n  keephold diff aws://123456789012/eu-west-1/prod/shop/ shop/prod",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if provider.IsAddress(args[0]) || provider.IsAddress(args[len(args)-1]) {
				return env.storesDiff(cmd.Context(), o, args)
			}
			versions := from != "" || to != ""
			if p, err := findProject(); err == nil && !versions && (len(args) == 1 || p.Env(args[0]) != nil || p.Env(args[1]) != nil) {
				return env.settingsDiff(cmd.Context(), o, p, args)
			}
			if len(args) == 1 && !versions {
				return usagef("compare with what?").withHint("give a second secret, or versions with --from and --to")
			}
			var sides [2]reading
			for i, version := range []string{from, to} {
				a, t, err := env.secretFor(cmd.Context(), o, args[min(i, len(args)-1)])
				if err != nil {
					return err
				}
				if sides[i], err = a.read(cmd, t, version); err != nil {
					return err
				}
			}
			return env.printDiff(o, sides)
		},
	}
	c.Flags().StringVar(&from, "from", "", "version of the first, the newest if left out")
	c.Flags().StringVar(&to, "to", "", "version of the second, the newest if left out")
	return c
}

type fieldDiff struct {
	Field string `json:"field"`
	State string `json:"state"` // "same", "differs", "removed", "added"
}

// compare answers the fields of both sides in order.
func compare(sides [2]reading) (all []fieldDiff, equal bool) {
	names := map[string]bool{}
	for _, s := range sides {
		for k := range s.Data {
			names[k] = true
		}
	}
	equal = true
	for _, name := range sortedKeys(names) {
		left, inLeft := sides[0].Data[name]
		right, inRight := sides[1].Data[name]
		state := "same"
		switch {
		case !inRight:
			state = "removed"
		case !inLeft:
			state = "added"
		case subtle.ConstantTimeCompare(compact(left), compact(right)) != 1:
			state = "differs"
		}
		equal = equal && state == "same"
		all = append(all, fieldDiff{name, state})
	}
	return all, equal
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

func (env Env) printDiff(o *options, sides [2]reading) error {
	all, equal := compare(sides)
	var err error
	if o.json {
		err = env.printJSON(map[string]any{"equal": equal, "fields": all, "versions": []int64{sides[0].Metadata.Version, sides[1].Metadata.Version}})
	} else {
		var rows [][]string
		for _, d := range all {
			rows = append(rows, []string{d.Field, d.State})
		}
		err = env.table([]string{"FIELD", "STATE"}, rows)
	}
	if err == nil && !equal {
		return silent(exitNo)
	}
	return err
}
