package leak

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"unicode/utf8"
)

// Bounds of decoding: a run shorter than minRun can hold no secret worth the look, a longer one than maxRun is data.
const (
	minRun    = 32
	maxRun    = 1 << 16
	maxDecode = 1 << 20 // bytes decoded in one text
)

// escapeWords start a look at percent and unicode escapes: the ones that hide an operator or a quote.
var escapeWords = []string{"%3a", "%3d", "%22", "%40", `\u003`, `\u002`, `\u0022`, `\x3d`, `\x22`, "%5f"}

var runByte = func() (t [256]bool) {
	for c := range 256 {
		t[c] = alnum(byte(c)) || c == '+' || c == '/' || c == '-' || c == '_'
	}
	return t
}()

// decode undoes one layer of encoding where there is one and hunts in what comes out.
func (h *hunt) decode(parts []Part) {
	budget, seen := maxDecode, 0
	for _, p := range parts {
		h.runs(p.Start, p.End, func(from, to int) {
			if from < seen {
				return // it reaches over from the part before
			}
			seen = to
			if budget -= to - from; budget < 0 {
				return
			}
			if plain, how := undo(h.b[from:to]); plain != nil {
				h.within(plain, how, from, to)
			}
		})
	}
	done := -1
	for _, i := range h.escapes {
		if i < done {
			continue
		}
		from, to := lineAround(h.b, i, 2048)
		done = to
		if budget -= to - from; budget < 0 {
			return
		}
		if plain, how := unescape(h.b[from:to]); plain != nil {
			h.within(plain, how, from, to)
		}
	}
}

func (h *hunt) within(plain []byte, how string, from, to int) {
	for _, m := range h.e.find(plain, nil, h.depth+1) {
		v := m.Secret(plain)
		layers := how
		if m.Decoded != "" {
			layers += ">" + m.Decoded
		}
		if m.Decoded == "" {
			m.Shape = append([]byte(nil), plain[m.Start:m.End]...)
		}
		m.Value, m.Decoded = append([]byte(nil), v...), layers
		m.Start, m.End, m.SecretStart, m.SecretEnd = from, to, from, to
		h.got = append(h.got, found{Match: m, class: classToken})
	}
}

// runs calls f for each run of at least minRun characters of base64 or hex that touches b[start:end]. Looking only at
// every minRun-th byte finds all of them and skips most text.
func (h *hunt) runs(start, end int, f func(from, to int)) {
	b := h.b
	for p := start + minRun - 1; p < min(len(b), end+minRun-1); p += minRun {
		if !runByte[b[p]] || p >= minRun/2 && p+minRun/2 < len(b) && apart(b[p-minRun/2:p+minRun/2+1]) {
			continue
		}
		from := p
		for from > 0 && p-from < minRun && runByte[b[from-1]] {
			from--
		}
		if start > 0 && from <= start { // it began before the part
			for from > 0 && p-from < maxRun && runByte[b[from-1]] {
				from--
			}
		}
		to := p + 1
		if to-from < minRun {
			for to < len(b) && to-from < minRun && runByte[b[to]] {
				to++
			}
			if to-from < minRun {
				continue
			}
		}
		for to < len(b) && to-from < maxRun && runByte[b[to]] {
			to++
		}
		for to < len(b) && b[to] == '=' {
			to++
		}
		f(from, to)
		p = max(p, to-1)
		p -= (p + 1 - start) % minRun // stay on the grid
	}
}

// apart reports that no run of minRun bytes holds the middle one of b, which has minRun/2 bytes on either side: one side
// or the other would be all of it. It looks at eight bytes at once and only for those that sort before '+', which are
// most of what stands between words, so it may miss some.
func apart(b []byte) bool {
	_ = b[minRun]
	left, right := binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[17:])
	return (below(left) || below(binary.LittleEndian.Uint64(b))) && (below(right) || below(binary.LittleEndian.Uint64(b[25:])))
}

// below reports a byte less than '+' among the eight of x.
func below(x uint64) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	return (x-'+'*ones)&^x&high != 0
}

// sextet is what a character of base64 stands for, in either alphabet.
var sextet = func() (t [256]uint8) {
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	t['-'], t['_'] = 62, 63
	return t
}()

// promising reports that the first eight characters of a run begin a text, in base64 or hex. Those of names and of random
// values seldom do.
func promising(v []byte) bool {
	var out [6]byte
	var x uint64
	for _, c := range v[:8] {
		x = x<<6 | uint64(sextet[c])
	}
	for i := range out {
		out[i] = byte(x >> (40 - 8*i))
	}
	if text(out[:]) {
		return true
	}
	var plain [4]byte
	_, err := hex.Decode(plain[:], v[:8])
	return err == nil && text(plain[:])
}

// undo decodes base64 or hex, of at least minRun characters, if the result is text.
func undo(v []byte) ([]byte, string) {
	if !promising(v) {
		return nil, ""
	}
	n := len(v)
	for n > 0 && v[n-1] == '=' {
		n--
	}
	std, url, hexOnly := true, true, true
	for _, c := range v[:n] {
		switch {
		case c == '+' || c == '/':
			url, hexOnly = false, false
		case c == '-' || c == '_':
			std, hexOnly = false, false
		case !isHex(c):
			hexOnly = false
		}
	}
	if hexOnly && n%2 == 0 {
		out := make([]byte, n/2)
		if _, err := hex.Decode(out, v[:n]); err == nil && text(out) {
			return out, "hex"
		}
		return nil, ""
	}
	enc := base64.RawStdEncoding
	if !std {
		if !url {
			return nil, ""
		}
		enc = base64.RawURLEncoding
	}
	if n%4 == 1 {
		n--
	}
	var head [24]byte
	k, err := enc.Decode(head[:], v[:min(n, 32)])
	if err != nil || !text(head[:k]) {
		return nil, ""
	}
	out := make([]byte, enc.DecodedLen(n))
	k, err = enc.Decode(out, v[:n])
	if err != nil || !text(out[:k]) {
		return nil, ""
	}
	return out[:k], "base64"
}

// text reports printable UTF-8: random bytes hardly ever are.
func text(v []byte) bool {
	if len(v) > 64 {
		v = v[:64]
		for len(v) > 60 && !utf8.RuneStart(v[len(v)-1]) {
			v = v[:len(v)-1]
		}
		v = v[:len(v)-1]
	}
	for i := 0; i < len(v); {
		c := v[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && len(v)-i >= utf8.UTFMax {
			return false
		}
		i += n
	}
	return len(v) > 0
}

// unescape undoes %41, \u0041 and \x41.
func unescape(v []byte) ([]byte, string) {
	out := make([]byte, 0, len(v))
	how := ""
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '%' && i+2 < len(v) && isHex(v[i+1]) && isHex(v[i+2]):
			out = append(out, nibble(v[i+1])<<4|nibble(v[i+2]))
			i += 2
			how = "percent"
		case v[i] == '\\' && i+5 < len(v) && v[i+1] == 'u' && isHex(v[i+2]) && isHex(v[i+3]) && isHex(v[i+4]) && isHex(v[i+5]):
			out = utf8.AppendRune(out, rune(nibble(v[i+2]))<<12|rune(nibble(v[i+3]))<<8|rune(nibble(v[i+4]))<<4|rune(nibble(v[i+5])))
			i += 5
			how = "unicode"
		case v[i] == '\\' && i+3 < len(v) && v[i+1] == 'x' && isHex(v[i+2]) && isHex(v[i+3]):
			out = append(out, nibble(v[i+2])<<4|nibble(v[i+3]))
			i += 3
			how = "hex"
		default:
			out = append(out, v[i])
		}
	}
	if how == "" {
		return nil, ""
	}
	return out, how
}

func nibble(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

func lineAround(b []byte, i, most int) (int, int) {
	from, to := i, i
	for from > 0 && i-from < most && b[from-1] != '\n' {
		from--
	}
	for to < len(b) && to-i < most && b[to] != '\n' {
		to++
	}
	return from, to
}
