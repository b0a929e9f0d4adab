package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func editCommand(env Env, o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "edit SPACE/PATH",
		Short: "change a secret in your editor, as a new version",
		Long: `Change a secret in your editor ($VISUAL, $EDITOR, or vi) and store it as a new version, unless somebody else stored
one meanwhile. The file lies in memory where the system has a place for that, is yours alone, and is overwritten
and removed when the editor ends. A secret that does not exist yet begins as {}.`,
		Example: "  keephold edit secret/app/db\n  EDITOR='code --wait' keephold edit secret/app/db",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			old, err := a.read(cmd, t, "")
			if err != nil && codeOf(err) != exitNotFound {
				return err
			}
			cas := int64(-1)
			if t.versioned {
				cas = old.Metadata.Version // 0: there is none
			}
			if old.Data == nil {
				old.Data = map[string]json.RawMessage{}
				if m, err := a.metadata(cmd, t); err == nil {
					cas = int64(m.Current) // the newest version is deleted
				}
			}
			changed, err := env.edit(cmd, old.Data)
			if err != nil {
				return err
			}
			if changed == nil {
				env.talk("nothing was changed")
				return nil
			}
			return env.store(cmd, o, a, t, http.MethodPost, changed, cas)
		},
	}
	return c
}

// edit hands data to the person's editor and answers what became of it, nil when that is the same.
func (env Env) edit(cmd *cobra.Command, data map[string]json.RawMessage) (_ map[string]json.RawMessage, err error) {
	editor := env.Getenv("VISUAL")
	if editor == "" {
		editor = env.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	before, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return nil, failf(exitInternal, "%w", err)
	}
	before = append(before, '\n')
	dir, err := os.MkdirTemp(env.memoryDir(), "keephold-edit-*") // mode 0700: swap and backup files of the editor go there too
	if err != nil {
		return nil, failf(exitCannotWrite, "%w", err)
	}
	defer func() { err = errors.Join(err, shredDir(dir)) }()
	file := filepath.Join(dir, "secret.json")
	if err := os.WriteFile(file, before, 0o600); err != nil {
		return nil, failf(exitCannotWrite, "%w", err)
	}
	words := strings.Fields(editor)
	child := exec.CommandContext(cmd.Context(), words[0], append(words[1:], file)...)
	child.Stdin, child.Stdout, child.Stderr = env.Stdin, env.Stderr, env.Stderr
	if err := child.Run(); err != nil {
		return nil, failf(exitIO, "the editor %s: %w; nothing was stored", words[0], err)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	if bytes.Equal(before, after) {
		return nil, nil
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(after, &out); err != nil || out == nil {
		return nil, failf(exitBadData, "what the editor left is no JSON object; nothing was stored")
	}
	return out, nil
}

// memoryDir is a directory that lies in memory, "" when none is known.
func (env Env) memoryDir() string {
	for _, dir := range []string{env.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if info, err := os.Stat(dir); dir != "" && err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// shredDir overwrites every file in a directory before it is removed.
func shredDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, overwrite(filepath.Join(dir, e.Name())))
	}
	return errors.Join(err, os.RemoveAll(dir))
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = io.CopyN(f, zeros{}, info.Size())
	}
	return errors.Join(err, f.Sync(), f.Close())
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
