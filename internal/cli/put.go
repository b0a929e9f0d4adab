package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func putCommand(env Env, o *options) *cobra.Command {
	return writeCommand(env, o, "put", "store a map as a new version", http.MethodPost)
}

func patchCommand(env Env, o *options) *cobra.Command {
	return writeCommand(env, o, "patch", "change some fields of a map, as a new version", http.MethodPatch)
}

func writeCommand(env Env, o *options, name, short, method string) *cobra.Command {
	var cas int64
	var public bool
	c := &cobra.Command{
		Use:   name + " SPACE/PATH [FIELD=@FILE | FIELD=- | FIELD | @FILE.json | -]…",
		Short: short,
		Long: short + `.

A value is never taken from the command line, where it would stay in the shell's history and in the list of
processes. A field alone is asked for at the terminal; FIELD=@FILE reads a file, FIELD=- reads stdin; @FILE.json or -
reads a whole map as JSON. What is no secret may be given as FIELD=VALUE with --not-secret.`,
		Example: "  keephold " + name + " secret/app/db password\n  keephold " + name + " secret/app/db tls_key=@key.pem\n  keephold " + name + " secret/app/db @db.json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := env.gather(args[1:], public)
			if err != nil {
				return err
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := t.needPath(); err != nil {
				return err
			}
			return env.store(cmd, o, a, t, method, data, cas)
		},
	}
	c.Flags().Int64Var(&cas, "cas", -1, "store only if this is the newest version (0: if there is none)")
	c.Flags().BoolVar(&public, "not-secret", false, "accept FIELD=VALUE on the command line")
	return c
}

func (env Env) store(cmd *cobra.Command, o *options, a *api, t target, method string, data map[string]json.RawMessage, cas int64) error {
	var body any = data
	if t.versioned {
		m := map[string]any{"data": data}
		if cas >= 0 {
			m["options"] = map[string]any{"cas": cas}
		}
		body = m
	} else if method == http.MethodPatch {
		return usagef("%s keeps no versions and cannot be patched", t.space)
	}
	var stored struct {
		Version int64  `json:"version"`
		Created string `json:"created_time"`
	}
	if err := a.call(cmd.Context(), method, t.url("data"), body, &stored); err != nil {
		return explain(err, "cannot store "+t.String())
	}
	if o.json {
		return env.printJSON(map[string]any{"space": t.space, "path": t.path, "version": stored.Version, "created": stored.Created, "fields": sortedKeys(data)})
	}
	if o.quiet {
		return nil
	}
	if !t.versioned {
		env.talk("stored %s", t)
		return nil
	}
	env.talk("stored %s version %d", t, stored.Version)
	if stored.Version > 1 {
		env.talk("undo: keephold rollback %s --to %d", t, stored.Version-1)
	}
	return nil
}

// gather reads the fields to store from where the arguments say.
func (env Env) gather(args []string, public bool) (map[string]json.RawMessage, error) {
	data := map[string]json.RawMessage{}
	if len(args) == 0 {
		return nil, usagef("nothing to store").withHint("name a field to be asked for its value, or give @FILE.json")
	}
	for _, arg := range args {
		name, source, given := strings.Cut(arg, "=")
		switch {
		case arg == "-" || strings.HasPrefix(arg, "@"):
			b, err := env.source(arg)
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(b, &data); err != nil {
				return nil, failf(exitBadData, "%s holds no JSON object", arg)
			}
		case name == "":
			return nil, usagef("an argument begins with '='; a field needs a name")
		case !given:
			v, err := env.hidden(name + ": ")
			if err != nil {
				return nil, err
			}
			data[name] = quote([]byte(reveal(v)))
		case source == "-" || strings.HasPrefix(source, "@"):
			b, err := env.source(source)
			if err != nil {
				return nil, err
			}
			data[name] = quote(b)
		case public:
			data[name] = quote([]byte(source))
		default:
			return nil, usagef("the value of %q is on the command line: it would stay in your shell history and in ps; nothing was stored", name).
				withHint("name the field alone (%s) to be asked for it, or use %s=@FILE, %s=- or, if it is no secret, --not-secret", name, name, name)
		}
	}
	return data, nil
}

// source reads "-" or "@FILE". One newline at the end of a value is the editor's, not the value's.
func (env Env) source(s string) ([]byte, error) {
	var b []byte
	var err error
	if s == "-" {
		b, err = io.ReadAll(io.LimitReader(env.awake(), 1<<20))
	} else {
		b, err = os.ReadFile(s[1:])
	}
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")), nil
}

func quote(b []byte) json.RawMessage {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(string(b)); err != nil {
		panic("cli: internal error: " + err.Error())
	}
	return bytes.TrimSpace(out.Bytes())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
