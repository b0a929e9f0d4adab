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
		Use:   "edit NAME | ENV/NAME | SPACE/PATH",
		Short: "change a secret in your editor, as a new version",
		Long: `Change a secret in your editor ($VISUAL, $EDITOR, or vi) and store it as a new version, unless somebody else stored
one meanwhile. The file lies in memory where the system has a place for that, is yours alone, and is overwritten
and removed when the editor ends. A secret of SPACE/PATH is edited as a JSON object; one that does not exist yet begins as {}.
A setting of the project is edited as the text that it is.`,
		Example: "  keephold edit TLS_KEY\n  keephold edit secret/app/db\n  EDITOR='code --wait' keephold edit secret/app/db",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := projectSetting(args[0], "")
			if err != nil {
				return err
			}
			if s != nil {
				return env.editSetting(cmd, o, s)
			}
			a, t, err := env.secretFor(cmd.Context(), o, args[0])
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

// editSetting is edit for a key of a project: a text, with no more around it than its own last line's end.
func (env Env) editSetting(cmd *cobra.Command, o *options, s *setting) error {
	a, err := env.open(cmd.Context(), o, s.project)
	if err != nil {
		return err
	}
	path := "keephold/value/" + escapePath(s.env.space()+"/"+s.name)
	var old struct {
		Text    string `json:"text"`
		Version uint64 `json:"version"`
	}
	if err := a.call(cmd.Context(), http.MethodGet, path, nil, &old); err != nil {
		return explain(err, "cannot edit "+s.name+": it cannot be read in "+s.env.name)
	}
	before := old.Text
	if !strings.HasSuffix(before, "\n") {
		before += "\n" // as editors end a file
	}
	b, err := env.inEditor(cmd, s.name, []byte(before))
	if err != nil {
		return err
	}
	text := string(b)
	if !strings.HasSuffix(old.Text, "\n") {
		text = strings.TrimSuffix(text, "\n")
	}
	if text == old.Text {
		env.talk("nothing was changed")
		return nil
	}
	if err := canStore(s.project.Settings.Lookup(s.name), s.name, text); err != nil {
		return err
	}
	var stored struct {
		Version uint64 `json:"version"`
	}
	if err := a.call(cmd.Context(), http.MethodPut, path, map[string]any{"text": text, "cas": old.Version}, &stored); err != nil {
		return explain(err, "cannot store "+s.name)
	}
	if o.json {
		return env.printJSON(map[string]any{"name": s.name, "env": s.env.name, "space": s.env.space(), "version": stored.Version})
	}
	if !o.quiet {
		env.talk("%s version %d in %s", s.name, stored.Version, s.env.name)
	}
	return nil
}

// edit hands data to the person's editor and answers what became of it, nil when that is the same.
func (env Env) edit(cmd *cobra.Command, data map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	before, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return nil, failf(exitInternal, "%w", err)
	}
	before = append(before, '\n')
	after, err := env.inEditor(cmd, "secret.json", before)
	if err != nil || bytes.Equal(before, after) {
		return nil, err
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(after, &out); err != nil || out == nil {
		return nil, failf(exitBadData, "what the editor left is no JSON object; nothing was stored")
	}
	return out, nil
}

// inEditor hands a file of that name to the person's editor and answers what became of it.
func (env Env) inEditor(cmd *cobra.Command, name string, before []byte) (after []byte, err error) {
	editor := env.Getenv("VISUAL")
	if editor == "" {
		editor = env.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	dir, err := os.MkdirTemp(env.memoryDir(), "keephold-edit-*") // mode 0700: swap and backup files of the editor go there too
	if err != nil {
		return nil, failf(exitCannotWrite, "%w", err)
	}
	defer func() { err = errors.Join(err, shredDir(dir)) }()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, before, 0o600); err != nil {
		return nil, failf(exitCannotWrite, "%w", err)
	}
	words := strings.Fields(editor)
	child := exec.CommandContext(cmd.Context(), words[0], append(words[1:], file)...)
	child.Stdin, child.Stdout, child.Stderr = env.Stdin, env.Stderr, env.Stderr
	if err := child.Run(); err != nil {
		return nil, failf(exitIO, "the editor %s: %w; nothing was stored", words[0], err)
	}
	if after, err = os.ReadFile(file); err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	return after, nil
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
