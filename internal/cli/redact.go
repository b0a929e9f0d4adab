package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/redact"
)

// redactOptions are the flags of redact.
type redactOptions struct {
	env, files []string
	names      []string
	inPlace    bool
	patterns   bool
	valueOnly  bool
	fail       bool
}

func redactCommand(env Env, o *options) *cobra.Command {
	r := new(redactOptions)
	c := &cobra.Command{
		Use:   "redact [FILE...]",
		Short: "mask secrets in a stream or in files",
		Args:  cobra.ArbitraryArgs,
		Long: "Mask secrets: the values that --env and --env-file name, in every form they may be written in; whatever is assigned to names such as password; tokens of known formats; and in a project what the patterns of [redact] in keephold.toml match.\n" +
			"Without files, stdin is copied to stdout.",
		Example: "  app 2>&1 | keephold redact --env-file .env\n  keephold redact --in-place build.log",
		RunE: func(_ *cobra.Command, args []string) error {
			red, err := env.redactor(o, r)
			if err != nil {
				return err
			}
			if err := env.redactAll(red, r, args); err != nil {
				return err
			}
			found := 0
			for _, n := range red.Counts() {
				found += n
			}
			if !o.quiet && found > 0 {
				env.talk("masked %s", plural(found, "secret"))
			}
			if r.fail && found > 0 {
				return silent(exitLeak)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&r.env, "env", nil, "mask the value of this environment variable")
	f.StringArrayVar(&r.files, "env-file", nil, "mask all values of this file of NAME=value lines")
	f.StringArrayVar(&r.names, "name", nil, "a further name whose values are masked")
	f.BoolVar(&r.inPlace, "in-place", false, "rewrite the files instead of printing them")
	f.BoolVar(&r.patterns, "patterns", true, "mask tokens of known formats too; text is then held back to line ends")
	f.BoolVar(&r.valueOnly, "values-only", false, "mask only known values and patterns, not what is assigned to telling names")
	f.BoolVar(&r.fail, "fail-on-leak", false, "exit with 79 when something was masked")
	return c
}

func (env Env) redactor(o *options, r *redactOptions) (*redact.Redactor, error) {
	var list []redact.Secret
	for _, name := range r.env {
		v := env.Getenv(name)
		if v == "" {
			return nil, usagef("the environment has no %s", name)
		}
		list = append(list, redact.Secret{Name: name, Value: v})
	}
	for _, file := range r.files {
		more, err := env.envFile(file)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	var rules []redact.Rule
	p, err := findProject()
	var f *fault
	switch {
	case err == nil:
		if rules, err = p.redactRules(); err != nil {
			return nil, err
		}
	case errors.As(err, &f) && f.code == exitNotFound: // no project is needed
	default:
		return nil, err
	}
	red, refused := redact.New(list, redact.Options{Patterns: r.patterns, ValueOnly: r.valueOnly, Names: r.names, Rules: rules})
	said := map[redact.Refusal]bool{}
	for _, x := range refused {
		if !o.quiet && !said[x] {
			said[x] = true
			env.talk("keephold: warning: %s cannot be masked by value: %s", x.Name, x.Why)
		}
	}
	return red, nil
}

// redactRules are the project's own patterns, of [redact] in keephold.toml.
func (p *project) redactRules() ([]redact.Rule, error) {
	var out []redact.Rule
	for _, own := range p.Redact {
		re, err := regexp.Compile("(?m)" + own.Match) // a line at a time, as the rest of the redactor
		if err != nil {
			return nil, failf(exitBadData, "%s: [redact] pattern: %w", projectFile, err)
		}
		out = append(out, redact.Rule{Match: re, Replace: own.Replace})
	}
	return out, nil
}

// envFile reads the values of a file as every parser of .env files would, with references resolved and as they are written: which
// one the program has nobody knows, and a value too many does no harm. A line that no parser takes is read as NAME=value.
func (env Env) envFile(name string) ([]redact.Secret, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, failf(exitIO, "cannot read the values: %w", err)
	}
	var out []redact.Secret
	add := func(key, value string) {
		if s := (redact.Secret{Name: key, Value: value}); value != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	lookup := func(name string) (string, bool) { v := env.Getenv(name); return v, v != "" }
	for _, d := range dotenv.Dialects() {
		f, _, err := dotenv.ParseLenient(d, b)
		if err != nil {
			continue // the others read it
		}
		for _, how := range []dotenv.Reading{{Literal: true}, {Env: lookup}} {
			vars, err := f.Values(how)
			if err != nil {
				continue
			}
			for _, v := range vars {
				add(v.Name, v.Value)
			}
		}
	}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		key = strings.TrimSpace(strings.TrimPrefix(key, "export "))
		if !ok || key == "" || key[0] == '#' || slices.ContainsFunc(out, func(s redact.Secret) bool { return s.Name == key }) {
			continue
		}
		add(key, strings.TrimSpace(value))
	}
	return out, nil
}

func (env Env) redactAll(red *redact.Redactor, r *redactOptions, args []string) error {
	if len(args) == 0 {
		if r.inPlace {
			return usagef("--in-place needs files")
		}
		return mask(red, env.Stdout, env.awake())
	}
	for _, name := range args {
		if err := env.redactFile(red, r, name); err != nil {
			return err
		}
	}
	return nil
}

func (env Env) redactFile(red *redact.Redactor, r *redactOptions, name string) error {
	if r.inPlace { // a link stays one: what it leads to is rewritten
		var err error
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return failf(exitIO, "cannot read: %w", err)
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		return failf(exitIO, "cannot read: %w", err)
	}
	if r.inPlace && !info.Mode().IsRegular() || info.IsDir() {
		return failf(exitBadData, "%s is no file", name).withHint("name the files, for example: find %s -name '*.log' -exec keephold redact --in-place {} +", filepath.Dir(name))
	}
	in, err := os.Open(name)
	if err != nil {
		return failf(exitIO, "cannot read: %w", err)
	}
	defer func() { _ = in.Close() }() // read only
	if !r.inPlace {
		return mask(red, env.Stdout, in)
	}
	out, err := os.CreateTemp(filepath.Dir(name), ".redact-*")
	if err != nil {
		return failf(exitCannotWrite, "cannot rewrite %s: %w", name, err)
	}
	defer func() { _ = os.Remove(out.Name()) }() // it is gone after the rename
	if err := mask(red, out, in); err != nil {
		_ = out.Close() // the first error counts
		return err
	}
	for _, step := range []func() error{func() error { return out.Chmod(info.Mode().Perm()) }, out.Sync, out.Close, func() error { return os.Rename(out.Name(), name) }} {
		if err := step(); err != nil {
			return failf(exitCannotWrite, "cannot rewrite %s: %w", name, err)
		}
	}
	return nil
}

// mask copies through the redactor.
func mask(red *redact.Redactor, to io.Writer, from io.Reader) error {
	w := red.Writer(to)
	_, err := io.Copy(w, from)
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return failf(exitIO, "cannot copy: %w", fmt.Errorf("redact: %w", err))
	}
	return nil
}
