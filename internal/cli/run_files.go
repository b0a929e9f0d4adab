package cli

import (
	"os"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/launch"
	"github.com/keephold/keephold/internal/secret"
)

// fileFlags say what a program gets as files.
type fileFlags struct {
	secretsDir, onDisk bool
	mounts             []string // NAME=TEMPLATE
	templates          []mount
}

// mount is a file that is made of a template.
type mount struct {
	name string
	text *template.Template
}

func (f *fileFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.BoolVar(&f.secretsDir, "secrets-dir", false, "hand secrets over as files in memory: KEEPHOLD_SECRETS_DIR names the directory, NAME_FILE each file")
	fs.StringArrayVar(&f.mounts, "mount", nil, "NAME=TEMPLATE: fill a template, as render does, into the file NAME of KEEPHOLD_SECRETS_DIR")
	fs.BoolVar(&f.onDisk, "secrets-on-disk", false, "let files lie on a disk where there is no directory in memory")
}

// read reads the templates, before anything is asked of the keep.
func (f *fileFlags) read(env Env) error {
	f.templates = nil
	for _, m := range f.mounts {
		name, path, ok := strings.Cut(m, "=")
		if !ok || name == "" || path == "" {
			return usagef("--mount %q is not NAME=TEMPLATE", m).withHint("keephold run --mount app.ini=app.ini.tmpl -- …")
		}
		text, err := env.fileOrStdin(path)
		if err != nil {
			return err
		}
		t, err := parseTemplate(path, string(text))
		if err != nil {
			return err
		}
		f.templates = append(f.templates, mount{name, t})
	}
	return nil
}

// dirFor is the directory for what goes into files: what was asked for, and what no environment can carry. nil: there is
// nothing of that.
func (r *runOptions) dirFor(texts map[string]string) (*launch.Dir, error) {
	needed := r.secretsDir || len(r.templates) > 0
	for name, text := range texts {
		needed = needed || launch.TooLong(r.prefix+name, len(text))
	}
	if !needed {
		return nil, nil
	}
	dir, err := launch.NewDir(os.Getenv, r.onDisk, nil)
	if err != nil {
		return nil, failf(exitCannotWrite, "%w", err).withHint("--secrets-on-disk uses %s", os.TempDir())
	}
	return dir, nil
}

// rendered are the files of the templates.
func (f *fileFlags) rendered(texts map[string]string) ([]launch.Variable, error) {
	var out []launch.Variable
	for _, m := range f.templates {
		text, err := fill(m.text, texts)
		if err != nil {
			return nil, err
		}
		out = append(out, launch.Variable{Name: m.name, Value: secret.NewValue([]byte(text))})
	}
	return out, nil
}
