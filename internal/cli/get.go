package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

type reading struct {
	Data     map[string]json.RawMessage `json:"data"`
	Metadata struct {
		Version int64  `json:"version"`
		Created string `json:"created_time"`
	} `json:"metadata"`
}

func getCommand(env Env, o *options) *cobra.Command {
	var field, version, envName string
	var noNewline, reveal bool
	var away offlineFlags
	c := &cobra.Command{
		Use:   "get SPACE/PATH | NAME",
		Short: "print a secret, one field of it, or a setting of the project",
		Example: `  keephold get DATABASE_URL --env dev
  keephold get secret/app/db
  keephold get secret/app/db --field password
  keephold get secret/app/db --version 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := projectSetting(args[0], envName)
			if err != nil {
				return err
			}
			if s != nil {
				return env.printSetting(cmd.Context(), o, s, &away, noNewline, reveal)
			}
			if away.offline || away.most > 0 {
				return usagef("--offline and --max-age are for settings of a project; %s is a path", args[0])
			}
			a, err := env.connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			t, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r, err := a.read(cmd, t, version)
			if err != nil {
				return err
			}
			return env.printReading(o, t, r, field, reveal, noNewline)
		},
	}
	away.add(c, "get")
	f := c.Flags()
	f.StringVar(&field, "field", "", "print only this member of the map")
	f.StringVarP(&envName, "env", "e", "", "environment of a setting (default: the project's)")
	f.StringVar(&version, "version", "", "a version's number")
	f.BoolVarP(&noNewline, "no-newline", "n", false, "end the output of --field without a newline")
	f.BoolVar(&reveal, "reveal", false, "with --json: print the values too")
	return c
}

// read asks for a version of a secret; of a Space without versions the answer is the map itself.
func (a *api) read(cmd *cobra.Command, t target, version string) (r reading, err error) {
	if err := t.needPath(); err != nil {
		return r, err
	}
	path := t.url("data")
	if version != "" {
		if err := t.needVersions("choose from"); err != nil {
			return r, err
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(version, "v"), 10, 63)
		if err != nil {
			return r, usagef("--version %q is no number", version)
		}
		path += "?version=" + url.QueryEscape(strconv.FormatUint(n, 10))
	}
	if !t.versioned {
		err = a.call(cmd.Context(), http.MethodGet, path, nil, &r.Data)
	} else {
		err = a.call(cmd.Context(), http.MethodGet, path, nil, &r)
	}
	return r, explain(err, "cannot read "+t.String())
}

func (env Env) printReading(o *options, t target, r reading, field string, reveal, noNewline bool) error {
	if field != "" {
		raw, ok := r.Data[field]
		if !ok {
			return failf(exitNotFound, "%s has no field %q", t, field).withHint("it has: %s", strings.Join(sortedKeys(r.Data), ", "))
		}
		text := plain(raw)
		if !noNewline {
			text += "\n"
		}
		return env.print(text)
	}
	if o.json {
		out := map[string]any{"space": t.space, "path": t.path, "fields": sortedKeys(r.Data)}
		if t.versioned {
			out["version"], out["created"] = r.Metadata.Version, r.Metadata.Created
		}
		if reveal {
			out["data"] = r.Data
		}
		return env.printJSON(out)
	}
	b, err := json.MarshalIndent(r.Data, "", "  ")
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	return env.print(string(b) + "\n")
}

// plain is a string's text, and any other JSON as it is written.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
