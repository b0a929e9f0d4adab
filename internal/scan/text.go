package scan

import (
	"bytes"
	"unicode/utf16"
)

// Text returns content as UTF-8 text: UTF-16 with a byte order mark, or without one where every other byte is zero, is
// converted. It returns false for binary content, judged as git does: a zero byte among the first 8000.
func Text(b []byte) ([]byte, bool) {
	head := b[:min(len(b), 8000)]
	if bytes.IndexByte(head, 0) < 0 {
		return b, true
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return fromUTF16(b[2:], false), true
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return fromUTF16(b[2:], true), true
	}
	if len(head) < 16 {
		return b, false
	}
	var zero [2]int
	for i, c := range head {
		if c == 0 {
			zero[i&1]++
		}
	}
	half := len(head) / 2
	switch {
	case zero[1]*10 > half*9 && zero[0] == 0:
		return fromUTF16(b, false), true
	case zero[0]*10 > half*9 && zero[1] == 0:
		return fromUTF16(b, true), true
	}
	return b, false
}

func fromUTF16(b []byte, big bool) []byte {
	units := make([]uint16, len(b)/2)
	for i := range units {
		lo, hi := b[2*i], b[2*i+1]
		if big {
			lo, hi = hi, lo
		}
		units[i] = uint16(hi)<<8 | uint16(lo)
	}
	return []byte(string(utf16.Decode(units)))
}
