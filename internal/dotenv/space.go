package dotenv

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const bom = "\ufeff"

func isSpaceOrBOM(r rune) bool { return r == '\ufeff' || isPythonSpace(r) }

// isPythonSpace is str.isspace of Python, which \s of its re module follows.
func isPythonSpace(r rune) bool { return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r) }

// isInlineSpace is Python's [^\S\r\n].
func isInlineSpace(r rune) bool { return r != '\r' && r != '\n' && isPythonSpace(r) }

// isJSSpace is \s of JavaScript (ECMA-262, WhiteSpace and LineTerminator).
func isJSSpace(r rune) bool { return r == '\ufeff' || r != 0x85 && unicode.IsSpace(r) }

// isGoDotenvSpace is the white space of godotenv and compose-go: no line feed.
func isGoDotenvSpace(r rune) bool {
	switch r {
	case '\t', '\v', '\f', '\r', ' ', 0x85, 0xA0:
		return true
	}
	return false
}

// leading counts the bytes at the start of s for which is holds.
func leading(s string, is func(rune) bool) int { return len(s) - len(strings.TrimLeftFunc(s, is)) }

// notUTF8 reports the first byte of src that is not UTF-8, for parsers that decode first and fail as a whole.
func notUTF8(src string) *SyntaxError {
	if utf8.ValidString(src) {
		return nil
	}
	at := 0
	for at < len(src) {
		r, n := utf8.DecodeRuneInString(src[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return newSyntaxError(src, at, CodeEncoding, "the file is not UTF-8 here", "save the file as UTF-8")
}

// unixLines is what reading in Python's text mode does to line ends.
func unixLines(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}
