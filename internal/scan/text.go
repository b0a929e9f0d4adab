package scan

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	textencoding "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// headSize is how much of a content tells what it is.
const headSize = 8000

// encoding is how a content holds its text.
type encoding uint8

const (
	plain encoding = iota
	littleEndian
	bigEndian
	binary
)

// Text returns content as UTF-8 text: UTF-16 with a byte order mark, or without one where every other byte is zero, is
// converted. It returns false for binary content: with a zero byte among the first 8000, as git judges, and with more that
// no text holds. What is text but for zero bytes is a list whose items end with them, or a log that a crash tore.
func Text(b []byte) ([]byte, bool) {
	switch e := encodingOf(b[:min(len(b), headSize)]); e {
	case plain:
		return b, true
	case binary:
		return b, false
	default:
		text, err := e.decoder().Bytes(b)
		return text, err == nil // it never fails: what is no UTF-16 is replaced
	}
}

func encodingOf(head []byte) encoding {
	if bytes.IndexByte(head, 0) < 0 {
		return plain
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return littleEndian
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return bigEndian
	}
	var zero [2]int
	for i, c := range head {
		if c == 0 {
			zero[i&1]++
		}
	}
	half := len(head) / 2
	switch {
	case len(head) >= 16 && zero[1]*10 > half*9 && zero[0] == 0:
		return littleEndian
	case len(head) >= 16 && zero[0]*10 > half*9 && zero[1] == 0:
		return bigEndian
	case 2*(zero[0]+zero[1]) < len(head) && readable(head):
		return plain
	}
	return binary
}

// readable reports that there is nothing but UTF-8 text and zero bytes. What the end cuts counts as text.
func readable(head []byte) bool {
	for i := 0; i < len(head); {
		switch c := head[i]; {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(head[i:])
			if r == utf8.RuneError && n == 1 && utf8.FullRune(head[i:]) {
				return false
			}
			i += n
			continue
		case c < ' ' && c != 0 && (c < '\b' || c > '\r') && c != 0x1b, c == 0x7f:
			return false
		}
		i++
	}
	return true
}

// decoder converts from UTF-16; a byte order mark in front is left out.
func (e encoding) decoder() *textencoding.Decoder {
	order := unicode.LittleEndian
	if e == bigEndian {
		order = unicode.BigEndian
	}
	return unicode.UTF16(order, unicode.UseBOM).NewDecoder()
}

// TextReader is [Text] for a stream. Binary content comes as it is.
func TextReader(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, headSize)
	head, _ := b.Peek(headSize) // an error comes again when what was read before it has been read
	switch e := encodingOf(head); e {
	case plain, binary:
		return b
	default:
		return e.decoder().Reader(b)
	}
}
