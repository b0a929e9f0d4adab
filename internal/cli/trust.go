package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// A cloned file can ask for anything: another project's id, a server of its author's. So a project is bound on this
// machine to its directory, its id, its store and its sources; any of them new or changed needs a person's word.
type binding struct {
	Dir     string   `json:"dir"`
	ID      string   `json:"id"`
	Store   string   `json:"store"`
	Sources []string `json:"sources,omitempty"`
}

const trustFile = "trust.json"

func (p *project) binding() binding {
	b := binding{Dir: p.dir, ID: p.ID, Store: p.Store}
	for _, e := range p.Envs {
		b.Sources = append(b.Sources, e.Sources...)
	}
	return b
}

func (b binding) equal(c binding) bool {
	return b.Dir == c.Dir && b.ID == c.ID && b.Store == c.Store && slices.Equal(b.Sources, c.Sources)
}

func (env Env) bindings() ([]binding, string, error) {
	dir, err := env.dataDir()
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(dir, trustFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, path, nil
	}
	var all []binding
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return nil, path, failf(exitBadData, "%s: %w", path, err).withHint("remove the file; projects will ask for trust again")
	}
	return all, path, nil
}

// checkTrust refuses a project that nobody vouched for on this machine. Nothing was read or sent before.
func (env Env) checkTrust(p *project) error {
	all, _, err := env.bindings()
	if err != nil {
		return err
	}
	want := p.binding()
	why := "this project was not used here before"
	for _, b := range all {
		switch {
		case b.equal(want):
			return nil
		case b.Dir == want.Dir:
			why = "its id, store or sources changed since it was trusted"
		case b.ID == want.ID:
			why = "it asks for the keep of the project in " + b.Dir
		}
	}
	return failf(exitDenied, "%s is not trusted: %s", filepath.Join(p.dir, projectFile), why).withHint("look at the file, then: keephold trust")
}

func (env Env) bind(p *project) error {
	all, path, err := env.bindings()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(b binding) bool { return b.Dir == p.dir })
	text, err := json.MarshalIndent(append(all, p.binding()), "", "  ")
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	if err := writeFile(path, text, 0o600); err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	return nil
}

// writeFile puts a whole new file in the old one's place, so that a crash leaves one or the other.
func writeFile(path string, b []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".keephold-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters was reported
	}
	return err
}

func trustCommand(env Env, o *options) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "trust",
		Short: "let this project use its keep on this machine",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := findProject()
			if err != nil {
				return err
			}
			env.talk("project  %s\nid       %s\nstore    %s", p.Name, p.ID, p.Store)
			for _, s := range p.binding().Sources {
				env.talk("source   %s", s)
			}
			if err := env.confirm("trust the project in "+p.dir, yes); err != nil {
				return err
			}
			if err := env.bind(p); err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"dir": p.dir, "id": p.ID, "store": p.Store, "trusted": true})
			}
			return nil
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
