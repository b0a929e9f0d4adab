package leak

// An assignment is "name operator value" in any language's spelling: NAME=value, "name": "value", name := `value`,
// setX("name", "value"), <name>value</name>, name => 'value', --name value, and, for a vendor's name, "name value".
type assignment struct {
	nameStart, nameEnd   int // the whole identifier round the keyword
	valueStart, valueEnd int
	quote                byte   // 0 when the value is bare
	oper                 string // what stands between; " " for blanks only
	compare              bool   // == or !=
	words                int    // secret words passed on the way (vendor form)
	strong               bool   // one of them says secret, key, token or password
}

const (
	maxName  = 48
	maxValue = 400
	maxBlank = 24
)

func nameByte(c byte) bool { return word(c) || c == '-' || c == '.' || c >= 0x80 }

// name finds the identifier that contains b[i:j].
func nameAround(b []byte, i, j int) (int, int) {
	lo, hi := i, j
	for lo > 0 && i-lo < maxName && (word(b[lo-1]) || b[lo-1] == '-') {
		lo--
	}
	for hi < len(b) && hi-j < maxName && nameByte(b[hi]) {
		hi++
	}
	for hi > j && (b[hi-1] == '.' || b[hi-1] == '-') {
		hi--
	}
	return lo, hi
}

// genericFollow is what may stand behind a keyword in a name for assigned to read on.
func genericFollow() *set {
	var s set
	for i := range 256 {
		if nameByte(byte(i)) {
			s.add(byte(i))
		}
	}
	for _, c := range []byte("\"'`]\\ \t:=?.+!|,(>") {
		s.add(c)
	}
	return &s
}

// assigned reads the operator and value that follow the name whose end is i.
func assigned(b []byte, i int, a *assignment) bool {
	a.nameEnd = i
	p := i
	limit := min(len(b), i+maxBlank+16)
	// What closes the name: quotes, brackets, escapes. "name" : , ['name'] =, \"name\":
	for p < limit && (b[p] == '"' || b[p] == '\'' || b[p] == '`' || b[p] == ']' || b[p] == '\\') {
		p++
	}
	p = blanks(b, p, limit)
	from := p
	switch c := at(b, p); {
	case c == ':' || c == '=' || c == '?' || c == '.' || c == '+' || c == '!' || c == '|':
		for p < limit && (b[p] == ':' || b[p] == '=' || b[p] == '?' || b[p] == '.' || b[p] == '+' || b[p] == '!' || b[p] == '|' || b[p] == '>') {
			p++
		}
		op := string(b[from:p])
		switch op {
		case "=", ":", ":=", "=>", "::=", ":::=", "?=", ".=", "+=", "||=", "|=", "||":
		case "==", "!=", "===", "!==":
			a.compare = true
		default:
			return false
		}
		a.oper = op
	case c == ',' || c == '(' || c == '>':
		a.oper = string(c)
		p++
	case p > i && (at(b, p-1) == ' ' || at(b, p-1) == '\t') && alnum(c):
		// var nameToken string = "value": one type name, then the operator.
		if q, ok := typed(b, p, limit); ok {
			a.oper, p = "=", q
			break
		}
		a.oper = " "
	case p > i && (c == '"' || c == '\'') && (b[p-1] == ' ' || b[p-1] == '\t'):
		a.oper = " "
	default:
		return false
	}
	if !value(b, p, a) {
		return false
	}
	if a.oper == ">" { // <name>value</name> and nothing else
		q := a.valueEnd
		for q < len(b) && q-a.valueEnd < maxBlank && (b[q] <= ' ' || b[q] == a.quote && b[q] != 0) {
			q++
		}
		return at(b, q) == '<'
	}
	return true
}

// typed passes "string =" and the like.
func typed(b []byte, p, limit int) (int, bool) {
	for p < limit && (alnum(b[p]) || b[p] == '*' || b[p] == '[' || b[p] == ']') {
		p++
	}
	p = blanks(b, p, limit)
	if at(b, p) == '=' && at(b, p+1) != '=' && at(b, p+1) != '>' {
		return p + 1, true
	}
	return 0, false
}

func blanks(b []byte, p, limit int) int {
	for p < limit && (b[p] == ' ' || b[p] == '\t') {
		p++
	}
	return p
}

// value reads the value at p: quoted up to the same quote on the line, or bare up to a blank or closing mark.
func value(b []byte, p int, a *assignment) bool {
	limit := min(len(b), p+maxBlank)
	for p < limit && (b[p] == ' ' || b[p] == '\t' || a.oper != " " && (b[p] == '\n' || b[p] == '\r') && (a.oper == ">" || a.oper == ":" || a.oper == "=" && at(b, p+1) == ' ' || a.oper == ",")) {
		p++
	}
	for p < limit && (b[p] == '(' || b[p] == '[' || b[p] == '@' || (b[p] == 'b' || b[p] == 'r' || b[p] == 'f' || b[p] == 'u' || b[p] == 'L' || b[p] == 'N') && (at(b, p+1) == '"' || at(b, p+1) == '\'')) {
		p++
	}
	escaped := at(b, p) == '\\' && (at(b, p+1) == '"' || at(b, p+1) == '\'')
	if escaped {
		p++
	}
	if q := at(b, p); q == '"' || q == '\'' || q == '`' {
		p++
		end := p
		for end < len(b) && end-p < maxValue && b[end] != '\n' && b[end] != '\r' {
			if b[end] == q {
				break
			}
			if b[end] == '\\' {
				if escaped && at(b, end+1) == q {
					break
				}
				end++
			}
			end++
		}
		if end >= len(b) || b[end] != q && b[end] != '\\' {
			return false
		}
		for end > p && b[p] == q { // ''' and """
			p++
		}
		a.quote, a.valueStart, a.valueEnd = q, p, end
		return end > p
	}
	end := p
	for end < len(b) && end-p < maxValue && bare(b[end]) {
		end++
	}
	for end > p && (b[end-1] == '.' || b[end-1] == ':' || b[end-1] == '\\') {
		end--
	}
	a.valueStart, a.valueEnd = p, end
	return end > p
}

// bare reports a byte that an unquoted value may hold.
func bare(c byte) bool {
	switch c {
	case '"', '\'', '`', ',', ';', '<', '>', ')', '(', '}', '{', ']', '[', '|':
		return false
	}
	return c > ' ' && c != 0x7f
}

// vendorWord may stand between a vendor's name and the value. A strong one says that a secret follows.
type vendorWord struct {
	text   string
	strong bool
}

// vendorWords lists them by their first letter, the longest first.
var vendorWords = [26][]vendorWord{
	0:         {{"application", false}, {"account", false}, {"access", true}, {"apikey", true}, {"admin", false}, {"agent", false}, {"auth", true}, {"api", false}, {"app", false}},
	'b' - 'a': {{"bearer", true}, {"basic", false}},
	'c' - 'a': {{"credential", true}, {"consumer", false}, {"client", false}, {"code", false}, {"com", false}},
	'd' - 'a': {{"deploy", false}},
	'e' - 'a': {{"encryption", true}},
	'i' - 'a': {{"integration", false}, {"id", false}, {"io", false}},
	'j' - 'a': {{"jwt", true}},
	'k' - 'a': {{"key", true}},
	'l' - 'a': {{"license", true}, {"live", false}},
	'm' - 'a': {{"master", false}},
	'o' - 'a': {{"organization", false}, {"oauth", true}, {"org", false}},
	'p' - 'a': {{"password", true}, {"personal", false}, {"private", true}, {"project", false}, {"passwd", true}, {"prod", false}, {"pass", true}, {"pub", false}, {"pat", true}, {"pwd", true}},
	'r' - 'a': {{"refresh", false}, {"read", false}, {"rest", false}},
	's' - 'a': {{"service", false}, {"signing", true}, {"session", false}, {"secret", true}, {"string", false}, {"server", false}, {"sdk", false}},
	't' - 'a': {{"token", true}, {"test", false}},
	'u' - 'a': {{"user", false}},
	'v' - 'a': {{"v1", false}, {"v2", false}},
	'w' - 'a': {{"webhook", false}, {"write", false}},
}

// vendorFollow is what may stand behind a vendor's name for vendorValue to read on.
func vendorFollow() *set {
	var s set
	for i, words := range vendorWords {
		if len(words) > 0 {
			s.addLetter('a'+byte(i), true)
		}
	}
	for _, c := range []byte("_-.\\ \t\n\r\"'`=:,>(?[]+|") {
		s.add(c)
	}
	return &s
}

// vendorValue reads on from a vendor's name: known words and separators, then the value.
func vendorValue(b []byte, i int, a *assignment) bool {
	p, sep := i, false
	limit := min(len(b), i+96)
	a.nameEnd = i
	for p < limit {
		c := b[p]
		if n, strong := passWord(b[p:limit]); n > 0 && !(sep && longRun(b, p) > n+9 && !nameSeparator(at(b, p+n))) {
			p += n
			a.words++
			a.strong = a.strong || strong
			sep = false
			continue
		}
		switch c {
		case '_', '-', '.', '\\':
			sep = true
		case ' ', '\t':
			sep = true
			if a.oper == "" {
				a.oper = " "
			}
		case '\n', '\r':
			if a.oper == " " {
				return false
			}
			sep = true
		case '"', '\'', '`':
			a.quote = c
			sep = true
		case '=', ':', ',', '>', '(', '?', '[', ']', '+', '|':
			a.oper = string(c)
			a.quote = 0
			sep = true
		default:
			return p > i && (sep || a.words > 0) && run64(b, p, a)
		}
		p++
	}
	return false
}

func nameSeparator(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c == ' ' || c == '=' || c == ':' || c == '"' || c == '\'' || c == '\t' || c == '>'
}

// passWord returns the length of the vendor word at the start of b.
func passWord(b []byte) (int, bool) {
	c := fold(b[0])
	if c < 'a' || c > 'z' {
		return 0, false
	}
	for _, w := range vendorWords[c-'a'] {
		if len(w.text) <= len(b) && equalFold(b[:len(w.text)], w.text) {
			return len(w.text), w.strong
		}
	}
	return 0, false
}

func equalFold(b []byte, low string) bool {
	for i := range len(low) {
		if fold(b[i]) != low[i] {
			return false
		}
	}
	return true
}

// longRun is the length of the run of letters and digits at p.
func longRun(b []byte, p int) int {
	n := 0
	for p+n < len(b) && n < 64 && alnum(b[p+n]) {
		n++
	}
	return n
}

// run64 takes the longest run of token characters at p as the value.
func run64(b []byte, p int, a *assignment) bool {
	end := p
	for end < len(b) && end-p < maxValue {
		c := b[end]
		if !alnum(c) && c != '_' && c != '-' && c != '+' && c != '/' && c != '=' && c != '.' && c != '~' && c != '%' && c != ':' && c != '!' && c != '@' && c != '$' && c != '#' {
			break
		}
		end++
	}
	for end > p && (b[end-1] == '.' || b[end-1] == ':') {
		end--
	}
	a.valueStart, a.valueEnd = p, end
	return end-p >= 8
}
