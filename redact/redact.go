// Package redact keeps secrets out of text: logs, the output of child processes, whatever is written.
//
// [New] takes the secrets that must not appear and returns a [Redactor]. Its [Redactor.Writer] masks a stream,
// [Redactor.Handler] a [log/slog.Handler], [Redactor.String] a single text. Each secret is found in every form it is
// likely to be written in (lines, JSON, Go, Python, shell, URL, XML, hex, base64 at any alignment), however the stream
// is cut into writes. Besides, whatever is assigned to a name such as password, token or api_key is masked, known or not.
//
// What is promised: no form of a secret appears in the output, whatever the chunking; bytes outside of what is masked
// are unchanged and in order; nothing is held back except what could still grow into a secret, and no timer ever prints
// that. What is not: values shorter than six bytes or common words cannot be masked by value ([New] returns them);
// a secret that a program encrypts, compresses or splits into several log lines with other text between is not seen.
//
// The package follows semantic versioning and depends on the standard library only.
package redact

import (
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/keephold/keephold/internal/leak"
)

// A Secret is a value to be masked and the name to show in its place.
type Secret struct {
	Name  string
	Value string
}

// Options change what a Redactor does. The zero value is what most programs want.
type Options struct {
	Mask      func(name string) string // what to print for a secret; nil means •••NAME•••
	ValueOnly bool                     // mask stored values only, not what is assigned to names such as password
	Names     []string                 // further names whose values are masked, such as "session" or "pin"
	Patterns  bool                     // also mask unknown tokens that the leak rules recognise; text is then held back to line ends
	Rules     []Rule                   // patterns of one's own; text is then held back to line ends too
}

// A Rule masks what matches an expression within a line.
type Rule struct {
	Match   *regexp.Regexp
	Replace string // $1 stands for what the first group matched; "" is the mask of "pattern"
}

// A Refusal is a secret that cannot be masked by value, and why.
type Refusal struct{ Name, Why string }

// A Redactor masks secrets. It is safe for concurrent use.
type Redactor struct {
	opts  Options
	rules leak.Finder
	set   atomic.Pointer[leak.KnownValues]

	mu     sync.Mutex
	counts map[string]int // guarded by mu
	secret []Secret       // guarded by mu: what set was made of
}

// New prepares a redactor and returns the secrets that it cannot mask by value.
func New(secrets []Secret, opts Options) (*Redactor, []Refusal) {
	r := &Redactor{opts: opts, counts: map[string]int{}}
	if opts.Mask == nil {
		r.opts.Mask = defaultMask
	}
	if opts.Patterns {
		// The built-in rules compile; a test of their package says so.
		if e, err := leak.Compile(leak.Rules()); err == nil {
			r.rules = e
		}
	}
	return r, r.Swap(secrets)
}

// Swap replaces the secrets, for writers in use as well. To keep an old value masked for a time of grace, pass it too.
func (r *Redactor) Swap(secrets []Secret) []Refusal {
	values := make([]leak.Known, len(secrets))
	for i, s := range secrets {
		values[i] = leak.Known{Name: s.Name, Value: []byte(s.Value)}
	}
	known, refused := leak.NewKnownValues(values)
	r.mu.Lock()
	r.secret = secrets
	r.set.Store(known)
	r.mu.Unlock()
	var out []Refusal
	for _, x := range refused {
		out = append(out, Refusal(x))
	}
	return out
}

// defaultMask shows the name and nothing of the value. Only characters that need no quoting anywhere are kept.
func defaultMask(name string) string {
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/' || c == '@' {
			b = append(b, c)
		} else {
			b = append(b, '_')
		}
	}
	return "•••" + string(b) + "•••"
}

// mask counts the find and returns what to print.
func (r *Redactor) mask(name string) string {
	r.mu.Lock()
	r.counts[name]++
	r.mu.Unlock()
	return r.opts.Mask(name)
}

// Counts returns how often each name was masked so far.
func (r *Redactor) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]int, len(r.counts))
	for k, v := range r.counts {
		out[k] = v
	}
	return out
}

// String returns s with its secrets masked.
func (r *Redactor) String(s string) string { return string(r.Bytes([]byte(s))) }

// Bytes returns a copy of b with its secrets masked.
func (r *Redactor) Bytes(b []byte) []byte {
	var out sink
	w := r.Writer(&out)
	_, _ = w.Write(b) // a sink takes everything
	_ = w.Close()
	return out
}

type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}
