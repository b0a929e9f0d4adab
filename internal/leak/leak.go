// Package leak finds secrets in bytes.
//
// It is one rule engine with three users: a scanner that reports what it finds, a redactor that masks a stream and a
// history rewriter that masks blobs. Rules are data ([Rules]); [Compile] turns them into one keyword automaton and a
// small matcher for each rule, and [Engine.Find] walks a text once. What a rule finds is then judged by a transparent
// score: every point that was given or taken is in [Match.Explain].
//
// Call order: Compile(Rules()) once, then Find from as many goroutines as wanted; an Engine never changes.
// Nothing here reads files, prints or keeps state.
package leak

import "iter"

// A Finder reports the secrets in a text, ordered by Start. Implementations are safe for concurrent use, keep no
// reference to b, and never report a span outside of it.
type Finder interface {
	Find(b []byte) iter.Seq[Match]
}

// A Part is a stretch of a text.
type Part struct{ Start, End int }

// Confidence says how sure a match is.
type Confidence uint8

// The levels, in order: Low is a shape that often holds a secret, Medium a vendor's name beside a fitting value,
// High a format that hardly anything else has, Certain a value that was proved (checksum, parsed key, known value).
const (
	Low Confidence = iota + 1
	Medium
	High
	Certain
)

// String returns the lower-case name of the level.
func (c Confidence) String() string {
	switch c {
	case Low:
		return "low"
	case Medium:
		return "medium"
	case High:
		return "high"
	case Certain:
		return "certain"
	}
	return "none"
}

// ParseConfidence is the inverse of String.
func ParseConfidence(s string) (Confidence, bool) {
	for c := Low; c <= Certain; c++ {
		if c.String() == s {
			return c, true
		}
	}
	return 0, false
}

// A Match is one secret in a text. Start and End bound the whole shape (name, operator, value), SecretStart and
// SecretEnd the secret in it.
type Match struct {
	Rule                   string
	Start, End             int
	SecretStart, SecretEnd int
	Score                  int
	Confidence             Confidence
	Decoded                string   // the encodings that were undone to see it, outermost first, joined by ">"; empty for plain text
	Value                  []byte   // the decoded secret when Decoded is set; else nil, and the secret is b[SecretStart:SecretEnd]
	Shape                  []byte   // likewise the whole shape
	Explain                []Reason // why: the points that make up Score
}

// Secret returns the bytes of the secret that m found in b.
func (m Match) Secret(b []byte) []byte {
	if m.Decoded != "" {
		return m.Value
	}
	return b[m.SecretStart:m.SecretEnd]
}

// A Reason is one addend of a score.
type Reason struct {
	Points int
	Why    string
}

// Threshold is the score from which a candidate is a match.
const Threshold = 50

// A Rule describes one kind of secret. Exactly one of Pattern, Assigned and Regexp is set.
type Rule struct {
	ID          string
	Family      string // vendor or kind; empty means the ID up to its first dash
	Description string
	Keywords    []string // one of these occurs (in any case) wherever the rule matches
	Pattern     string   // a token that stands alone; see pattern.go for the language
	Assigned    string   // a value that follows one of the keywords as an assignment; same language
	Regexp      string   // a user's own expression (RE2), run on a window round a keyword
	Group       int      // the group of Regexp that holds the secret; 0 means the first one that matched, or all
	Near        string   // a word, in lower case, that must stand within the 400 bytes before
	Check       Check    // structural proof that the token must pass
	MinEntropy  float64  // bits per byte that the secret must exceed
	MinRandom   int      // how machine-drawn, from 0 to 100, the secret must look
	Confidence  Confidence
	Human       bool // the secret may be a word that a person chose; placeholders are refused instead
	Loose       bool // the token may stand directly beside other word characters
	Fold        bool // letter case does not matter in Pattern
	Identifier  bool // names something but opens nothing; reported only when asked for
	Good, Bad   []string
}
