package policy

import "strings"

// index finds the entries whose patterns match a name. Each kind of pattern has the structure that answers it in time bounded by the name:
// literals a map, prefixes a radix tree, segment patterns a trie of segments. Only globs are tried one by one; Vault policies have none.
type index struct {
	literals map[string]*entry
	names    radix // the literals again, for questions about what lies below a prefix
	prefixes radix
	segments *segment // nil when there are none
	globs    []*entry
	all      []*entry
	known    map[Pattern]*entry // of all; nil once nothing more is inserted
}

// segment is a node of the trie: the segments from the root to it spell the beginning of some segment patterns.
type segment struct {
	kids map[string]*segment
	plus *segment // the "+" child
	end  *entry   // the pattern ends with this node's segment
	tail *radix   // patterns that end in "*": what the next segment (and all after it) must begin with
}

func newIndex() *index {
	return &index{literals: map[string]*entry{}, known: map[Pattern]*entry{}}
}

func (x *index) insert(p Pattern, e *entry) {
	x.known[p] = e
	x.all = append(x.all, e)
	switch p.kind {
	case KindLiteral:
		x.literals[p.text] = e
		x.names.insert(p.text, e)
	case KindPrefix:
		x.prefixes.insert(p.text, e)
	case KindSegment:
		x.insertSegments(p, e)
	case KindGlob:
		x.globs = append(x.globs, e)
	}
}

func (x *index) insertSegments(p Pattern, e *entry) {
	if x.segments == nil {
		x.segments = &segment{}
	}
	n, text := x.segments, p.text
	for i := 0; ; i++ {
		piece, rest, more := strings.Cut(text, "/")
		if !more && p.prefix {
			if n.tail == nil {
				n.tail = &radix{}
			}
			n.tail.insert(piece, e)
			return
		}
		n = n.child(piece, i < maxSegment && p.plus&(1<<i) != 0)
		if !more {
			n.end = e
			return
		}
		text = rest
	}
}

func (n *segment) child(piece string, wild bool) *segment {
	if wild {
		if n.plus == nil {
			n.plus = &segment{}
		}
		return n.plus
	}
	k := n.kids[piece]
	if k == nil {
		if n.kids == nil {
			n.kids = map[string]*segment{}
		}
		k = &segment{}
		n.kids[piece] = k
	}
	return k
}

// close forgets what only inserting needs.
func (x *index) close() {
	if x != nil {
		x.known = nil
	}
}

// size is about how many bytes the index holds, as a heap profile has them. Rules and the texts of patterns belong to the policies.
func (x *index) size() int {
	if x == nil {
		return 0
	}
	sum := 200 + x.names.size() + x.prefixes.size() + 8*len(x.globs)
	for _, e := range x.all {
		sum += 210 + 8*len(e.rules) // an entry and its place among the literals
	}
	return sum + x.segments.size()
}

func (n *segment) size() int {
	if n == nil {
		return 0
	}
	sum := 32 + n.plus.size()
	if n.tail != nil {
		sum += radixSize + n.tail.size()
	}
	if len(n.kids) > 0 {
		sum += 300
	}
	for _, k := range n.kids {
		sum += k.size()
	}
	return sum
}

// best is the highest-ranking entry that is not a literal and matches name, or nil.
func (x *index) best(name string) *entry {
	best := x.prefixes.longest(name)
	if x.segments != nil {
		best = x.segments.best(name, best)
	}
	for _, e := range x.globs {
		if (best == nil || e.rank.above(&best.rank)) && e.pattern.Matches(name) {
			best = e
		}
	}
	return best
}

// best is the better of best and the trie's best. It walks the literal spelling down first, then turns off at the deepest "+", because the pattern
// whose first wildcard stands latest wins: a turn that finds something ends the search.
func (n *segment) best(name string, best *entry) *entry {
	type turn struct {
		at   *segment
		rest string // the name from the segment that "+" would stand for
	}
	var stack [maxSegment]turn // a "+" deeper than this is refused by ParsePattern
	turns, rest, more := 0, name, true
	for n != nil && more {
		if n.plus != nil {
			stack[turns] = turn{n.plus, rest}
			turns++
		}
		var piece string
		piece, rest, more = strings.Cut(rest, "/")
		n = n.kids[piece]
	}
	for turns > 0 {
		turns--
		t := stack[turns]
		if best != nil && best.rank.first > len(name)-len(t.rest) {
			return best
		}
		var found *entry
		_, after, more := strings.Cut(t.rest, "/")
		t.at.search(after, more, &found)
		if found != nil {
			if best == nil || found.rank.above(&best.rank) {
				return found
			}
			return best
		}
	}
	return best
}

// search looks below a node whose own segment has matched; name is what follows it, more whether anything does (a name ending in a slash has one
// more, empty segment). It visits only nodes that agree with the name, at most those of the patterns that share this turn.
func (n *segment) search(name string, more bool, best **entry) {
	consider := func(e *entry) {
		if e != nil && (*best == nil || e.rank.above(&(*best).rank)) {
			*best = e
		}
	}
	if !more {
		consider(n.end)
		return
	}
	if n.tail != nil {
		consider(n.tail.longest(name))
	}
	piece, rest, more := strings.Cut(name, "/")
	if k := n.kids[piece]; k != nil {
		k.search(rest, more, best)
	}
	if n.plus != nil {
		n.plus.search(rest, more, best)
	}
}

// each calls yield for every entry that matches name, in no order.
func (x *index) each(name string, yield func(*entry)) {
	if e := x.literals[name]; e != nil {
		yield(e)
	}
	x.prefixes.each(name, yield)
	if x.segments != nil {
		x.segments.each(name, true, yield)
	}
	for _, e := range x.globs {
		if e.pattern.Matches(name) {
			yield(e)
		}
	}
}

func (n *segment) each(name string, more bool, yield func(*entry)) {
	if !more {
		if n.end != nil {
			yield(n.end)
		}
		return
	}
	if n.tail != nil {
		n.tail.each(name, yield)
	}
	piece, rest, more := strings.Cut(name, "/")
	if k := n.kids[piece]; k != nil {
		k.each(rest, more, yield)
	}
	if n.plus != nil {
		n.plus.each(rest, more, yield)
	}
}

// below reports whether an entry that ok accepts could match some name that begins with prefix. For globs it answers by their literal beginning,
// so it may say yes too often, never no.
func (x *index) below(prefix string, ok func(*entry) bool) bool {
	if e := x.prefixes.longest(prefix); e != nil && ok(e) {
		return true
	}
	if x.names.below(prefix, ok) || x.prefixes.below(prefix, ok) {
		return true
	}
	if x.segments != nil && x.segments.below(prefix, ok) {
		return true
	}
	for _, e := range x.globs {
		head := e.pattern.text[:min(e.rank.first, len(e.pattern.text))]
		if ok(e) && (strings.HasPrefix(head, prefix) || strings.HasPrefix(prefix, head)) {
			return true
		}
	}
	return false
}

func (n *segment) below(prefix string, ok func(*entry) bool) bool {
	piece, rest, more := strings.Cut(prefix, "/")
	if !more {
		return n.begins(piece, ok)
	}
	if n.tail != nil {
		// Its keys hold no slash, so none of them goes on where the prefix ends: one covers it or none does.
		if e := n.tail.longest(prefix); e != nil && ok(e) {
			return true
		}
	}
	if k := n.kids[piece]; k != nil && k.below(rest, ok) {
		return true
	}
	return n.plus != nil && n.plus.below(rest, ok)
}

// begins is below for the last, perhaps unfinished, segment of a prefix.
func (n *segment) begins(piece string, ok func(*entry) bool) bool {
	if n.tail != nil {
		if e := n.tail.longest(piece); e != nil && ok(e) {
			return true
		}
		if n.tail.below(piece, ok) {
			return true
		}
	}
	for text, k := range n.kids {
		if strings.HasPrefix(text, piece) && k.any(ok) {
			return true
		}
	}
	return n.plus != nil && n.plus.any(ok)
}

func (n *segment) any(ok func(*entry) bool) bool {
	if n.end != nil && ok(n.end) || n.tail != nil && n.tail.any(ok) {
		return true
	}
	for _, k := range n.kids {
		if k.any(ok) {
			return true
		}
	}
	return n.plus != nil && n.plus.any(ok)
}
