package dotenv

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// The codes of [Lint] beside those of errors.
const (
	CodeBOM          Code = "bom"                  // a byte order mark that a parser takes for part of the first name
	CodeHash         Code = "hash-without-space"   // node cuts the value there
	CodeDollar       Code = "dollar-expands"       // compose, godotenv, dotenv-expand and shells expand, others do not
	CodeEmptyDefault Code = "default-on-empty"     // :- differs on an empty value
	CodeCRLF         Code = "crlf-in-value"        // a multi-line value with \r\n
	CodeSingleQuote  Code = "single-quote-expands" // python-dotenv and dotenv-expand expand inside single quotes
	CodeDuplicate    Code = "duplicate"            // the first value is never used
	CodeParent       Code = "parent-directory"     // the file was found in a parent directory
	CodeExport       Code = "export-in-name"       // a parser takes export for part of the name
	CodeComment      Code = "comment-in-value"     // a parser takes the comment for part of the value
	CodeDisagree     Code = "disagreement"         // two parsers read different values
)

// Severity of a finding. An error makes a value wrong or a file dangerous.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing to know about a file. It holds no value.
type Finding struct {
	Code     Code
	Severity Severity
	Line     int
	Column   int
	Key      string
	Message  string
	Fix      string
}

// Linting says for whom a file is judged.
type Linting struct {
	Dialect    Dialect   // the parser that reads the file
	Others     []Dialect // parsers that read it too
	FoundAbove bool      // the file lies in a directory above the one the program runs in
}

// Lint judges a file. It goes on after lines that the dialect rejects.
func Lint(src []byte, l Linting) []Finding {
	c := &linter{src: string(src), linting: l}
	file, rejected, err := ParseLenient(l.Dialect, src)
	for _, e := range rejected {
		c.add(Error, e.Code, e.Line, e.Column, e.Key, e.Message, e.Fix)
	}
	if err != nil { // the parser gave up; what it would have read is judged by one that goes on
		file, _, err = ParseLenient(PythonDotenv, src)
	} else {
		for _, e := range file.Skipped() {
			if slices.ContainsFunc(rejected, func(r *SyntaxError) bool { return r.Line == e.Line }) {
				continue
			}
			c.add(Error, e.Code, e.Line, e.Column, "", e.Message, e.Fix)
		}
	}
	c.wholeFile()
	if err == nil {
		c.file = file
		seen := map[string]int{}
		for i := range file.bindings {
			if b := &file.bindings[i]; !b.foreign {
				c.binding(b, seen)
			}
		}
		c.disagreements()
	}
	sort.SliceStable(c.out, func(i, j int) bool {
		a, b := c.out[i], c.out[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return c.out
}

type linter struct {
	src     string
	linting Linting
	file    *File
	out     []Finding
}

func (c *linter) add(s Severity, code Code, line, column int, key, message, fix string) {
	c.out = append(c.out, Finding{Code: code, Severity: s, Line: line, Column: column, Key: key, Message: message, Fix: fix})
}

func (c *linter) at(s Severity, code Code, offset int, key, message, fix string) {
	e := newSyntaxError(c.src, offset, code, "", "")
	c.add(s, code, e.Line, e.Column, key, message, fix)
}

// has says whether one of the dialects reads the file, and which.
func (c *linter) has(dialects ...Dialect) (Dialect, bool) {
	for _, d := range append([]Dialect{c.linting.Dialect}, c.linting.Others...) {
		if slices.Contains(dialects, d) {
			return d, true
		}
	}
	return "", false
}

func (c *linter) wholeFile() {
	if c.linting.FoundAbove {
		c.add(Warning, CodeParent, 1, 1, "", "the file lies in a parent directory: a program started elsewhere finds another one or none",
			"name the file where it is loaded, or move it next to the program")
	}
	if strings.HasPrefix(c.src, bom) {
		if d, ok := c.has(Decouple, DecoupleINI, Godotenv, SOPS, POSIX); ok {
			c.add(Error, CodeBOM, 1, 1, "", fmt.Sprintf("%s takes the byte order mark for part of the first name", d),
				"save the file as UTF-8 without a byte order mark")
		}
	}
}

func (c *linter) binding(b *binding, seen map[string]int) {
	key := b.key
	if at, ok := seen[key]; ok {
		c.at(Warning, CodeDuplicate, b.keyStart, key, fmt.Sprintf("the value in line %d is never used", at), "keep one of the two")
	}
	seen[key] = lineOf(c.src, b.keyStart)
	if b.start < b.keyStart || strings.HasPrefix(key, "export ") {
		if d, ok := c.has(Decouple, Docker, SOPS); ok {
			c.at(Error, CodeExport, b.start, strings.TrimPrefix(key, "export "),
				fmt.Sprintf("%s does not know export and looks for a name with it", d), "remove export")
		}
	}
	if b.null || b.inherit {
		return
	}
	c.value(b)
}

// value looks at the value as it is written.
func (c *linter) value(b *binding) {
	raw := c.src[b.valStart:b.valEnd]
	inner, quoted := raw, b.quote
	if quoted != 0 && len(raw) >= 2 {
		inner = raw[1 : len(raw)-1]
	}
	_, lineEnd := lineBounds(c.src, b.valEnd)
	tail := c.src[b.valEnd:lineEnd]
	if quoted == 0 || b.text == raw {
		c.hash(b, raw+tail)
	}
	if strings.HasPrefix(strings.TrimLeft(tail, " \t"), "#") {
		if d, ok := c.has(Decouple, Docker, SOPS); ok {
			c.at(Error, CodeComment, b.valEnd, b.key, fmt.Sprintf("%s takes the comment for part of the value", d),
				"move the comment to a line of its own")
		}
	}
	if quoted != 0 && strings.Contains(inner, "\r\n") {
		c.at(Warning, CodeCRLF, b.valStart, b.key, "the value has \\r\\n inside: parsers give \\n or \\r\\n, each its own",
			`write the value on one line with \n, or save the file with \n line ends`)
	}
	c.dollar(b, inner, quoted)
}

// hash looks for a # that only some parsers take for a comment.
func (c *linter) hash(b *binding, text string) {
	i := strings.IndexByte(text, '#')
	if i < 0 || i > 0 && (text[i-1] == ' ' || text[i-1] == '\t') {
		return
	}
	if i == 0 && b.valStart > 0 && c.src[b.valStart-1] != '=' {
		return
	}
	c.at(Warning, CodeHash, b.valStart+i, b.key, "node cuts the value at this #, because no space is before it; others keep it",
		"put the value between quotes")
}

func (c *linter) dollar(b *binding, inner string, quoted byte) {
	i := strings.IndexByte(inner, '$')
	if strings.Contains(inner, "$(") || quoted == 0 && strings.Contains(inner, "`") && b.quote != '`' || quoted == '"' &&
		strings.Contains(inner, "`") {
		if quoted != '\'' || strings.Contains(inner, "$(") {
			c.at(Error, CodeCommand, b.valStart, b.key, "dotenv-expand, dotenvx or a shell would run a command in this value",
				"write the result of the command instead; never run what a file says")
			return
		}
	}
	if i < 0 {
		return
	}
	reference := nameLength(inner[i+1:]) > 0 || strings.Contains(inner, "${")
	switch {
	case quoted == '\'' && strings.Contains(inner, "${"):
		c.at(Warning, CodeSingleQuote, b.valStart, b.key, "python-dotenv and dotenv-expand expand ${…} also between single quotes; others do not",
			"do not use ${ in a value that is meant as it stands")
	case quoted != '\'' && reference:
		c.at(Warning, CodeDollar, b.valStart+strings.IndexByte(c.src[b.valStart:b.valEnd], '$'), b.key,
			"compose, godotenv, dotenv-expand and shells expand this; python-dotenv only ${NAME}, decouple, docker and node nothing",
			"put the value between single quotes if the dollar sign is part of it")
	}
	if strings.Contains(inner, ":-") && strings.Contains(inner, "${") {
		c.at(Warning, CodeEmptyDefault, b.valStart, b.key, "for an empty variable python-dotenv gives the empty text, others the default",
			"do not leave the variable empty: unset it")
	}
}

// disagreements compares what the parsers read; names with a finding already are left out.
func (c *linter) disagreements() {
	known := map[string]bool{}
	for _, f := range c.out {
		known[f.Key] = true
	}
	mine, err := c.file.Values(Reading{})
	if err != nil || c.file.dialect != c.linting.Dialect {
		return
	}
	for _, d := range c.linting.Others {
		f, err := Parse(d, []byte(c.src))
		if err != nil {
			var e *SyntaxError
			if errors.As(err, &e) {
				c.add(Error, CodeDisagree, e.Line, e.Column, e.Key, fmt.Sprintf("%s rejects the file here: %s", d, e.Message), e.Fix)
			}
			continue
		}
		theirs, err := f.Values(Reading{})
		if err != nil {
			continue
		}
		read := map[string]Variable{}
		for _, v := range theirs {
			read[v.Name] = v
		}
		for _, v := range mine {
			if o, ok := read[v.Name]; !known[v.Name] && (!ok || o.Value != v.Value || o.Null != v.Null) {
				known[v.Name] = true
				c.add(Warning, CodeDisagree, v.Line, 1, v.Name, fmt.Sprintf("%s and %s read different values", c.linting.Dialect, d),
					"put the value between single quotes, or set it with keephold and let it choose the form")
			}
		}
	}
}
