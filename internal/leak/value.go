package leak

import (
	"bytes"
	"math"
	"math/bits"
	"sync"
)

// shape sums up what a value is made of. It is one pass, so that most judgements below are a comparison.
type shape struct {
	v                             []byte
	n                             int
	lower, upper, digit, other    int
	distinct                      int
	pairs, common                 int // adjacent letters; how many of them are usual in words
	run                           int // longest run of one byte
	step                          int // longest run of bytes that count up by one
	hexOnly, dashes, turns, blank int // turns: changes between letters, digits and case
}

// kinds of bytes, as measure counts them
const (
	kindOther = iota
	kindDigit
	kindLower
	kindUpper
	kindOf   = 3
	notHex   = 1 << 2 // neither a hex digit nor a dash
	isDash   = 1 << 3
	isBlank  = 1 << 4
	isLetter = 1 << 5
)

var byteKinds = func() (t [256]uint8) {
	for i := range 256 {
		switch c := byte(i); {
		case '0' <= c && c <= '9':
			t[c] = kindDigit
		case 'a' <= c && c <= 'z':
			t[c] = kindLower | isLetter
		case 'A' <= c && c <= 'Z':
			t[c] = kindUpper | isLetter
		case c == '-':
			t[c] = isDash
		case c == ' ' || c == '\t' || c == '\n':
			t[c] = isBlank
		}
		if c := byte(i); !isHex(c) && c != '-' {
			t[c] |= notHex
		}
	}
	return t
}()

func measure(v []byte) shape {
	s := shape{v: v, n: len(v), run: 1, step: 1}
	if len(v) == 0 {
		s.hexOnly = 1
		return s
	}
	var seen [4]uint64
	var kinds [4]int
	run, step := 1, 1
	var last byte
	var before, all uint8
	for i, c := range v {
		seen[c>>6] |= 1 << (c & 63)
		k := byteKinds[c]
		kinds[k&kindOf]++
		all |= k
		if k&(isDash|isBlank) != 0 {
			if k&isDash != 0 {
				s.dashes++
			} else {
				s.blank++
			}
		}
		if i > 0 {
			if k&kindOf != before&kindOf && (before&kindOf != kindUpper || k&kindOf != kindLower) {
				s.turns++
			}
			if k&before&isLetter != 0 {
				s.pairs++
				if usualPair(last|0x20, c|0x20) {
					s.common++
				}
			}
			run, step = grow(run, c == last), grow(step, c == last+1)
			s.run, s.step = max(s.run, run), max(s.step, step)
		}
		last, before = c, k
	}
	s.other, s.digit, s.lower, s.upper = kinds[kindOther], kinds[kindDigit], kinds[kindLower], kinds[kindUpper]
	if all&notHex == 0 {
		s.hexOnly = 1
	}
	for _, m := range seen {
		s.distinct += bits.OnesCount64(m)
	}
	return s
}

// entropy is in bits per byte.
func (s *shape) entropy() float64 {
	if s.n == 0 {
		return 0
	}
	var count [256]uint16
	for _, c := range s.v {
		count[c]++
	}
	e, total := 0.0, float64(s.n)
	for _, c := range s.v {
		if n := count[c]; n > 0 {
			count[c] = 0
			p := float64(n) / total
			e -= p * math.Log2(p)
		}
	}
	return e
}

func grow(n int, more bool) int {
	if more {
		return n + 1
	}
	return 1
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// usual holds, for each first letter, the letters that often follow it in English words and in programmers' names.
var usual = [26]string{
	"bcdgilmnprstuvy", "aeilorsuy", "acehiklortu", "aeilorsu", "acdefgilmnopqrstuvwxy", "aefiloru", "aehilnorsu", "aeiort",
	"abcdefglmnoprstvz", "aeou", "enilsy", "abcdefiklmopstuvwy", "abeimopsuy", "acdefgiknorstuvy", "abcdfgiklmnoprstuvwx",
	"aehiloprstuy", "u", "acdefgiklmnoprstuvy", "acehiklmnopqrstuwy", "aceghilmorstuwy", "abcdegilmnprst", "aeiou", "aehinors",
	"aceipt", "aeiloprst", "aeio",
}

// usualPairs holds usual as bits.
var usualPairs = func() (t [26]uint32) {
	for a, follow := range usual {
		for i := range len(follow) {
			t[a] |= 1 << (follow[i] - 'a')
		}
	}
	return t
}()

func usualPair(a, b byte) bool { return usualPairs[a-'a']>>(b-'a')&1 != 0 }

// random says how much a value looks as if a machine had drawn it: 0 not at all, 100 certainly.
func (s *shape) random() int {
	if s.n < 6 || s.distinct < 5 {
		return 0
	}
	r := 0
	// Entropy against what n draws from the value's own alphabet would give.
	alphabet := 0
	if s.hexOnly == 1 {
		alphabet = 16
	} else {
		for _, part := range [...]struct{ seen, size int }{{s.lower, 26}, {s.upper, 26}, {s.digit, 10}, {s.other, 4}} {
			if part.seen > 0 {
				alphabet += part.size
			}
		}
	}
	best := math.Log2(float64(min(alphabet, s.n)))
	if best > 0 {
		r += int(45 * min(1, max(0, (s.entropy()/best-0.55)/0.35)))
	}
	if s.digit > 0 && s.lower+s.upper > 0 {
		r += 15
	}
	if s.turns*4 >= s.n {
		r += 15
	} else if s.turns*7 >= s.n {
		r += 8
	}
	switch {
	case s.pairs >= 5 && s.common*100 < s.pairs*58:
		r += 25
	case s.pairs >= 5 && s.common*100 < s.pairs*68:
		r += 10
	case s.pairs >= 6 && s.common*100 >= s.pairs*78:
		r -= 30
	}
	if s.n >= 20 {
		r += 5
	}
	if s.n >= 32 {
		r += 10
	}
	if s.digit == s.n {
		r -= 40
	}
	return min(100, max(0, r))
}

// filler are words that people write where a secret should go.
var filler = []string{
	"example", "your", "placeholder", "change", "replace", "insert", "dummy", "fake", "sample", "redacted", "xxxx", "****", "....", "____", "todo", "foobar",
	"not-a", "not_a", "notareal", "-here", "_here", "<", "${", "{{", "$(", "%(", "%s", "%v", "secret-here", "my-secret", "mysecret", "my_secret", "none", "null",
	"undefined", "enter", "asdf", "test_key", "some-", "some_", "abc123", "letmein", "goes", "<%", "#{", "1234567890", "process.env", "os.environ", "getenv", "lorem", "...",
}

// hardFiller is what no real secret holds, however random the rest is.
var hardFiller = []string{"xxxxxx", "******", "......", "${", "{{", "$(", "%(", "placeholder", "your-", "your_", "<your", "insert_", "replace_", "changeme", "redacted", "<%", "process.env", "os.environ"}

// A wordList finds the first of several words in a text, in any case.
type wordList struct {
	auto  *automaton
	words []string
}

// newWordList is for literal lists of this package, which fit an automaton.
func newWordList(words ...string) *wordList {
	a, err := newAutomaton(words)
	if err != nil {
		panic("leak: internal error: " + err.Error())
	}
	return &wordList{a, words}
}

// in returns the word of the lowest index that v holds, or -1.
func (w *wordList) in(v []byte) int {
	const most = 256
	if len(v) > most {
		v = v[:most]
	}
	best := -1
	next, class := w.auto.next, &w.auto.class
	s := uint16(0)
	for _, c := range v {
		s = next[uint(s&maxStates)<<rowShift|uint(class[c])]
		if s&accept != 0 {
			for _, id := range w.auto.out[s&maxStates] {
				if best < 0 || int(id) < best {
					best = int(id)
				}
			}
		}
	}
	return best
}

var (
	fillerList     = sync.OnceValue(func() *wordList { return newWordList(filler...) })
	hardFillerList = sync.OnceValue(func() *wordList { return newWordList(hardFiller...) })
	mildFillerList = sync.OnceValue(func() *wordList { return newWordList("example", "dummy", "your", "test_test") })
)

// holds returns the word of the list that v holds, or "".
func holds(v []byte, list func() *wordList) string {
	w := list()
	if i := w.in(v); i >= 0 {
		return w.words[i]
	}
	return ""
}

// brokenHex reports a value of hex digits that no machine writes: an odd number of them, or what looks like a UUID and
// is none (RFC 9562, section 4). Such values are cut or made up.
func (s shape) brokenHex(v []byte) bool {
	if s.hexOnly == 0 || s.n < 16 || s.digit == s.n {
		return false
	}
	if s.dashes == 0 {
		return s.n%2 == 1
	}
	return s.dashes == 4 && s.n < 48 && !s.uuid(v)
}

// weak reports a value that cannot be a secret whatever its name: one byte over and over, a template, nothing.
func (s shape) weak() bool {
	return s.n == 0 || s.distinct < 4 && s.n >= 8 || s.run*2 > s.n && s.n >= 8 || s.run >= 10 && s.run*4 > s.n
}

// version reports a version or a range of versions: ^3.1.1, ~> 2.0, v1.2.3-rc1.
func version(v []byte) bool {
	v = bytes.TrimLeft(v, "^~>=<v ")
	i, dots := 0, 0
	for i < len(v) && ('0' <= v[i] && v[i] <= '9' || v[i] == '.' && i > 0) {
		if v[i] == '.' {
			dots++
		}
		i++
	}
	return dots > 0 && (i == len(v) || dots > 1 && (v[i] == '-' || v[i] == '+'))
}

// joinedWords reports words and small numbers joined by dashes, dots, slashes and the like: my-service-1, too_short, text/html.
func joinedWords(v []byte) bool {
	parts, letters, common, pairs := 0, 0, 0, 0
	for part := range bytes.FieldsFuncSeq(v, func(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '/' || r == ':' }) {
		s := measure(part)
		switch {
		case s.n == s.digit && s.n <= 4:
		case s.n == s.lower || s.n == s.lower+s.upper && s.upper == 1 && part[0] < 'a' || s.n == s.upper:
			letters += s.n
		default:
			return false
		}
		parts++
		common, pairs = common+s.common, pairs+s.pairs
	}
	return parts >= 2 && letters >= 4 && common*100 >= pairs*55
}

// openly names what a value shows itself to be, when that is nothing secret, or is empty.
func openly(v []byte) string {
	for _, p := range [...]struct{ prefix, what string }{
		{"sha1-", "a checksum"},
		{"sha256-", "a checksum"},
		{"sha384-", "a checksum"},
		{"sha512-", "a checksum"},
		{"sha1:", "a checksum"},
		{"sha256:", "a checksum"},
		{"sha512:", "a checksum"},
		{"md5:", "a checksum"},
		{"ssh-rsa ", "a public key"},
		{"ssh-ed25519 ", "a public key"},
		{"ecdsa-sha2", "a public key"},
		{"MIGfMA0G", "a public key"},
		{"MIIBIjAN", "a public key"},
		{"MIICIjAN", "a public key"},
		{"MFkwEwYH", "a public key"},
		{"MCowBQYD", "a public key"},
		{"arn:", "a name of a resource"},
		{"urn:", "a name of a resource"},
		{"projects/", "a name of a resource"},
	} {
		if bytes.HasPrefix(v, []byte(p.prefix)) {
			return p.what
		}
	}
	switch {
	case version(v):
		return "a version"
	case date(v):
		return "a date"
	case mail(v):
		return "a mail address"
	}
	return ""
}

// date reports what begins like 2026-11-30 or 2026/11/30.
func date(v []byte) bool {
	if len(v) < 10 || v[4] != v[7] || v[4] != '-' && v[4] != '/' || v[0] != '1' && v[0] != '2' {
		return false
	}
	for i, c := range v[:10] {
		if i != 4 && i != 7 && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// mail reports name@host.tld.
func mail(v []byte) bool {
	user, host, ok := bytes.Cut(v, []byte("@"))
	return ok && len(user) > 0 && bytes.IndexByte(host, '.') > 0 && dottedName(host)
}

// uuid reports 8-4-4-4-12 hex digits.
func (s shape) uuid(v []byte) bool {
	return s.n == 36 && s.hexOnly == 1 && s.dashes == 4 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
}
