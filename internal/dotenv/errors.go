package dotenv

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Code names a finding, of a parse as of [Lint]. Codes are stable.
type Code string

// The codes of errors.
const (
	CodeSyntax       Code = "syntax"               // the parser of the dialect rejects the line
	CodeUnterminated Code = "unterminated"         // a quote that is not closed
	CodeCommand      Code = "command-substitution" // a value that a parser would execute
	CodeEncoding     Code = "encoding"             // not UTF-8
	CodeReference    Code = "reference"            // a reference that cannot be resolved
	CodeSkipped      Code = "skipped-line"         // the parser ignores the line silently
)

// SyntaxError is a place in a file and what is wrong there. It never holds a value.
type SyntaxError struct {
	File    string // set by whoever knows it
	Line    int    // from 1
	Column  int    // from 1, in characters
	Code    Code
	Message string
	Fix     string
	Key     string // of the assignment, if the error is in a value
	excerpt string // the line, masked
}

func (e *SyntaxError) Error() string {
	place := fmt.Sprintf("line %d, column %d", e.Line, e.Column)
	if e.File != "" {
		place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	if e.Key != "" {
		return fmt.Sprintf("%s: %s: %s", place, e.Key, e.Message)
	}
	return fmt.Sprintf("%s: %s", place, e.Message)
}

// Hint is the way out.
func (e *SyntaxError) Hint() string { return e.Fix }

// Caret draws the line with a caret under the place. Letters and digits that may belong to a value are masked.
func (e *SyntaxError) Caret() string {
	return e.excerpt + "\n" + strings.Repeat(" ", e.Column-1) + "^"
}

// Caret draws line number line of any text with a caret under a column, which is 1 or more characters from its start; a
// column of 0 is the first character that is no space. What may belong to a value is masked. Without such a line there
// is nothing to draw.
func Caret(src string, line, column int) string {
	lines := strings.Split(src, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := strings.TrimSuffix(lines[line-1], "\r")
	if column < 1 {
		column = len(text) - len(strings.TrimLeft(text, " \t")) + 1
	}
	column = min(column, utf8.RuneCountInString(text)+1)
	return mask(text) + "\n" + strings.Repeat(" ", column-1) + "^"
}

func newSyntaxError(src string, at int, code Code, message, fix string) *SyntaxError {
	at = min(max(at, 0), len(src))
	start, end := lineBounds(src, at)
	return &SyntaxError{
		Line: lineOf(src, at), Column: utf8.RuneCountInString(src[start:at]) + 1,
		Code: code, Message: message, Fix: fix, excerpt: mask(src[start:end]),
	}
}

// valueError is an error of a value, before its place is known.
type valueError struct {
	code         Code
	message, fix string
}

func (e *valueError) Error() string { return e.message }

// mask keeps the name of an assignment and the punctuation, and hides the rest, character by character so that a caret
// still points at the right place.
func mask(line string) string {
	name := 0
	if i := strings.IndexAny(line, "=:"); i >= 0 && isNameLike(line[:i]) {
		name = i
	}
	var b strings.Builder
	b.WriteString(line[:name])
	for _, r := range line[name:] {
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune('•')
		case r < 0x20 || r == utf8.RuneError || r >= 0x7f:
			b.WriteRune('•')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isNameLike says whether s is a name such as people write, so that showing it tells nothing secret.
func isNameLike(s string) bool {
	s = strings.TrimSpace(s)
	s = strings.TrimSpace(strings.TrimPrefix(s, "export "))
	if s == "" || len(s) > 80 {
		return false
	}
	for i, r := range s {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || r == '.' || r == '-')) {
			return false
		}
	}
	return true
}

// lineOf counts lines as most parsers do: a line ends with \n, \r\n or \r.
func lineOf(src string, at int) int {
	line := 1
	for i := 0; i < at && i < len(src); i++ {
		if src[i] == '\n' || src[i] == '\r' && (i+1 >= len(src) || src[i+1] != '\n') {
			line++
		}
	}
	return line
}

func lineBounds(src string, at int) (start, end int) {
	start = strings.LastIndexAny(src[:at], "\r\n") + 1
	end = len(src)
	if i := strings.IndexAny(src[at:], "\r\n"); i >= 0 {
		end = at + i
	}
	return start, end
}
