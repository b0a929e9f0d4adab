// Package scan looks for secrets in sources of content and says where they are.
//
// A [Source] (a directory, a git repository, a stream) hands out chunks; [Run] has a [leak.Finder] look at them, asks the
// source where the chunks with findings stand, drops what was allowed, and returns a [Report] that also says what was
// not looked at. A scan that could not see everything is never reported as clean.
package scan

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/leak"
)

// A Source hands out content. Sources are used once.
type Source interface {
	// Each calls visit for each chunk, from several goroutines at once, and returns when all calls are done. A chunk's
	// data may be reused after visit returns. What could not be read is counted in the coverage, not an error; an
	// error means that the source as a whole failed.
	Each(ctx context.Context, visit Visit) (Coverage, error)

	// Locate says where the chunks with these ids stand. It is called once, after Each, with the ids of the chunks
	// for which visit returned something. An id may stand in several places, or in none.
	Locate(ctx context.Context, ids []string) (map[string][]Place, error)
}

// Visit looks at a chunk and says where secrets stand in its data, allowed ones included. None means that it is clean.
type Visit func(Chunk) []Region

// A Chunk is a piece of content: a file, a blob, a message.
type Chunk struct {
	ID      string   // within the source
	Data    []byte   // the whole of it, for context and line numbers
	Regions []Region // what is new in Data, ordered and apart; nil means everything
	Old     []byte   // what stood here before: a secret that it holds is not new
	Moved   []byte   // what the same change takes away elsewhere: a secret that it holds only moves
	Line    int      // lines that stand before Data
	Column  int      // bytes of Data's first line that stand before it
	Place   *Place   // where it stands, when the source knows that already
}

// A Region is a part of a chunk.
type Region = leak.Part

// A Place says where a chunk stands.
type Place struct {
	Path          string
	Link          string // the symbolic link that led to Path, when one was followed
	Commit        string // empty outside of git
	Author, Email string
	Date          time.Time
	Message       string
	Object        string // the blob's id, when no commit holds it
	Left          []Left // what else the commit takes away
}

// Left is a chunk that a commit takes away from a path.
type Left struct {
	Path string
	ID   string // of the chunk
	Now  string // the chunk that stands there now; empty when none with a find does
}

// Coverage says what a source looked at and what it did not.
type Coverage struct {
	Chunks  int64
	Bytes   int64
	Commits int64
	Skipped []Skip   // what should have been looked at and was not
	Notes   []string // what was left out on purpose
}

// A Skip counts pieces that were not looked at for one reason.
type Skip struct {
	Why     string
	Count   int64
	Example string
}

// Complete reports that nothing was skipped.
func (c Coverage) Complete() bool { return len(c.Skipped) == 0 }

// Skip counts one piece that was not looked at.
func (c *Coverage) Skip(why, example string) { c.SkipN(why, example, 1) }

// SkipN counts several.
func (c *Coverage) SkipN(why, example string, n int64) {
	for i := range c.Skipped {
		if c.Skipped[i].Why == why {
			c.Skipped[i].Count += n
			return
		}
	}
	c.Skipped = append(c.Skipped, Skip{Why: why, Count: n, Example: example})
}

// Add merges what another source or worker counted.
func (c *Coverage) Add(o Coverage) {
	c.Chunks += o.Chunks
	c.Bytes += o.Bytes
	c.Commits += o.Commits
	for _, s := range o.Skipped {
		c.SkipN(s.Why, s.Example, s.Count)
	}
	for _, n := range o.Notes {
		known := false
		for _, m := range c.Notes {
			known = known || m == n
		}
		if !known {
			c.Notes = append(c.Notes, n)
		}
	}
}

// A Finding is a secret at a place.
type Finding struct {
	Rule        string
	Description string
	Place
	Line, Column       int // of the match, from 1
	EndLine, EndColumn int
	Match              string
	Secret             string
	LineText           string // the lines of the match
	Opens              bool   // the first line of a change begins with it
	Entropy            float64
	Score              int
	Confidence         leak.Confidence
	Decoded            string
	Explain            []leak.Reason
	Required           []Near // what else had to stand near it
	Identity           string // stays the same when lines and commits move
	Live               string // what the vendor says, when it was asked: live, dead or unknown
	Past
}

// Past says where a finding stood before.
type Past struct {
	Former []string // the identities that it had at the paths it was moved from, latest first
	from   string   // the path that it was moved from
}

// Near is what another rule found beside a finding that is none without it.
type Near struct {
	Rule   string
	Line   int
	Secret string
}

// A Report is the outcome of a scan.
type Report struct {
	Findings []Finding
	Allowed  int // dropped by a comment, an ignore file or a baseline
	Coverage Coverage
	Took     time.Duration
}

// Options configure a scan.
type Options struct {
	Sources    []Source
	Finder     leak.Finder                // one with FindIn, as leak.Engine, looks beyond a chunk's regions for context
	Confidence leak.Confidence            // the least to report; zero reports all
	Keep       func([]Finding) []Finding  // leaves out what a configuration excludes, uncounted; may be nil
	Named      func(path string) []string // rules that want a file for its path alone; may be nil
	Drop       func(*Finding) bool        // says that a finding is known and allowed; may be nil
	AllowMarks bool                       // ignore comments such as keephold:allow
	Describe   func(rule string) string   // the rule's description; may be nil
	Key        []byte                     // keys the hash of the secret in identities
	Progress   func(chunks, bytes int64)  // called now and then from any goroutine; may be nil
}
