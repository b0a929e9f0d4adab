package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
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
says which of them it found, and whether it is the current version or one that was replaced. The keep makes the fingerprints: no
value leaves it. Each environment is read once, and that is recorded like any read.

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
			var key [32]byte
			_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the program instead
			all, _, err := leak.NewFingerprints(key[:], time.Now(), nil)
			if err != nil {
				return failf(exitInternal, "%w", err)
			}
			left := 0
			for _, name := range envs {
				e, err := p.environment(name)
				if err != nil {
					return err
				}
				known, refused, err := a.known(cmd.Context(), e.space(), key[:])
				if err != nil {
					return err
				}
				for _, r := range refused {
					env.talk("left out: %s: %s", r.Name, r.Why)
				}
				left += len(refused)
				if err := all.Add(known); err != nil {
					return failf(exitInternal, "%w", err)
				}
			}
			if !o.quiet {
				env.talk("fingerprints of %s, %d left out", plural(int64(all.Len()), "version"), left)
			}
			text, err := json.Marshal(all)
			if err != nil {
				return failf(exitInternal, "%w", err)
			}
			return env.print(string(text) + "\n")
		},
	}
	c.Flags().StringArrayVarP(&envs, "env", "e", nil, "environment, repeated for several (default: all of the project's)")
	return c
}

// known has the keep make fingerprints of all versions in a Space. One that holds nothing has none.
func (a *api) known(ctx context.Context, space string, key []byte) (*leak.Fingerprints, []leak.Refusal, error) {
	var out struct {
		Known   json.RawMessage `json:"known"`
		Refused []leak.Refusal  `json:"refused"`
	}
	err := a.call(ctx, http.MethodPut, "keephold/known/"+escapePath(space), map[string]any{"key": base64.StdEncoding.EncodeToString(key)}, &out)
	if status(err) == http.StatusNotFound {
		none, _, err := leak.NewFingerprints(key, time.Now(), nil)
		return none, nil, err
	}
	if err != nil {
		return nil, nil, explain(err, "cannot read all of "+space)
	}
	f, err := leak.ReadFingerprints(out.Known)
	if err != nil {
		return nil, nil, failf(exitBadData, "the keep's answer: %w", err)
	}
	return f, out.Refused, nil
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
