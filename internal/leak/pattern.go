package leak

import (
	"fmt"
	"strconv"
	"strings"
)

// The pattern language is what token formats need and no more, so that a match costs a few table look-ups:
// literals, \-escapes, [classes] with ranges and ^, \d \w \s \h (hex) \b, groups (…|…), and ? * + {n} {n,} {n,m}.
// A group marked (<…) holds the secret; without one the whole match is the secret. Matching is anchored, greedy and
// backtracks under a step budget, so that no text can make it slow.

type op uint8

const (
	opSet   op = iota // set{min,max}
	opLit             // lit
	opAlt             // try x, then y
	opJump            // to x
	opOpen            // secret starts
	opClose           // secret ends
	opEdge            // \b
	opDone
)

type set [4]uint64

func (s *set) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *set) has(c byte) bool { return s[c>>6]>>(c&63)&1 != 0 }

func (s *set) addRange(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s.add(byte(c))
	}
}

type inst struct {
	op       op
	min, max int
	x, y     int
	set      set
	lit      string
}

// program is a compiled pattern.
type program struct {
	code  []inst
	fold  bool
	width [2]int // fewest and most bytes before the anchor literal
}

const (
	unbounded  = 1 << 16
	stepBudget = 20000 // of one attempt
	stepLow    = 400   // of one attempt, once the text has used up what it may
)

type parser struct {
	src  string
	pos  int
	fold bool
	code []inst
}

func compilePattern(src string, fold bool) (*program, error) {
	p := &parser{src: src, fold: fold, code: make([]inst, 0, 2+len(src)/4)}
	if err := p.alternation(); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", src, err)
	}
	if p.pos < len(src) {
		return nil, fmt.Errorf("pattern %q: unexpected %q at %d", src, src[p.pos], p.pos)
	}
	p.code = append(p.code, inst{op: opDone})
	return &program{code: p.code, fold: fold}, nil
}

// alternation parses a|b|c and leaves the code of all at the end of p.code.
func (p *parser) alternation() error {
	start := len(p.code)
	var ends []int
	for {
		if err := p.sequence(); err != nil {
			return err
		}
		if p.pos >= len(p.src) || p.src[p.pos] != '|' {
			break
		}
		p.pos++
		p.insert(start, inst{op: opAlt, x: start + 1})
		p.code = append(p.code, inst{op: opJump})
		ends = append(ends, len(p.code)-1)
		p.code[start].y = len(p.code)
		start = len(p.code)
	}
	for _, e := range ends {
		p.code[e].x = len(p.code)
	}
	return nil
}

// insert puts in at i and moves the targets behind it.
func (p *parser) insert(i int, in inst) {
	p.code = append(p.code, inst{})
	copy(p.code[i+1:], p.code[i:])
	for j := i + 1; j < len(p.code); j++ {
		if c := &p.code[j]; c.op == opAlt || c.op == opJump {
			c.x++
			c.y++
		}
	}
	p.code[i] = in
}

func (p *parser) sequence() error {
	start := len(p.code)
	for p.pos < len(p.src) && p.src[p.pos] != '|' && p.src[p.pos] != ')' {
		from := len(p.code)
		if err := p.atom(); err != nil {
			return err
		}
		lo, hi, ok, err := p.count()
		if err != nil {
			return err
		}
		if ok {
			if err := p.repeat(from, lo, hi); err != nil {
				return err
			}
		} else if n := len(p.code); from == n-1 && from > start && p.code[from].op == opLit && p.code[from-1].op == opLit && !p.target(from) {
			p.code[from-1].lit += p.code[from].lit
			p.code = p.code[:from]
		}
	}
	return nil
}

// target reports whether some jump may lead to i, so that i must stay an instruction of its own.
func (p *parser) target(i int) bool {
	for _, c := range p.code {
		if (c.op == opAlt || c.op == opJump) && (c.x == i || c.y == i) {
			return true
		}
	}
	return false
}

func (p *parser) atom() error {
	c := p.src[p.pos]
	p.pos++
	switch c {
	case '(':
		secret := p.pos < len(p.src) && p.src[p.pos] == '<'
		if secret {
			p.pos++
			p.code = append(p.code, inst{op: opOpen})
		}
		if err := p.alternation(); err != nil {
			return err
		}
		if p.pos >= len(p.src) {
			return fmt.Errorf("missing )")
		}
		p.pos++
		if secret {
			p.code = append(p.code, inst{op: opClose})
		}
	case '[':
		s, err := p.class()
		if err != nil {
			return err
		}
		p.code = append(p.code, inst{op: opSet, min: 1, max: 1, set: s})
	case '.':
		var s set
		s.addRange(0, 255)
		s['\n'>>6] &^= 1 << '\n'
		p.code = append(p.code, inst{op: opSet, min: 1, max: 1, set: s})
	case '\\':
		if p.pos >= len(p.src) {
			return fmt.Errorf("trailing backslash")
		}
		c = p.src[p.pos]
		p.pos++
		if c == 'b' {
			p.code = append(p.code, inst{op: opEdge})
			return nil
		}
		var s set
		if named(&s, c) {
			p.code = append(p.code, inst{op: opSet, min: 1, max: 1, set: s})
			return nil
		}
		p.code = append(p.code, inst{op: opLit, lit: string(escaped(c))})
	case '*', '+', '?', '{', '}', ']':
		return fmt.Errorf("unexpected %q at %d", c, p.pos-1)
	default:
		if p.fold {
			c = fold(c)
		}
		p.code = append(p.code, inst{op: opLit, lit: string(c)})
	}
	return nil
}

func escaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	}
	return c
}

func named(s *set, c byte) bool {
	switch c {
	case 'd':
		s.addRange('0', '9')
	case 'h':
		s.addRange('0', '9')
		s.addRange('a', 'f')
		s.addRange('A', 'F')
	case 'w':
		s.addRange('0', '9')
		s.addRange('a', 'z')
		s.addRange('A', 'Z')
		s.add('_')
	case 's':
		s.add(' ')
		s.addRange('\t', '\r')
	default:
		return false
	}
	return true
}

func (p *parser) class() (set, error) {
	var s set
	negate := strings.HasPrefix(p.src[p.pos:], "^")
	if negate {
		p.pos++
	}
	for p.pos < len(p.src) && p.src[p.pos] != ']' {
		c := p.src[p.pos]
		p.pos++
		if c == '\\' && p.pos < len(p.src) {
			c = p.src[p.pos]
			p.pos++
			if named(&s, c) {
				continue
			}
			c = escaped(c)
		}
		hi := c
		if p.pos+1 < len(p.src) && p.src[p.pos] == '-' && p.src[p.pos+1] != ']' {
			hi = p.src[p.pos+1]
			p.pos += 2
		}
		if hi < c {
			return s, fmt.Errorf("bad range %c-%c", c, hi)
		}
		s.addRange(c, hi)
	}
	if p.pos >= len(p.src) {
		return s, fmt.Errorf("missing ]")
	}
	p.pos++
	if p.fold {
		for c := 'a'; c <= 'z'; c++ {
			if s.has(byte(c)) || s.has(byte(c-32)) {
				s.add(byte(c))
				s.add(byte(c - 32))
			}
		}
	}
	if negate {
		for i := range s {
			s[i] = ^s[i]
		}
	}
	return s, nil
}

// count parses ?, *, + and {n,m}.
func (p *parser) count() (lo, hi int, ok bool, err error) {
	if p.pos >= len(p.src) {
		return 0, 0, false, nil
	}
	switch p.src[p.pos] {
	case '?':
		p.pos++
		return 0, 1, true, nil
	case '*':
		p.pos++
		return 0, unbounded, true, nil
	case '+':
		p.pos++
		return 1, unbounded, true, nil
	case '{':
		body, rest, found := strings.Cut(p.src[p.pos+1:], "}")
		if !found {
			return 0, 0, false, fmt.Errorf("missing }")
		}
		p.pos = len(p.src) - len(rest)
		low, high, ranged := strings.Cut(body, ",")
		if lo, err = strconv.Atoi(low); err != nil {
			return 0, 0, false, fmt.Errorf("bad count {%s}", body)
		}
		switch hi = lo; {
		case ranged && high == "":
			hi = unbounded
		case ranged:
			if hi, err = strconv.Atoi(high); err != nil || hi < lo {
				return 0, 0, false, fmt.Errorf("bad count {%s}", body)
			}
		}
		return lo, hi, true, nil
	}
	return 0, 0, false, nil
}

// repeat applies a count to the code from index from on. A single set or literal byte becomes one counted set;
// a longer piece is copied, which only small counts may ask for.
func (p *parser) repeat(from, lo, hi int) error {
	if len(p.code) == from+1 {
		c := &p.code[from]
		if c.op == opLit && len(c.lit) == 1 {
			*c = inst{op: opSet, min: 1, max: 1, set: p.single(c.lit[0])}
		}
		if c.op == opSet && c.min == 1 && c.max == 1 {
			c.min, c.max = lo, hi
			return nil
		}
	}
	piece := append([]inst(nil), p.code[from:]...)
	p.code = p.code[:from]
	if hi > 64 || (hi == unbounded && lo > 8) {
		return fmt.Errorf("a group may repeat at most 64 times")
	}
	emit := func() {
		shift := len(p.code) - from
		for _, c := range piece {
			if c.op == opAlt || c.op == opJump {
				c.x += shift
				c.y += shift
			}
			p.code = append(p.code, c)
		}
	}
	for range lo {
		emit()
	}
	var alts []int
	for range hi - lo {
		alts = append(alts, len(p.code))
		p.code = append(p.code, inst{op: opAlt, x: len(p.code) + 1})
		emit()
	}
	for _, i := range alts {
		p.code[i].y = len(p.code)
	}
	return nil
}

func (p *parser) single(c byte) set {
	var s set
	s.add(c)
	if p.fold && 'a' <= c && c <= 'z' {
		s.add(c - 32)
	}
	return s
}

// anchor finds the keyword in the pattern's literals and stores how many bytes may lie before it.
func (p *program) anchor(keyword string) bool {
	const most = 512
	lo, hi, steps := unbounded, -1, 0
	var walk func(pc, least, longest int)
	walk = func(pc, least, longest int) {
		for steps++; steps < 1000; pc++ {
			switch c := p.code[pc]; c.op {
			case opSet:
				least += c.min
				longest += c.max
			case opLit:
				if i := strings.Index(strings.ToLower(c.lit), keyword); i >= 0 {
					lo, hi = min(lo, least+i), max(hi, longest+i)
					return
				}
				least += len(c.lit)
				longest += len(c.lit)
			case opAlt:
				walk(c.x, least, longest)
				pc = c.y - 1
			case opJump:
				pc = c.x - 1
			case opDone:
				return
			}
		}
	}
	walk(0, 0, 0)
	p.width = [2]int{lo, hi}
	return hi >= 0 && hi < most
}

// run is the state of one match attempt.
type run struct {
	prog       *program
	b          []byte
	steps      int
	open, shut int
	reach      int // how far any attempt came
	limit      int
}

// match tries the pattern at i and returns the end and the bounds of the secret; without a match, end is where the
// last literal that did fit ended.
//
// left is what the whole text may still spend; it goes down by the steps taken.
func (p *program) match(b []byte, i int, left *int) (end, secretStart, secretEnd int, ok bool) {
	r := run{prog: p, b: b, open: i, shut: -1, limit: stepBudget}
	if *left <= 0 {
		r.limit = stepLow
	}
	end, ok = r.step(0, i)
	*left -= r.steps
	if !ok {
		return r.reach, 0, 0, false
	}
	if r.shut < 0 {
		r.shut = end
	}
	return end, r.open, r.shut, true
}

func (r *run) step(pc, i int) (int, bool) {
	for {
		if r.steps++; r.steps > r.limit {
			return 0, false
		}
		c := &r.prog.code[pc]
		switch c.op {
		case opDone:
			return i, true
		case opLit:
			if !r.prog.literal(r.b, i, c.lit) {
				return 0, false
			}
			i += len(c.lit)
			r.reach = max(r.reach, i)
			pc++
		case opSet:
			n := 0
			for n < c.max && i+n < len(r.b) && c.set.has(r.b[i+n]) {
				n++
			}
			r.steps += n / 8
			if n < c.min {
				return 0, false
			}
			pc++
			if n == c.min {
				i += n
				continue
			}
			for ; n > c.min && r.steps <= r.limit; n-- {
				if end, ok := r.step(pc, i+n); ok {
					return end, true
				}
			}
			i += n
		case opAlt:
			if end, ok := r.step(c.x, i); ok {
				return end, true
			}
			pc = c.y
		case opJump:
			pc = c.x
		case opOpen:
			old := r.open
			r.open = i
			end, ok := r.step(pc+1, i)
			if !ok {
				r.open = old
			}
			return end, ok
		case opClose:
			old := r.shut
			r.shut = i
			end, ok := r.step(pc+1, i)
			if !ok {
				r.shut = old
			}
			return end, ok
		case opEdge:
			if word(at(r.b, i-1)) == word(at(r.b, i)) {
				return 0, false
			}
			pc++
		}
	}
}

func (p *program) literal(b []byte, i int, lit string) bool {
	if len(b)-i < len(lit) {
		return false
	}
	if !p.fold {
		return string(b[i:i+len(lit)]) == lit
	}
	for j := range len(lit) {
		if fold(b[i+j]) != lit[j] {
			return false
		}
	}
	return true
}

// at returns the byte at i, and 0 outside of b.
func at(b []byte, i int) byte {
	if i < 0 || i >= len(b) {
		return 0
	}
	return b[i]
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func word(c byte) bool { return alnum(c) || c == '_' }
