// Package detectsecrets is the command line of detect-secrets: scan, audit and the hook, with its plugins by name, its
// filters, and its baselines, which either tool can read and write.
//
// The rules are ours, written from the vendors' formats, and named as the peer's plugins are. No vendor is ever asked
// whether a secret is live: everything is reported as "unverified", and --only-verified reports nothing. Plugins and
// filters that are Python programs do not run; a plugin is an error, a filter a warning.
//
// The peer sees no files when it runs in a sub-directory of a repository; this does.
package detectsecrets

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tool is one call of the command.
type Tool struct {
	Dir            string // where it runs; empty means the current directory
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Terminal       bool // stdout is a terminal that can be cleared

	args args
	in   *bufio.Reader
}

// args is a command line, read.
type args struct {
	root     string
	baseline string
	paths    []string
	set      map[string]bool // flags without a value
	text     map[string][]string
	loaded   object
	version  string
	old      collection
}

type status int

func (s status) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// usageError is a command line that the parser refuses; exit code 2, as with the peer.
type usageError struct{ prog, why string }

func (e *usageError) Error() string { return e.prog + ": error: " + e.why }

// Run runs detect-secrets.
func (t *Tool) Run(ctx context.Context, argv []string) int { return t.end(t.main(ctx, argv)) }

// RunHook runs detect-secrets-hook.
func (t *Tool) RunHook(ctx context.Context, argv []string) int { return t.end(t.hook(ctx, argv)) }

func (t *Tool) end(err error) int {
	var s status
	var u *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	case errors.As(err, &u):
		fmt.Fprintf(t.Stderr, "usage: %s [-h]\n%v\n", u.prog, u)
		return 2
	}
	fmt.Fprintf(t.Stderr, "error: %v\n", err)
	return 1
}

func (t *Tool) warn(format string, a ...any) {
	fmt.Fprintf(t.Stderr, "[scan]\tWARNING\t"+format+"\n", a...)
}

func (t *Tool) print(text string) error {
	_, err := io.WriteString(t.Stdout, text+"\n")
	return err
}

func (t *Tool) dir() string { return cmp.Or(t.Dir, ".") }

func (t *Tool) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(t.dir(), filepath.FromSlash(name))
}

// flag says what follows an option.
type flag uint8

const (
	plain    flag = iota // nothing
	valued               // one value
	optional             // a value unless an option comes next
)

// globalFlags stand before the command; the hook takes them anywhere.
func globalFlags() map[string]flag {
	return map[string]flag{"-h": plain, "--help": plain, "-v": plain, "--verbose": plain, "--version": plain, "-C": valued, "-c": valued, "--cores": valued}
}

func ruleFlags() map[string]flag {
	return map[string]flag{
		"-h": plain, "--help": plain, "--list-all-plugins": plain, "-p": valued, "--plugin": valued, "--base64-limit": optional, "--hex-limit": optional, "--disable-plugin": valued, "-n": plain, "--no-verify": plain, "--only-verified": plain,
		"--exclude-lines": valued, "--exclude-files": valued, "--exclude-secrets": valued, "--word-list": valued, "-f": valued, "--filter": valued, "--disable-filter": valued, "--baseline": valued,
	}
}

func with(base map[string]flag, more map[string]flag) map[string]flag {
	for k, v := range more {
		base[k] = v
	}
	return base
}

// parse reads options and arguments in any order. Long options may be cut short; -x and --long names of one option are
// known by the long one.
func (a *args) parse(prog string, argv []string, known map[string]flag) error {
	long := map[string]string{"-h": "--help", "-v": "--verbose", "-p": "--plugin", "-n": "--no-verify", "-f": "--filter", "-c": "--cores"}
	for i := 0; i < len(argv); i++ {
		word := argv[i]
		if word == "--" {
			a.paths = append(a.paths, argv[i+1:]...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			a.paths = append(a.paths, word)
			continue
		}
		name, value, joined := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "--") && len(word) > 2 {
			name, value, joined = word[:2], word[2:], true
		}
		kind, ok := known[name]
		if !ok {
			if name, kind, ok = abbreviated(name, known); !ok {
				return &usageError{prog, "unrecognized arguments: " + word}
			}
		}
		shown := name
		name = cmp.Or(long[name], name)
		switch {
		case kind == plain && joined:
			return &usageError{prog, fmt.Sprintf("argument %s: ignored explicit argument '%s'", shown, value)}
		case kind == plain:
			a.set[name] = true
			continue
		case joined:
		case i+1 < len(argv) && (len(argv[i+1]) == 0 || argv[i+1][0] != '-' || argv[i+1] == "-" || negative(argv[i+1])):
			i++
			value = argv[i]
		case kind == valued:
			return &usageError{prog, fmt.Sprintf("argument %s: expected 1 argument", shown)}
		default:
			a.set[name] = true
			continue
		}
		a.text[name] = append(a.text[name], value)
	}
	return nil
}

func negative(word string) bool {
	_, err := strconv.ParseFloat(word, 64)
	return err == nil
}

func abbreviated(name string, known map[string]flag) (string, flag, bool) {
	full := ""
	for k := range known {
		if strings.HasPrefix(name, "--") && strings.HasPrefix(k, name) {
			if full != "" {
				return "", 0, false
			}
			full = k
		}
	}
	return full, known[full], full != ""
}

func (a *args) last(name string) (string, bool) {
	v := a.text[name]
	if len(v) == 0 {
		return "", false
	}
	return v[len(v)-1], true
}

func (t *Tool) main(ctx context.Context, argv []string) error {
	const prog = "detect-secrets"
	t.args = args{set: map[string]bool{}, text: map[string][]string{}}
	if len(argv) == 0 {
		return t.print(help)
	}
	k := 0
	for k < len(argv) && strings.HasPrefix(argv[k], "-") {
		if argv[k] == "-C" || argv[k] == "-c" || argv[k] == "--cores" {
			k++
		}
		k++
	}
	k = min(k, len(argv))
	if err := t.args.parse(prog, argv[:k], globalFlags()); err != nil {
		return err
	}
	switch {
	case t.args.set["--help"]:
		return t.print(help)
	case t.args.set["--version"]:
		return t.print(Version)
	case k == len(argv):
		fmt.Fprintln(t.Stderr, "usage: detect-secrets [-h] [-v] [--version] [-C <path>] [-c NUM_CORES]\n                      {scan,audit} ...")
		return errors.New("Unspecified action.") //nolint:staticcheck // the peer's words
	}
	if root, ok := t.args.last("-C"); ok {
		t.args.root = root
	}
	if n, ok := t.args.last("--cores"); ok {
		if _, err := strconv.Atoi(n); err != nil {
			return &usageError{prog, fmt.Sprintf("argument -c/--cores: invalid int value: '%s'", n)}
		}
	}
	switch action := argv[k]; action {
	case "scan":
		return t.scan(ctx, argv[k+1:])
	case "audit":
		return t.audit(argv[k+1:])
	default:
		return &usageError{prog, fmt.Sprintf("argument action: invalid choice: '%s' (choose from 'scan', 'audit')", action)}
	}
}

const help = `usage: detect-secrets [-h] [-v] [--version] [-C <path>] [-c NUM_CORES]
                      {scan,audit} ...

  scan    find secrets and print a baseline: [path...] [--all-files] [--baseline FILE] [--force-use-all-plugins] [--slim]
          [--string [STRING]] [--only-allowlisted] [--list-all-plugins] [--base64-limit N] [--hex-limit N]
          [--disable-plugin NAME] [-n | --only-verified] [--exclude-lines RE] [--exclude-files RE] [--exclude-secrets RE]
          [--word-list FILE] [--disable-filter NAME]
  audit   label the secrets of a baseline: FILE, or --diff OLD NEW, --stats [--json], --report [--only-real|--only-false]

detect-secrets-hook [--baseline FILE] [--json] files...   fails when a file holds a secret that the baseline does not`

// loadBaseline reads --baseline, if there is one, and makes the settings.
func (t *Tool) loadBaseline() (*settings, error) {
	name, ok := t.args.last("--baseline")
	if !ok {
		return defaultSettings(), nil
	}
	t.args.baseline = name
	var err error
	if t.args.loaded, t.args.version, err = readBaseline(t.path(name)); err != nil {
		return nil, err
	}
	if t.args.old, err = secretsOf(t.args.loaded); err != nil {
		return nil, err
	}
	return fromBaseline(t.args.loaded, name)
}

// configure applies the options of plugins and filters to the settings.
func (t *Tool) configure(prog string, s *settings) error {
	a := &t.args
	if len(a.text["--plugin"]) > 0 {
		return &usageError{prog, "argument -p/--plugin: plugins are Python programs, which cannot run here"}
	}
	for _, name := range a.text["--disable-plugin"] {
		if !slices.ContainsFunc(detectors(), func(d detector) bool { return d.name == name }) {
			return &usageError{prog, "argument --disable-plugin: Invalid plugin classname: " + name}
		}
		s.plugins = slices.DeleteFunc(s.plugins, func(o object) bool { return o.text("name") == name })
	}
	for _, l := range []struct{ option, plugin string }{{"--base64-limit", "Base64HighEntropyString"}, {"--hex-limit", "HexHighEntropyString"}} {
		v, ok := a.last(l.option)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(v, 64)
		switch {
		case err != nil:
			return &usageError{prog, fmt.Sprintf("argument %s: invalid minmax_type value: '%s'", l.option, v)}
		case f < 0 || f > 8:
			return &usageError{prog, fmt.Sprintf("argument %s: %s must be between 0.0 and 8.0", l.option, v)}
		case f != 0:
			s.setPlugin(l.plugin, "limit", float(f))
		}
	}
	for _, x := range []struct{ option, filter string }{{"--exclude-lines", filterLines}, {"--exclude-files", filterFiles}, {"--exclude-secrets", filterSecrets}} {
		if v := a.text[x.option]; len(v) > 0 {
			var patterns list
			for _, p := range v {
				patterns = append(patterns, p)
			}
			s.setFilter(object{{"path", x.filter}, {"pattern", patterns}})
		}
	}
	if name, ok := a.last("--word-list"); ok {
		_, sum, err := readWords(t.path(name), leastWord)
		if err != nil {
			return &usageError{prog, "argument --word-list: Invalid path: " + name}
		}
		s.setFilter(object{{"path", filterWords}, {"min_length", leastWord}, {"file_name", name}, {"file_hash", sum}})
	}
	if a.set["--no-verify"] && a.set["--only-verified"] {
		return &usageError{prog, "argument --only-verified: not allowed with argument -n/--no-verify"}
	}
	switch {
	case a.set["--no-verify"]:
		s.disable(filterVerified)
	case a.set["--only-verified"]:
		t.warn("no vendor is asked whether a secret is live, so that none is verified and none is reported")
		s.setFilter(object{{"path", filterVerified}, {"min_level", number("3")}})
	default:
		s.setFilter(object{{"path", filterVerified}, {"min_level", number("2")}})
	}
	for _, name := range a.text["--filter"] {
		if strings.Contains(name, "::") || !known(name) {
			return &usageError{prog, "argument -f/--filter: " + name + " is a Python function, which cannot run here"}
		}
		s.setFilter(object{{"path", name}})
	}
	for _, name := range a.text["--disable-filter"] {
		if !s.disable(name) {
			t.warn("Redundant --disable-filter %q", name)
		}
	}
	return nil
}

func (t *Tool) scan(ctx context.Context, argv []string) error {
	const prog = "detect-secrets scan"
	a := &t.args
	known := with(ruleFlags(), map[string]flag{"--string": optional, "--only-allowlisted": plain, "--all-files": plain, "--force-use-all-plugins": plain, "--slim": plain})
	if err := a.parse(prog, argv, known); err != nil {
		return err
	}
	if a.set["--help"] {
		return t.print(help)
	}
	if name, ok := a.last("--baseline"); ok {
		if info, err := os.Stat(t.path(name)); err != nil || !info.Mode().IsRegular() {
			return &usageError{prog, "argument --baseline: Invalid path: " + name}
		}
	}
	s, err := t.loadBaseline()
	if err != nil {
		return err
	}
	if a.baseline != "" && a.set["--force-use-all-plugins"] {
		s = defaultSettings() // the peer forgets the baseline's filters too
	}
	if err := t.configure(prog, s); err != nil {
		return err
	}
	if a.set["--list-all-plugins"] {
		var names []string
		for _, p := range s.plugins {
			names = append(names, p.text("name"))
		}
		return t.print(strings.Join(names, "\n"))
	}
	e, err := s.compile(t.warn)
	if err != nil {
		return err
	}
	if text, ok := a.last("--string"); ok || a.set["--string"] {
		if !ok {
			line, err := bufio.NewReader(t.Stdin).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			text = strings.TrimRight(line, "\r\n")
		}
		return t.print(e.describe(text))
	}
	return t.scanPaths(ctx, s, e)
}

// scanPaths makes a baseline, or brings one up to date.
func (t *Tool) scanPaths(ctx context.Context, s *settings, e *engine) error {
	a := &t.args
	root, paths := t.dir(), a.paths
	if a.root != "" {
		root = t.path(a.root)
		s.disable(filterInvalidFile)
	}
	if len(paths) == 0 {
		paths = []string{root}
	}
	files, err := t.listFiles(ctx, root, paths, a.set["--all-files"])
	if err != nil {
		return err
	}
	if a.set["--only-allowlisted"] {
		found := collection{}
		s.disable(filterAllowed)
		for _, f := range files {
			for _, x := range e.scanAllowed(f) {
				found.add(x)
			}
		}
		return t.print(encode(format(s, found, false, t.Now()), 2))
	}
	found, unread := e.scanAll(files)
	for _, name := range unread {
		t.warn("Unable to open file: %s", name)
	}
	if a.baseline == "" {
		return t.print(encode(format(s, found, a.set["--slim"], t.Now()), 2))
	}
	found.keep(a.old)
	return save(t.path(a.baseline), format(s, found, false, t.Now()))
}

// scanAllowed finds the secrets of the lines that a comment allows, and only of those.
func (e *engine) scanAllowed(f file) []*secret {
	if e.filters.skipFile(f.name) {
		return nil
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return nil
	}
	lines := plainView(universal(string(b)), f.name)
	rest := *e
	rest.filters.on = mapWithout(e.filters.on, filterAllowed)
	var out []*secret
	for i, line := range lines {
		line = trimRight(line)
		previous := ""
		if i > 0 {
			previous = trimRight(lines[i-1])
		}
		if !allowlisted(f.name, line, previous) {
			continue
		}
		for _, x := range rest.line(line, previous, f.name, false) {
			out = append(out, &secret{kind: x.detector.kind, file: f.name, hash: hash(x.value), line: i + 1})
		}
	}
	return out
}

func mapWithout(m map[string]bool, key string) map[string]bool {
	out := map[string]bool{}
	for k, v := range m {
		if k != key {
			out[k] = v
		}
	}
	return out
}

// describe says what each detector thinks of a string.
func (e *engine) describe(line string) string {
	verdicts := map[string]string{}
	if !e.filters.on[filterAllowed] || !allowlisted("adhoc-string-scan", line, "") {
		c := seen{file: typeOther, exclude: e.exclude}
		for i := range e.detectors {
			d := &e.detectors[i]
			for _, v := range d.values(line, c, true) {
				if !e.filters.skipSecret(v, line, d.rules) && !e.filters.verified {
					verdicts[d.name] = e.verdict(d, v)
				}
			}
		}
	}
	widest := 0
	var names []string
	for _, d := range e.detectors {
		widest = max(widest, len(d.name))
		names = append(names, d.name)
	}
	slices.Sort(names)
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%-*s: %s", widest, n, cmp.Or(verdicts[n], "False")))
	}
	return strings.Join(out, "\n")
}

func (e *engine) verdict(d *detector, v string) string {
	if d.measure == nil {
		if e.filters.on[filterVerified] {
			return "True  (unverified)"
		}
		return "True"
	}
	const places = 1000
	h := math.RoundToEven(d.measure(v)*places) / places
	if h < d.limit {
		return fmt.Sprintf("False (%s)", float(h))
	}
	return fmt.Sprintf("True  (%s)", float(h))
}
