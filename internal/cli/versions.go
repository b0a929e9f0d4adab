package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

func deleteCommand(env Env, o *options) *cobra.Command {
	c := versionsCommand(env, o, "delete", "delete the latest version, or those of --versions; undelete brings them back", false)
	all := c.Flags().Bool("all", false, "remove the secret with its whole history, for good")
	yes := c.Flags().Bool("yes", false, "do not ask")
	some := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if !*all {
			return some(cmd, args)
		}
		a, t, err := env.secretFor(cmd.Context(), o, args[0])
		if err != nil {
			return err
		}
		if err := t.needPath(); err != nil {
			return err
		}
		if err := env.confirm("remove "+t.String()+" with its whole history", *yes); err != nil {
			return err
		}
		if err := a.call(cmd.Context(), http.MethodDelete, t.url("metadata"), nil, nil); err != nil {
			return explain(err, "cannot remove "+t.String())
		}
		return env.did(o, t, "removed", nil)
	}
	return c
}

func undeleteCommand(env Env, o *options) *cobra.Command {
	return versionsCommand(env, o, "undelete", "make the latest version readable again, or those of --versions", false)
}

func destroyCommand(env Env, o *options) *cobra.Command {
	c := versionsCommand(env, o, "destroy", "destroy the bytes of versions for good", true)
	yes := c.Flags().Bool("yes", false, "do not ask")
	do := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := env.confirm("destroy versions of "+args[0]+" for good", *yes); err != nil {
			return err
		}
		return do(cmd, args)
	}
	return c
}

// versionsCommand is a command on numbered versions of a secret.
func versionsCommand(env Env, o *options, verb, short string, numbersNeeded bool) *cobra.Command {
	var numbers []uint
	c := &cobra.Command{
		Use:   verb + " NAME | ENV/NAME | SPACE/PATH",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, t, err := env.secretFor(cmd.Context(), o, args[0])
			if err != nil {
				return err
			}
			if err := t.needPath(); err != nil {
				return err
			}
			method, path := http.MethodPost, t.url(verb)
			var body any
			switch {
			case len(numbers) > 0:
				if err := t.needVersions(verb); err != nil {
					return err
				}
				body = map[string]any{"versions": numbers}
			case numbersNeeded:
				return usagef("which versions? give --versions").withHint("keephold history %s", t)
			case verb == "undelete":
				m, err := a.metadata(cmd, t)
				if err != nil {
					return err
				}
				body = map[string]any{"versions": []uint64{m.Current}}
			default:
				method, path = http.MethodDelete, t.url("data")
			}
			if err := a.call(cmd.Context(), method, path, body, nil); err != nil {
				return explain(err, "cannot "+verb+" "+t.String())
			}
			return env.did(o, t, map[string]string{"delete": "deleted", "undelete": "undeleted", "destroy": "destroyed"}[verb], numbers)
		},
	}
	c.Flags().UintSliceVar(&numbers, "versions", nil, "numbers of the versions")
	return c
}

func (env Env) did(o *options, t target, what string, numbers []uint) error {
	if o.json {
		return env.printJSON(map[string]any{"space": t.space, "path": t.path, "did": what, "versions": slices.Clone(numbers)})
	}
	if !o.quiet {
		env.talk("%s %s", what, t)
	}
	return nil
}

type versionInfo struct {
	Created   string `json:"created_time"`
	Deleted   string `json:"deletion_time"`
	Destroyed bool   `json:"destroyed"`
}

type metadata struct {
	Current     uint64                 `json:"current_version"`
	MaxVersions uint64                 `json:"max_versions"`
	Custom      map[string]string      `json:"custom_metadata"`
	Versions    map[string]versionInfo `json:"versions"`
}

func (a *api) metadata(cmd *cobra.Command, t target) (m metadata, err error) {
	if err := t.needPath(); err != nil {
		return m, err
	}
	if err := t.needVersions("look at"); err != nil {
		return m, err
	}
	err = a.call(cmd.Context(), http.MethodGet, t.url("metadata"), nil, &m)
	return m, explain(err, "cannot look at "+t.String())
}

func historyCommand(env Env, o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "history NAME | ENV/NAME | SPACE/PATH",
		Short: "list the versions of a secret, without their values",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, t, err := env.secretFor(cmd.Context(), o, args[0])
			if err != nil {
				return err
			}
			m, err := a.metadata(cmd, t)
			if err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"space": t.space, "path": t.path, "current": m.Current, "versions": m.Versions, "custom": m.Custom})
			}
			var rows [][]string
			for _, n := range m.numbers() {
				v := m.Versions[strconv.FormatUint(n, 10)]
				state := "enabled"
				switch {
				case v.Destroyed:
					state = "destroyed"
				case v.Deleted != "":
					state = "deleted"
				case n == m.Current:
					state = "current"
				}
				rows = append(rows, []string{strconv.FormatUint(n, 10), state, v.Created})
			}
			return env.table([]string{"VERSION", "STATE", "CREATED"}, rows)
		},
	}
}

// numbers are the versions, newest first.
func (m metadata) numbers() []uint64 {
	var ns []uint64
	for s := range m.Versions {
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	slices.Reverse(ns)
	return ns
}

func rollbackCommand(env Env, o *options) *cobra.Command {
	var to uint64
	c := &cobra.Command{
		Use:   "rollback NAME | ENV/NAME | SPACE/PATH --to N",
		Short: "store an older version again, as a new one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == 0 {
				return usagef("to which version? give --to")
			}
			a, t, err := env.secretFor(cmd.Context(), o, args[0])
			if err != nil {
				return err
			}
			m, err := a.metadata(cmd, t)
			if err != nil {
				return err
			}
			stored, err := a.restore(cmd.Context(), t, to, m.Current)
			if err != nil {
				return err
			}
			if o.json {
				return env.printJSON(map[string]any{"space": t.space, "path": t.path, "version": stored})
			}
			if !o.quiet {
				env.talk("stored %s version %d", t, stored)
				env.talk("undo: keephold rollback %s --to %d", args[0], m.Current)
			}
			return nil
		},
	}
	c.Flags().Uint64Var(&to, "to", 0, "number of the version to go back to")
	return c
}

// restore stores an older version again as what it was, a text or a map, unless somebody wrote since current.
func (a *api) restore(ctx context.Context, t target, version, current uint64) (uint64, error) {
	path := "keephold/value/" + escapePath(t.space+"/"+t.path)
	var old struct {
		Text        *string         `json:"text,omitempty"`
		Bytes       []byte          `json:"bytes,omitempty"`
		Map         json.RawMessage `json:"map,omitempty"`
		ContentType string          `json:"content_type,omitempty"`
		CAS         uint64          `json:"cas"`
	}
	if err := a.call(ctx, http.MethodGet, path+"?version="+strconv.FormatUint(version, 10), nil, &old); err != nil {
		return 0, explain(err, "cannot read "+t.String())
	}
	old.CAS = current
	var stored struct {
		Version uint64 `json:"version"`
	}
	err := a.call(ctx, http.MethodPut, path, old, &stored)
	return stored.Version, explain(err, "cannot store "+t.String())
}
