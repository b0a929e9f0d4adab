package leak

import (
	"fmt"
	"iter"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// Options change what an Engine reports.
type Options struct {
	Threshold   int  // 0 means the usual one
	DecodeDepth int  // how many layers of base64, hex, percent and unicode escapes are undone
	All         bool // keep matches of different rules that overlap, as the peers do
	Identifiers bool // report names of accounts, buckets and the like as well
}

// DefaultDecodeDepth is what Compile uses.
const DefaultDecodeDepth = 2

// An Engine is a compiled set of rules. It implements [Finder].
type Engine struct {
	opts     Options
	auto     *automaton
	rules    []compiled
	triggers [][]trigger // by keyword id
	acts     [][]act     // by state of the automaton: what to try where a keyword ends
	always   []int       // regexp rules without a keyword
}

var _ Finder = (*Engine)(nil)

type compiled struct {
	Rule
	class  uint8 // which of two overlapping matches wins: the higher one
	prog   *program
	least  int // the fewest bytes of a match
	before int // of a user's expression: how far a match may reach before its keyword
	behind int
	re     *regexp.Regexp
	tail   func() *regexp.Regexp // what has to stand behind a keyword; nil is anything
	musts  []string              // what else has to stand near it
	common bool
}

const (
	classGeneric uint8 = iota
	classURL
	classVendor
	classToken
)

type trigger struct {
	rule   int
	kind   triggerKind
	width  [2]int
	follow *set // what may stand behind the keyword; nil is anything
}

// act is a trigger and the length of its keyword.
type act struct {
	trigger
	length int
}

type triggerKind uint8

const (
	onPattern triggerKind = iota
	onVendor
	onGeneric
	onURL
	onRegexp
	onEscape
)

// Compile checks and compiles the rules; an error names the rule. The built-in handling of assignments, addresses and
// encodings is part of every engine that holds the rules of [Rules].
func Compile(rules []Rule) (*Engine, error) {
	return CompileOptions(rules, Options{DecodeDepth: DefaultDecodeDepth})
}

// CompileOptions is Compile with options.
func CompileOptions(rules []Rule, opts Options) (*Engine, error) {
	if opts.Threshold == 0 {
		opts.Threshold = Threshold
	}
	e := &Engine{opts: opts, rules: make([]compiled, 0, len(rules)), triggers: make([][]trigger, 0, 2*len(rules))}
	ids := make(map[string]int, 2*len(rules))
	words := make([]string, 0, 2*len(rules))
	seen := make(map[string]bool, len(rules))
	on := func(word string, t trigger) {
		id, ok := ids[word]
		if !ok {
			id = len(words)
			ids[word] = id
			words = append(words, word)
			e.triggers = append(e.triggers, nil)
		}
		e.triggers[id] = append(e.triggers[id], t)
	}
	for _, r := range rules {
		if r.ID == "" || seen[r.ID] {
			return nil, fmt.Errorf("rule %q: an id must be there and be unique", r.ID)
		}
		seen[r.ID] = true
		if r.Identifier && !opts.Identifiers {
			continue
		}
		if err := e.compile(r, on); err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
	}
	if opts.DecodeDepth > 0 {
		for _, w := range escapeWords {
			on(w, trigger{kind: onEscape})
		}
	}
	var err error
	if e.auto, err = newAutomaton(words); err != nil {
		return nil, err
	}
	e.acts = make([][]act, len(e.auto.out))
	for state, ids := range e.auto.out {
		for _, id := range ids {
			for _, t := range e.triggers[id] {
				e.acts[state] = append(e.acts[state], act{t, e.auto.length[id]})
			}
		}
	}
	return e, nil
}

func (e *Engine) compile(r Rule, on func(string, trigger)) error {
	c := compiled{Rule: r, class: classToken}
	index := len(e.rules)
	if c.Confidence == 0 {
		c.Confidence = Medium
	}
	var err error
	switch {
	case r.Regexp != "":
		if c.re, err = regexp.Compile(r.Regexp); err != nil {
			return err
		}
		if c.before, c.behind, err = reach(r.Regexp, r.Keywords); err != nil {
			return err
		}
		if r.Group > c.re.NumSubexp() {
			return fmt.Errorf("group %d, but the expression has %d", r.Group, c.re.NumSubexp())
		}
		words := make([]string, len(r.Keywords))
		for i, k := range r.Keywords {
			words[i] = strings.ToLower(k)
			on(words[i], trigger{rule: index, kind: onRegexp})
		}
		if err = c.cheaper(words); err != nil {
			return err
		}
		if len(r.Keywords) == 0 {
			e.always = append(e.always, index)
		}
	case r.Pattern != "":
		if c.prog, err = compilePattern(r.Pattern, r.Fold); err != nil {
			return err
		}
		c.least = c.prog.shortest()
		words := r.Keywords
		if len(words) == 0 {
			for _, k := range c.prog.prefixes() {
				on(k, trigger{rule: index, kind: onPattern, follow: c.follow(k)})
				words = append(words, k)
			}
			if words != nil {
				break
			}
			if words = c.prog.literals(); words == nil {
				return fmt.Errorf("pattern %q has no literal of three bytes", r.Pattern)
			}
		}
		for _, k := range words {
			if c.prog.startsWith(k) {
				on(k, trigger{rule: index, kind: onPattern, follow: c.follow(k)})
				continue
			}
			if !c.prog.anchor(k) {
				return fmt.Errorf("keyword %q is not a literal at a bounded place in %q", k, r.Pattern)
			}
			on(k, trigger{rule: index, kind: onPattern, width: c.prog.width})
		}
	default:
		kind, follow := onVendor, vendorFollow()
		c.class = classVendor
		switch r.Assigned {
		case assignGeneric:
			kind, c.class, follow = onGeneric, classGeneric, genericFollow()
		case assignURL:
			kind, c.class, follow = onURL, classURL, nil
		case "":
		default:
			if c.prog, err = compilePattern(r.Assigned, r.Fold); err != nil {
				return err
			}
		}
		if len(r.Keywords) == 0 {
			return fmt.Errorf("no keywords")
		}
		for _, k := range r.Keywords {
			on(k, trigger{rule: index, kind: kind, follow: follow})
		}
	}
	c.common = r.Loose && c.class == classVendor
	e.rules = append(e.rules, c)
	return nil
}

// cheaper derives the conditions under which the expression is run at all.
func (c *compiled) cheaper(keywords []string) error {
	re, err := syntax.Parse(c.Regexp, syntax.Perl)
	if err != nil {
		return err
	}
	c.tail = sync.OnceValue(func() *regexp.Regexp { return tail(re, keywords) })
	for _, m := range musts(re) {
		if !slices.ContainsFunc(keywords, func(k string) bool { return strings.Contains(k, m) }) {
			c.musts = append(c.musts, m)
		}
	}
	return nil
}

// follow is what may stand behind a keyword that begins the pattern. It is anything where a token that does not fit counts
// as a miss.
func (c *compiled) follow(keyword string) *set {
	if c.unmistakable() && len(keyword) >= missLeast {
		return nil
	}
	return c.prog.follow(keyword)
}

// unmistakable reports a format of which a beginning alone says what was meant.
func (c *compiled) unmistakable() bool { return c.least >= 20 && c.Confidence >= High }

// Find implements [Finder].
func (e *Engine) Find(b []byte) iter.Seq[Match] {
	return func(yield func(Match) bool) {
		for _, m := range e.find(b, nil, 0) {
			if !yield(m) {
				return
			}
		}
	}
}

// FindIn is Find for a text of which only parts are new: keywords are looked for in the parts alone, and what stands
// round one may be anywhere in b. The parts are ordered and apart.
func (e *Engine) FindIn(b []byte, parts []Part) iter.Seq[Match] {
	return func(yield func(Match) bool) {
		for _, m := range e.find(b, parts, 0) {
			if !yield(m) {
				return
			}
		}
	}
}
