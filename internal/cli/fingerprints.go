package cli

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/leak"
)

func fingerprintsCommand(env Env, o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "fingerprints",
		Short: "let a scanner recognise stored values without having them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(fingerprintsExportCommand(env, o))
	return c
}

func fingerprintsExportCommand(env Env, o *options) *cobra.Command {
	var envs []string
	c := &cobra.Command{
		Use:   "export",
		Short: "write keyed fingerprints of a project's values, for keephold scan --fingerprints",
		Long: `Write keyed fingerprints of a project's values, for keephold scan --fingerprints: a scan on a machine without the values then
says which of them it found. The values stay where they are. Each environment is read once, and that is recorded like any read.

The file tells names, versions and lengths, and whoever has it can try values one by one. Values that could be guessed so are
left out and named on stderr: what is shorter than 16 bytes, repeats itself or looks like words.`,
		Example: "  keephold fingerprints export -o known.json\n  keephold scan git --fingerprints known.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			if len(envs) == 0 {
				for _, e := range p.Envs {
					envs = append(envs, e.Name)
				}
			}
			a, err := env.open(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			var values []leak.Stored
			for _, name := range envs {
				e, err := p.environment(name)
				if err != nil {
					return err
				}
				got, err := a.wholeOf(cmd.Context(), e.space())
				if err != nil {
					return err
				}
				for key, text := range got.Values {
					values = append(values, leak.Stored{Name: e.space() + "/" + key, Version: got.Versions[key], Value: []byte(text)})
				}
			}
			return env.printFingerprints(o, values)
		},
	}
	c.Flags().StringArrayVarP(&envs, "env", "e", nil, "environment, repeated for several (default: all of the project's)")
	return c
}

func (env Env) printFingerprints(o *options, values []leak.Stored) error {
	slices.SortFunc(values, func(a, b leak.Stored) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the program instead
	f, refused, err := leak.NewFingerprints(key[:], time.Now(), values)
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	for _, r := range refused {
		env.talk("left out: %s: %s", r.Name, r.Why)
	}
	if !o.quiet {
		env.talk("fingerprints of %s, %d left out", plural(int64(f.Len()), "value"), len(refused))
	}
	text, err := json.Marshal(f)
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	return env.print(string(text) + "\n")
}

// readFingerprints joins what the files know with the rules. One that is broken ends the scan.
func readFingerprints(files []string, rules leak.Finder) (leak.Finder, func(rule string) string, error) {
	finder, describe := rules, func(string) string { return "" }
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, failf(exitIO, "%w", err)
		}
		f, err := leak.ReadFingerprints(text)
		if err != nil {
			return nil, nil, failf(exitBadData, "%s: %w", name, err).withHint("write it again: keephold fingerprints export -o %s", name)
		}
		before := describe
		finder, describe = leak.Join(f, finder), func(rule string) string {
			if text := f.Describe(rule); text != "" {
				return text
			}
			return before(rule)
		}
	}
	return finder, describe, nil
}
