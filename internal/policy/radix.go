package policy

import (
	"bytes"
	"strings"
)

const radixSize = 72 // of the struct

// radix maps byte strings to entries and finds the longest one that begins a name, in time bounded by the name's length.
type radix struct {
	label  string
	entry  *entry // nil on inner nodes
	kids   []radix
	firsts []byte // of the kids' labels, in their order: one search of a few bytes finds the kid
}

func (n *radix) kid(b byte) *radix {
	i := bytes.IndexByte(n.firsts, b)
	if i < 0 {
		return nil
	}
	return &n.kids[i]
}

func (n *radix) add(kid radix) {
	n.kids = append(n.kids, kid)
	n.firsts = append(n.firsts, kid.label[0])
}

// size is how many bytes hang on n.
func (n *radix) size() int {
	sum := len(n.firsts) + cap(n.kids)*radixSize
	for i := range n.kids {
		sum += n.kids[i].size()
	}
	return sum
}

// insert puts e under key. It replaces nothing: callers insert each key once.
func (n *radix) insert(key string, e *entry) {
	for {
		if key == "" {
			n.entry = e
			return
		}
		k := n.kid(key[0])
		if k == nil {
			n.add(radix{label: key, entry: e})
			return
		}
		same := commonPrefix(k.label, key)
		if same < len(k.label) { // split the edge
			lower := *k
			lower.label = k.label[same:]
			*k = radix{label: k.label[:same]}
			k.add(lower)
		}
		n, key = k, key[same:]
	}
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// longest is the entry of the longest key that begins name.
func (n *radix) longest(name string) *entry {
	best := n.entry
	for name != "" {
		k := n.kid(name[0])
		if k == nil || !strings.HasPrefix(name, k.label) {
			return best
		}
		n, name = k, name[len(k.label):]
		if n.entry != nil {
			best = n.entry
		}
	}
	return best
}

// each calls yield for every key that begins name, shortest first.
func (n *radix) each(name string, yield func(*entry)) {
	for {
		if n.entry != nil {
			yield(n.entry)
		}
		if name == "" {
			return
		}
		k := n.kid(name[0])
		if k == nil || !strings.HasPrefix(name, k.label) {
			return
		}
		n, name = k, name[len(k.label):]
	}
}

// below reports whether some key that begins with prefix has an entry that ok accepts.
func (n *radix) below(prefix string, ok func(*entry) bool) bool {
	for prefix != "" {
		k := n.kid(prefix[0])
		if k == nil {
			return false
		}
		same := commonPrefix(k.label, prefix)
		if same < len(k.label) && same < len(prefix) {
			return false
		}
		n, prefix = k, prefix[same:]
	}
	return n.any(ok)
}

func (n *radix) any(ok func(*entry) bool) bool {
	if n.entry != nil && ok(n.entry) {
		return true
	}
	for i := range n.kids {
		if n.kids[i].any(ok) {
			return true
		}
	}
	return false
}
