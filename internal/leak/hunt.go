package leak

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// found is a match with its class.
type found struct {
	Match
	class uint8
}

// hunt is the state of one walk.
type hunt struct {
	e       *Engine
	b       []byte
	depth   int
	from    int // where the part begins that is being walked
	got     []found
	windows map[int][][2]int
	misses  []miss
	last    int // end of the last generic name, to judge each name once
	escapes []int
	tally   tally // of the candidate that is being judged
	left    int   // steps that patterns may still take; a text that uses them up is an attack, and gets shorter looks
}

// miss is a place where a token's unmistakable prefix stands but the token does not fit: a cut or invented one.
type miss struct{ at, least int }

const missLeast = 4 // bytes of a token that fit before it counts as a miss

// find looks for keywords in parts of b, or in all of it when there are none.
func (e *Engine) find(b []byte, parts []Part, depth int) []Match {
	var whole [1]Part
	if parts == nil {
		whole[0].End = len(b)
		parts = whole[:]
	}
	h := &hunt{e: e, b: b, depth: depth, last: -1}
	for _, p := range parts {
		h.left += 200_000 + 8*(p.End-p.Start)
		h.from = p.Start
		e.auto.walk(b[p.Start:p.End], h.hit)
		for _, r := range e.always {
			h.regexp(r, p.Start, p.End)
		}
	}
	for r, w := range h.windows {
		h.merged(r, w)
	}
	if depth < e.opts.DecodeDepth {
		h.decode(parts)
	}
	h.doubt()
	return settle(h.got, e.opts.All)
}

// doubt drops what was found only by its name but begins like a token of a known format and is too short for it.
func (h *hunt) doubt() {
	if len(h.misses) == 0 {
		return
	}
	h.got = slices.DeleteFunc(h.got, func(m found) bool {
		if m.class == classToken {
			return false
		}
		for _, x := range h.misses {
			if x.at == m.SecretStart && m.SecretEnd-x.at <= x.least {
				return true
			}
		}
		return false
	})
}

func (h *hunt) hit(state uint16, end int) {
	e := h.e
	end += h.from
	acts := e.acts[state]
	for i := range acts {
		t := &acts[i]
		if t.follow != nil && end < len(h.b) && !t.follow.has(h.b[end]) {
			continue
		}
		start := end - t.length
		switch t.kind {
		case onPattern:
			h.pattern(&e.rules[t.rule], t.width, start)
		case onVendor:
			h.vendor(&e.rules[t.rule], start, end)
		case onGeneric:
			h.generic(&e.rules[t.rule], start, end)
		case onURL:
			h.address(&e.rules[t.rule], start, end)
		case onRegexp:
			h.window(t.rule, start, end)
		case onEscape:
			h.escapes = append(h.escapes, start)
		}
	}
}

// window notes where a user's expression has to be tried: round the keyword in b[start:end], if it can match there.
func (h *hunt) window(rule, start, end int) {
	r := &h.e.rules[rule]
	from, to := max(0, start-r.before), min(len(h.b), end+r.behind)
	if t := r.tail(); t != nil {
		found := t.FindIndex(h.b[end-1 : to])
		if found == nil {
			return
		}
		to = min(to, end-1+found[1]+slack)
	}
	if !holdsAll(h.b[from:to], r.musts) {
		return
	}
	if h.windows == nil {
		h.windows = map[int][][2]int{}
	}
	h.windows[rule] = append(h.windows[rule], [2]int{from, to})
}

// pattern tries a token rule whose keyword starts at i.
func (h *hunt) pattern(r *compiled, width [2]int, i int) {
	for start := max(0, i-width[1]); start <= i-width[0]; start++ {
		if !r.Loose && alnum(at(h.b, start-1)) && alnum(h.b[start]) && !escapeBefore(h.b, start) {
			continue
		}
		if r.Near != "" && !near(h.b, start, r.Near) {
			continue
		}
		end, from, to, ok := r.prog.match(h.b, start, &h.left)
		if !ok || to <= from {
			if end-start >= missLeast && width[1] == 0 && r.unmistakable() {
				h.misses = append(h.misses, miss{start, r.least})
			}
			continue
		}
		if !r.Loose && alnum(at(h.b, to)) && alnum(h.b[to-1]) {
			continue
		}
		if r.token(h.tally.reset(), h.b[from:to]) {
			h.add(r, start, end, from, to)
		}
		return
	}
}

// near reports that word stands in the bytes before i.
func near(b []byte, i int, word string) bool {
	for p := max(0, i-400); p+len(word) <= i; p++ {
		if fold(b[p]) == word[0] && equalFold(b[p:i], word) {
			return true
		}
	}
	return false
}

// escapeBefore reports that the letter before i belongs to an escape such as \n, so that it does not touch the token.
func escapeBefore(b []byte, i int) bool {
	c := at(b, i-1)
	return (c == 'n' || c == 't' || c == 'r') && at(b, i-2) == '\\'
}

// dullToken is the entropy, in bits per byte, that a token of 24 bytes or more hardly ever falls short of when a machine
// drew it, even from hex digits.
const dullToken = 2.9

// token scores a token that stands alone. The result is false when the rule refuses the secret outright.
func (r *compiled) token(t *tally, v []byte) bool {
	s := measure(v)
	if s.weak() || r.MinEntropy > 0 && s.entropy() <= r.MinEntropy || r.Check == NoCheck && !r.Human && s.n >= 24 && s.entropy() < dullToken {
		return false
	}
	if r.MinRandom > 0 && s.random() < r.MinRandom || documented(v) {
		return false
	}
	t.add([...]int{0, 52, 65, 80, 95}[r.Confidence], "the format of "+r.ID)
	switch r.Check.prove(v) {
	case refuted:
		return false
	case proved:
		t.add(20, "checksum or structure holds")
		return true
	}
	if r.Human {
		t.add(human(v), "a word or variable that stands for a secret")
		return true
	}
	if f := holds(v, hardFillerList); f != "" {
		t.add(-60, "holds "+f)
	} else if f := holds(v, mildFillerList); f != "" && r.Check != CheckPEM {
		t.add(-30, "holds "+f)
	}
	if r.Check == NoCheck && s.n >= 16 && s.n < 200 && s.step >= 20 {
		t.add(-35, "counts up")
	}
	return true
}

func (h *hunt) vendor(r *compiled, start, end int) {
	b := h.b
	if c, p := b[start], at(b, start-1); alnum(p) && !('A' <= c && c <= 'Z' && ('a' <= p && p <= 'z' || '0' <= p && p <= '9')) && !('0' <= p && p <= '9') {
		return
	}
	a := assignment{nameStart: start}
	if !vendorValue(b, end, &a) {
		return
	}
	fits := false
	if r.prog != nil {
		if fits = h.fit(r.prog, &a); !fits && r.prog.almost(a.valueEnd-a.valueStart) {
			// A key of this vendor that was cut or made up: neither this rule nor one that goes by the name alone may report it.
			h.misses = append(h.misses, miss{a.valueStart, a.valueEnd - a.valueStart})
			return
		}
	}
	vendor(h.tally.reset(), b, &a, r.common, fits)
	h.add(r, start, a.valueEnd, a.valueStart, a.valueEnd)
}

// fit looks for the vendor's own format where the value starts, or a little before: a key may begin with what looks like
// a separator or like a word of the name (sdk-, _).
func (h *hunt) fit(prog *program, a *assignment) bool {
	const most = 24
	from := a.valueStart
	for from > a.nameEnd && a.valueStart-from < most && (word(h.b[from-1]) || h.b[from-1] == '-' || h.b[from-1] == '=') {
		from--
	}
	for ; from <= a.valueStart; from++ {
		if alnum(at(h.b, from-1)) {
			continue
		}
		if e, start, end, ok := prog.match(h.b, from, &h.left); ok && !alnum(at(h.b, e)) {
			a.valueStart, a.valueEnd = start, end
			return true
		}
	}
	return false
}

func (h *hunt) generic(r *compiled, start, end int) {
	var a assignment
	lo, hi := nameAround(h.b, start, end)
	if hi == h.last {
		return
	}
	h.last = hi
	a.nameStart = lo
	if !assigned(h.b, hi, &a) {
		return
	}
	a.nameEnd = hi
	if a.oper == "," && !firstArgument(h.b, lo) {
		return // two neighbours in a list
	}
	generic(h.tally.reset(), h.b, &a)
	h.add(r, lo, a.valueEnd, a.valueStart, a.valueEnd)
}

// firstArgument reports that the quoted name at i is the first argument of a call.
func firstArgument(b []byte, i int) bool {
	for i--; i >= 0 && (b[i] == '"' || b[i] == '\'' || b[i] == '`' || b[i] == ' ' || b[i] == '\\'); i-- {
	}
	return i >= 0 && b[i] == '('
}

// add keeps a candidate whose tally reached the threshold.
func (h *hunt) add(r *compiled, start, end, from, to int) {
	t := &h.tally
	if t.sum < h.e.opts.Threshold {
		return
	}
	c := r.Confidence
	switch {
	case t.sum >= 100 && c >= High && r.Check != NoCheck && r.Check != CheckAWSKey:
		c = Certain
	case c <= Medium && t.sum < 60:
		c = Low
	case c <= Medium && t.sum < 85:
		c = min(c+1, Medium)
	}
	h.got = append(h.got, found{class: r.class, Match: Match{
		Rule: r.ID, Start: start, End: end, SecretStart: from, SecretEnd: to, Score: min(t.sum, 100), Confidence: c, Explain: slices.Clone(t.reasons),
	}})
}

// merged runs a user's expression on the union of the windows.
func (h *hunt) merged(r int, w [][2]int) {
	slices.SortFunc(w, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	cur := w[0]
	for _, x := range w[1:] {
		if x[0] <= cur[1] {
			cur[1] = max(cur[1], x[1])
			continue
		}
		h.regexp(r, cur[0], cur[1])
		cur = x
	}
	h.regexp(r, cur[0], cur[1])
}

func (h *hunt) regexp(i, from, to int) {
	r := &h.e.rules[i]
	for _, loc := range r.re.FindAllSubmatchIndex(h.b[from:to], -1) {
		s, e := loc[0], loc[1]
		if from+e == to && to < len(h.b) && to-from < 4*endless { // cut by the window: look again with more
			h.regexp(i, from+s, min(len(h.b), to+endless))
			return
		}
		switch {
		case r.Group > 0:
			s, e = loc[2*r.Group], loc[2*r.Group+1]
		default:
			for g := 2; g+1 < len(loc); g += 2 {
				if loc[g] >= 0 && loc[g+1] > loc[g] {
					s, e = loc[g], loc[g+1]
					break
				}
			}
		}
		if s < 0 || e <= s {
			continue
		}
		v := h.b[from+s : from+e]
		if m := measure(v); r.MinEntropy > 0 && m.entropy() <= r.MinEntropy {
			continue
		}
		h.tally.reset().add([...]int{0, 52, 65, 80, 95}[r.Confidence], "the expression of "+r.ID)
		h.add(r, from+loc[0], from+loc[1], from+s, from+e)
	}
}

// settle orders the matches and keeps, of those whose secrets overlap, the most telling one.
func settle(got []found, all bool) []Match {
	if len(got) == 0 {
		return nil
	}
	slices.SortStableFunc(got, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.SecretStart, b.SecretStart), -cmp.Compare(a.SecretEnd, b.SecretEnd), strings.Compare(a.Rule, b.Rule))
	})
	kept := got[:0]
	for _, m := range got {
		if n := len(kept); n > 0 && m.SecretStart < kept[n-1].SecretEnd && (!all || m.Rule == kept[n-1].Rule && !apartInside(m, kept[n-1])) {
			if better(m, kept[n-1]) {
				kept[n-1] = m
			}
			continue
		}
		kept = append(kept, m)
	}
	out := make([]Match, len(kept))
	for i := range kept {
		out[i] = kept[i].Match
	}
	return out
}

// apartInside reports two secrets that were decoded from one run, whose place both have.
func apartInside(a, b found) bool {
	return a.Decoded != "" && b.Decoded != "" && a.SecretStart == b.SecretStart && !bytes.Equal(a.Value, b.Value)
}

func better(a, b found) bool {
	if (a.Decoded == "") != (b.Decoded == "") {
		return a.Decoded == ""
	}
	if a.class != b.class {
		return a.class > b.class
	}
	if a.Confidence != b.Confidence {
		return a.Confidence > b.Confidence
	}
	return a.Score > b.Score
}
