package redact

import (
	"bytes"
	"strings"
)

// names decides whether a name says that its value is secret.
type names struct{ contains, ends []string }

func newNames(more []string) names {
	n := names{
		contains: []string{"password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "credential", "authorization", "signingkey", "encryptionkey"},
		ends:     []string{"pwd", "token", "bearer", "cookie", "authkey"},
	}
	for _, m := range more {
		n.contains = append(n.contains, flat([]byte(m)))
	}
	return n
}

// flat lowers the letters and drops what joins words.
func flat(name []byte) string {
	var buf [maxName]byte
	out := buf[:0]
	for _, c := range name {
		switch {
		case c == '_' || c == '-' || c == '.':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if len(out) < maxName {
			out = append(out, c)
		}
	}
	return string(out)
}

func (n names) secret(name []byte) bool {
	f := flat(name)
	for _, s := range n.contains {
		if strings.Contains(f, s) {
			return true
		}
	}
	for _, s := range n.ends {
		if strings.HasSuffix(f, s) {
			return true
		}
	}
	return false
}

const (
	maxName = 64
	maxWord = 256 // of a value, kept to know a scheme, a literal or a mask again
)

// keyLane masks what is assigned to a telling name: password=admin, {"password": "x"}, api-key: 1, Bearer abc, sk_test_a.
// Names and operators are printed as they come; of a value nothing is printed. So nothing is ever held back.
type keyLane struct {
	r     *Redactor
	names names
	state keyState
	name  []byte // the last name, cut to its end
	quote byte   // of the value
	slash bool   // the byte before was a backslash inside a quoted value, or an escaped quote
	esc   bool   // the value began with \" and ends with it
	word  []byte // the first bare word of a value, while it may be a scheme such as Bearer
	fresh bool   // a vendor's prefix was printed and nothing of the key came yet
	out   []byte
}

type keyState uint8

const (
	inText  keyState = iota
	inName           // reading a name
	inGap            // a telling name ended; an operator may follow
	inSpace          // an operator was seen; the value comes
	inWord           // the first word of a bare value, perhaps a scheme
	inValue          // swallowing
)

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func (k *keyLane) pass(p []byte, last bool) []byte {
	k.out = k.out[:0]
	for i := 0; i < len(p); i++ {
		// Most text is neither name nor value: copy words whole.
		k.step(p[i])
	}
	if last && k.state == inWord {
		k.endWord()
	}
	return k.out
}

func (k *keyLane) step(c byte) {
	switch k.state {
	case inText:
		if nameByte(c) {
			k.state = inName
			k.name = append(k.name[:0], c)
		}
		k.out = append(k.out, c)
	case inName:
		if nameByte(c) {
			if len(k.name) < maxName {
				k.name = append(k.name, c)
			}
			k.out = append(k.out, c)
			if n := len(k.name); n >= 8 && c == '_' && k.prefix() {
				k.value(0)
				k.fresh = true
			}
			return
		}
		k.afterName(c)
	case inGap:
		k.gap(c)
	case inSpace:
		k.space(c)
	case inWord:
		if c <= ' ' || strings.IndexByte(",;\"'&)}]<", c) >= 0 {
			k.endWord()
			if k.state == inSpace && c == ' ' {
				k.out = append(k.out, c)
				return
			}
			k.state = inText
			k.step(c)
			return
		}
		if len(k.word) < maxWord {
			k.word = append(k.word, c)
		}
	case inValue:
		k.inside(c)
	}
}

// prefix reports a name that is itself the beginning of a vendor's key.
func (k *keyLane) prefix() bool {
	for _, p := range []string{"sk_live_", "sk_test_", "rk_live_", "rk_test_"} {
		if string(k.name[len(k.name)-8:]) == p {
			return true
		}
	}
	return false
}

func (k *keyLane) afterName(c byte) {
	k.state = inText
	if !k.names.secret(k.name) {
		k.out = append(k.out, c)
		return
	}
	if c == ' ' && bytes.EqualFold(k.name, []byte("bearer")) {
		k.state = inSpace
		k.out = append(k.out, c)
		return
	}
	k.state = inGap
	k.gap(c)
}

// gap passes what stands between a name and its operator: quotes, brackets, blanks.
func (k *keyLane) gap(c byte) {
	switch c {
	case '"', '\'', '`', ']', ')', ' ', '\t', '\\', '?', '+':
		k.out = append(k.out, c)
	case '=', ':':
		k.out = append(k.out, c)
		k.state = inSpace
	default:
		k.state = inText
		k.step(c)
	}
}

func (k *keyLane) space(c byte) {
	switch c {
	case ' ', '\t', '=', '>', '(', '[', ':', '~':
		k.out = append(k.out, c)
	case '\\':
		k.slash = true
		k.out = append(k.out, c)
	case '"', '\'', '`':
		k.out = append(k.out, c)
		k.esc, k.slash = k.slash, false
		k.quoted(c)
	case '\n', '\r', ',', ';', '}', ')', '{', '&', '<':
		k.slash = false
		k.state = inText
		k.out = append(k.out, c)
	default:
		k.slash = false
		k.state = inWord
		k.word = append(k.word[:0], c)
	}
}

// schemes stand before the secret in an Authorization header, and literals are no secrets.
var schemes = []string{"bearer", "basic", "token", "apikey", "digest", "negotiate", "aws4-hmac-sha256"}

var literals = []string{"null", "none", "nil", "true", "false", "undefined", "•••"}

// endWord ends the first word of a bare value: a scheme is printed and the value is what follows.
func (k *keyLane) endWord() {
	low := strings.ToLower(string(k.word))
	for _, s := range schemes {
		if low == s {
			k.out = append(k.out, k.word...)
			k.state = inSpace
			return
		}
	}
	for _, l := range literals {
		if low == l || strings.HasPrefix(low, "•••") {
			k.out = append(k.out, k.word...)
			k.state = inText
			return
		}
	}
	k.out = append(k.out, k.r.mask(k.label())...)
	k.state = inText
}

func (k *keyLane) label() string { return strings.Trim(string(k.name), "-.") }

func (k *keyLane) quoted(q byte) {
	k.value(q)
	k.word = k.word[:0]
}

func (k *keyLane) value(q byte) {
	k.state, k.quote, k.slash, k.fresh = inValue, q, false, false
}

// inside swallows the value. A quoted one keeps its quotes, and an empty one or one that is masked already is left.
func (k *keyLane) inside(c byte) {
	if k.quote == 0 {
		if !nameByte(c) {
			k.state = inText
			k.step(c)
			return
		}
		if k.fresh {
			k.fresh = false
			k.out = append(k.out, k.r.mask("key")...)
		}
		return
	}
	if c == k.quote && (!k.slash || k.esc) || c == '\n' {
		k.closeQuote(c)
		return
	}
	k.slash = c == '\\' && !k.slash
	if len(k.word) < maxWord {
		k.word = append(k.word, c)
	}
}

func (k *keyLane) closeQuote(c byte) {
	v := k.word
	if k.esc && len(v) > 0 && v[len(v)-1] == '\\' {
		v = v[:len(v)-1]
	}
	switch scheme, rest, ok := bytes.Cut(v, []byte(" ")); {
	case len(v) == 0, bytes.HasPrefix(v, []byte("•••")):
		k.out = append(k.out, v...)
	case ok && len(rest) > 0 && known(scheme):
		k.out = append(append(k.out, scheme...), ' ')
		k.out = append(k.out, k.r.mask(k.label())...)
	default:
		k.out = append(k.out, k.r.mask(k.label())...)
	}
	if k.esc {
		k.out = append(k.out, '\\')
	}
	k.out = append(k.out, c)
	k.state, k.esc, k.slash = inText, false, false
}

func known(scheme []byte) bool {
	for _, s := range schemes {
		if strings.EqualFold(string(scheme), s) {
			return true
		}
	}
	return false
}
