package dotenv

import (
	"sort"
	"strings"
)

// Kind says what a piece of a file is.
type Kind uint8

const (
	Space   Kind = iota // white space, newlines and a byte order mark
	Comment             // from # (or ; in an ini file) to the end of the line
	Binding             // a name with or without a value
	Section             // [name] of an ini file
	Junk                // what the parser ignores although it is none of these
)

// Piece is a part of a file. The pieces of a file follow each other without a gap and are together its source.
type Piece struct {
	Kind       Kind
	Start, End int    // in bytes
	Key        string // of a Binding
	ValueStart int    // of a Binding with a value, quotes included
	ValueEnd   int
}

// Pieces returns the pieces of the file in order.
func (f *File) Pieces() []Piece { return append([]Piece(nil), f.pieces...) }

// binding is one assignment as a scanner found it.
type binding struct {
	key              string
	start, end       int // the statement, from export or the name to the end of the value
	keyStart, keyEnd int
	valStart, valEnd int    // quotes included; equal for an empty value or none
	text             string // between the quotes, not yet unescaped where unescaping and expanding are one step
	quote            byte   // ' " ` or 0
	null             bool   // no value
	inherit          bool   // the value is that of the environment, if it has one
	foreign          bool   // in a section that the parser does not look at
}

// scannerOf gives the function that finds the bindings of a dialect; nil for an unknown dialect. A scanner returns the
// bindings in order and what the parser rejects.
func scannerOf(d Dialect) func(src string) ([]binding, []*SyntaxError) {
	switch d {
	case PythonDotenv:
		return scanPython
	case Decouple:
		return scanDecouple
	case DecoupleINI:
		return scanINI
	case Compose:
		return scanCompose
	case Docker:
		return scanDocker
	case Node, NodeExpand:
		return scanNode
	case Godotenv:
		return scanGodotenv
	case SOPS:
		return scanSOPS
	case POSIX:
		return scanPOSIX
	}
	return nil
}

// tile covers src with nodes: the bindings, and what lies between them.
func tile(d Dialect, src string, bindings []binding) []Piece {
	sorted := make([]*binding, 0, len(bindings))
	for i := range bindings {
		sorted = append(sorted, &bindings[i])
	}
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].start < sorted[j].start })
	var nodes []Piece
	at := 0
	for _, b := range sorted {
		if b.start < at || b.end < b.start { // overlapping statements cannot be told apart; the first keeps its place
			continue
		}
		nodes = tileGap(d, src, at, b.start, nodes)
		if b.end > b.start {
			nodes = append(nodes, Piece{Kind: Binding, Start: b.start, End: b.end, Key: b.key,
				ValueStart: b.valStart, ValueEnd: b.valEnd})
		}
		at = b.end
	}
	return tileGap(d, src, at, len(src), nodes)
}

// tileGap covers src[from:to], which holds no binding, line by line.
func tileGap(d Dialect, src string, from, to int, nodes []Piece) []Piece {
	for from < to {
		rest := src[from:to]
		if n := len(rest) - len(strings.TrimLeftFunc(rest, isSpaceOrBOM)); n > 0 {
			nodes = append(nodes, Piece{Kind: Space, Start: from, End: from + n})
			from += n
			continue
		}
		n := strings.IndexAny(rest, "\r\n")
		if n < 0 {
			n = len(rest)
		}
		nodes = append(nodes, Piece{Kind: gapKind(d, rest), Start: from, End: from + n})
		from += n
	}
	return nodes
}

func gapKind(d Dialect, rest string) Kind {
	switch {
	case rest[0] == '#':
		return Comment
	case d == DecoupleINI && rest[0] == ';':
		return Comment
	case d == DecoupleINI && rest[0] == '[':
		return Section
	case d == POSIX && rest[0] == ';':
		return Space
	}
	return Junk
}
