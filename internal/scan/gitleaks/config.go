// Package gitleaks reads the configuration of gitleaks and betterleaks and applies it: their rules run on our engine,
// their allowlists drop what they would have dropped.
package gitleaks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"github.com/keephold/keephold/internal/leak"
)

// File is a configuration file as it is written. Keys are matched in any case.
type File struct {
	Title      string
	MinVersion string
	Extend     struct {
		Path          string
		URL           string
		UseDefault    bool
		DisabledRules []string
	}
	Rules      []Rule
	Allowlist  *Allow
	Allowlists []*Allow
}

// Rule is one of its rules.
type Rule struct {
	ID          string
	Description string
	Regex       string
	Path        string
	SecretGroup int
	Entropy     float64
	Keywords    []string
	Tags        []string
	SkipReport  bool
	Required    []Required
	Allowlist   *Allow
	Allowlists  []*Allow
}

// Required is a rule that must match near by.
type Required struct {
	ID            string
	WithinLines   *int
	WithinColumns *int
}

// Allow is an allowlist.
type Allow struct {
	Description string
	Condition   string
	Commits     []string
	Paths       []string
	RegexTarget string
	Regexes     []string
	Stopwords   []string
	TargetRules []string

	paths, regexes []*regexp.Regexp
	all            bool // AND
}

// maxExtend is how many files one may extend another.
const maxExtend = 2

// Load reads a file and what it extends.
func Load(name string) (*Set, error) {
	f, err := read(name, 0)
	if err != nil {
		return nil, err
	}
	return f.compile(name)
}

// Parse reads a configuration from text, as GITLEAKS_CONFIG_TOML holds it.
func Parse(text string) (*Set, error) {
	const name = "configuration"
	f, err := parse(name, []byte(text))
	if err == nil {
		err = f.extend(name, 0)
	}
	if err != nil {
		return nil, err
	}
	return f.compile(name)
}

// Default is what runs without a configuration: our own rules.
func Default() (*Set, error) {
	var f File
	f.Extend.UseDefault = true
	return f.compile("default")
}

func read(name string, depth int) (*File, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := parse(name, b)
	if err != nil {
		return nil, err
	}
	return f, f.extend(name, depth)
}

func parse(name string, b []byte) (*File, error) {
	f := new(File)
	if err := toml.Unmarshal(b, f); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, column := at.Position()
			return nil, fmt.Errorf("%s:%d:%d: %w", name, row, column, err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// extend merges the file that f builds on.
func (f *File) extend(name string, depth int) error {
	switch {
	case f.Extend.Path != "" && f.Extend.UseDefault:
		return fmt.Errorf("%s: extend: path and useDefault exclude each other; leave one out", name)
	case f.Extend.URL != "":
		return fmt.Errorf("%s: extend: an url is not supported; download it and use path", name)
	case f.Extend.Path == "":
		return nil
	case depth >= maxExtend:
		return nil // deeper files are not read, as with the peer
	}
	path := f.Extend.Path
	if _, err := os.Stat(path); err != nil && !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(name), path)
	}
	base, err := read(path, depth+1)
	if err != nil {
		return fmt.Errorf("%s: extend: %w", name, err)
	}
	f.merge(base)
	return nil
}

// merge takes over what f does not say itself. For the same id, what f says wins; lists are joined.
func (f *File) merge(base *File) {
	mine := map[string]int{}
	for i, r := range f.Rules {
		mine[r.ID] = i
	}
	for _, b := range base.Rules {
		if slices.Contains(f.Extend.DisabledRules, b.ID) {
			continue
		}
		i, ok := mine[b.ID]
		if !ok {
			f.Rules = append(f.Rules, b)
			continue
		}
		r := &f.Rules[i]
		r.Description, r.Regex, r.Path = or(r.Description, b.Description), or(r.Regex, b.Regex), or(r.Path, b.Path)
		r.Entropy, r.SecretGroup = or(r.Entropy, b.Entropy), or(r.SecretGroup, b.SecretGroup)
		r.Tags, r.Keywords = append(slices.Clone(b.Tags), r.Tags...), append(slices.Clone(b.Keywords), r.Keywords...)
		r.Allowlists = append(slices.Clone(b.allows()), r.allows()...)
		r.Allowlist = nil
	}
	f.Allowlists = append(f.Allowlists, base.Allowlists...)
	if base.Allowlist != nil {
		f.Allowlists = append(f.Allowlists, base.Allowlist)
	}
	f.Extend.UseDefault = f.Extend.UseDefault || base.Extend.UseDefault
}

func or[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

func (r *Rule) allows() []*Allow {
	if r.Allowlist != nil {
		return append(slices.Clone(r.Allowlists), r.Allowlist)
	}
	return r.Allowlists
}

// Set is a compiled configuration.
type Set struct {
	Finder  leak.Finder
	rules   map[string]*compiledRule
	global  []*Allow
	Warning []string

	name     string
	compiled []leak.Rule
	order    []string        // of the rules in the file
	named    []*compiledRule // that have a path alone
}

type compiledRule struct {
	Rule
	path   *regexp.Regexp
	alone  func() *regexp.Regexp // of the rule, for a match by itself
	allows []*Allow
}

func (f *File) compile(name string) (*Set, error) {
	s := &Set{rules: map[string]*compiledRule{}}
	var rules []leak.Rule
	if f.Extend.UseDefault {
		for _, r := range leak.Rules() {
			if !slices.Contains(f.Extend.DisabledRules, r.ID) {
				rules = append(rules, r)
			}
		}
	}
	for _, r := range f.Rules {
		if err := s.add(r, f.Extend.UseDefault); err != nil {
			return nil, fmt.Errorf("%s: rule %q: %w", name, r.ID, err)
		}
		if r.Regex == "" && r.Path == "" {
			continue // it adds allowlists to a built-in rule
		}
		if r.Regex == "" {
			s.named = append(s.named, s.rules[r.ID])
			continue
		}
		rules = slices.DeleteFunc(rules, func(x leak.Rule) bool { return x.ID == r.ID })
		var words []string
		for _, k := range r.Keywords {
			if k = strings.ToLower(k); k != "" && !slices.Contains(words, k) {
				words = append(words, k)
			}
		}
		rules = append(rules, leak.Rule{ID: r.ID, Description: r.Description, Regexp: r.Regex, Group: r.SecretGroup, MinEntropy: r.Entropy, Keywords: words, Confidence: leak.Medium})
	}
	all := slices.Clone(f.Allowlists)
	if f.Allowlist != nil {
		if len(f.Allowlists) > 0 {
			return nil, fmt.Errorf("%s: [allowlist] and [[allowlists]] exclude each other; use the second", name)
		}
		all = append(all, f.Allowlist)
	}
	for _, a := range all {
		if err := s.allow(a); err != nil {
			return nil, fmt.Errorf("%s: allowlist %q: %w", name, a.Description, err)
		}
	}
	for _, r := range f.Rules {
		for _, q := range r.Required {
			if s.rules[q.ID] == nil {
				return nil, fmt.Errorf("%s: rule %q requires %q, which is not there", name, r.ID, q.ID)
			}
		}
	}
	s.name, s.compiled = name, rules
	for _, r := range f.Rules {
		s.order = append(s.order, r.ID)
	}
	return s, s.DecodeDepth(DefaultDecodeDepth)
}

// DefaultDecodeDepth is how many layers of encodings are undone unless it is told otherwise.
const DefaultDecodeDepth = 5

// DecodeDepth sets how many layers of encodings the Finder undoes.
func (s *Set) DecodeDepth(n int) error {
	engine, err := leak.CompileOptions(s.compiled, leak.Options{DecodeDepth: max(n, 0), All: true})
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.Finder = engine
	return nil
}

func (s *Set) add(r Rule, extends bool) error {
	switch {
	case r.ID == "":
		return errors.New("it has no id")
	case s.rules[r.ID] != nil:
		return errors.New("the id is there twice")
	case r.Regex == "" && r.Path == "" && !extends:
		return errors.New("it has neither regex nor path")
	}
	c := &compiledRule{Rule: r, allows: r.allows()}
	var err error
	if r.Path != "" {
		if c.path, err = regexp.Compile(r.Path); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	for _, a := range c.allows {
		if err := a.compile(); err != nil {
			return fmt.Errorf("allowlist: %w", err)
		}
	}
	if r.Regex != "" {
		c.alone = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(r.Regex) }) // it was compiled for the engine
	}
	s.rules[r.ID] = c
	return nil
}

// allow adds a global allowlist, or one for the rules it names.
func (s *Set) allow(a *Allow) error {
	if err := a.compile(); err != nil {
		return err
	}
	if len(a.TargetRules) == 0 {
		s.global = append(s.global, a)
		return nil
	}
	for _, id := range a.TargetRules {
		r := s.rules[id]
		if r == nil {
			return fmt.Errorf("target rule %q is not there", id)
		}
		r.allows = append(r.allows, a)
	}
	return nil
}

func (a *Allow) compile() error {
	if len(a.Commits)+len(a.Paths)+len(a.Regexes)+len(a.Stopwords) == 0 {
		return errors.New("it is empty; give commits, paths, regexes or stopwords")
	}
	switch strings.ToUpper(a.Condition) {
	case "", "OR", "||":
	case "AND", "&&":
		a.all = true
	default:
		return fmt.Errorf("unknown condition %q; OR or AND", a.Condition)
	}
	switch a.RegexTarget {
	case "", "secret", "match", "line":
	default:
		return fmt.Errorf("unknown regexTarget %q; secret, match or line", a.RegexTarget)
	}
	for _, list := range []struct {
		from []string
		to   *[]*regexp.Regexp
	}{{a.Paths, &a.paths}, {a.Regexes, &a.regexes}} {
		*list.to = nil
		for _, x := range list.from {
			re, err := regexp.Compile(x)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, re)
		}
	}
	return nil
}

// Rules lists the file's own rules in its order.
func (s *Set) Rules() []Rule {
	var out []Rule
	for _, id := range s.order {
		out = append(out, s.rules[id].Rule)
	}
	return out
}
