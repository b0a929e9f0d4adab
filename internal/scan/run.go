package scan

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/leak"
)

// hit is a match in a chunk, before its place is known. What it says of the secret is shared by all hits that say the
// same: a history holds a secret once for each version of its file.
type hit struct {
	*Finding           // without what follows
	line, column       int32
	endLine, endColumn int32
	opens              bool
	chunk              string
	place              *Place
}

// at is the finding of the hit at a place.
func (h *hit) at(p Place) Finding {
	f := *h.Finding
	f.Line, f.Column, f.EndLine, f.EndColumn, f.Opens = int(h.line), int(h.column), int(h.endLine), int(h.endColumn), h.opens
	f.Place = p
	return f
}

// saying holds one finding of those that say the same.
type saying map[sayingKey]*Finding

type sayingKey struct {
	rule, secret, match, line string
	score                     int
}

func (s saying) same(f *Finding) *Finding {
	k := sayingKey{f.Rule, f.Secret, f.Match, f.LineText, f.Score}
	if known := s[k]; known != nil && slices.Equal(known.Explain, f.Explain) && known.Decoded == f.Decoded && known.Confidence == f.Confidence {
		return known
	}
	s[k] = f
	return f
}

// Run scans all sources. The report is valid even when an error is returned: it holds what was found until then.
func Run(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	var report Report
	var failed error
	for _, src := range o.Sources {
		if err := o.source(ctx, src, &report); err != nil && failed == nil {
			failed = err
		}
	}
	if o.Keep != nil {
		report.Findings = o.Keep(report.Findings)
	}
	report.Findings = unique(report.Findings)
	for i := range report.Findings {
		f := &report.Findings[i]
		f.Identity = Identity(o.Key, f.Rule, f.Secret, f.Path)
		if f.from != "" {
			f.Former = []string{Identity(o.Key, f.Rule, f.Secret, f.from)}
		}
	}
	trace(report.Findings)
	if o.Drop != nil {
		n := len(report.Findings)
		report.Findings = slices.DeleteFunc(report.Findings, func(f Finding) bool { return o.Drop(&f) })
		report.Allowed += n - len(report.Findings)
	}
	report.Took = time.Since(began)
	return report, failed
}

func (o *Options) source(ctx context.Context, src Source, report *Report) error {
	var mu sync.Mutex
	var hits []hit
	known := saying{}
	var chunks, size, allowed atomic.Int64
	coverage, err := src.Each(ctx, func(c Chunk) []Region {
		found, stands, dropped := o.look(c)
		found = append(found, o.byName(c.Place)...)
		allowed.Add(int64(dropped))
		if n, b := chunks.Add(1), size.Add(c.size()); o.Progress != nil && n%256 == 0 {
			o.Progress(report.Coverage.Chunks+n, report.Coverage.Bytes+b)
		}
		if len(found) > 0 {
			mu.Lock()
			for _, h := range found {
				h.Finding = known.same(h.Finding)
				hits = append(hits, h)
			}
			mu.Unlock()
		}
		return stands
	})
	coverage.Chunks += chunks.Load()
	coverage.Bytes += size.Load()
	report.Allowed += int(allowed.Load())
	report.Coverage.Add(coverage)
	if len(hits) == 0 {
		return err
	}
	var ids []string
	seen := map[string]bool{}
	for _, h := range hits {
		if h.place == nil && !seen[h.chunk] {
			seen[h.chunk] = true
			ids = append(ids, h.chunk)
		}
	}
	slices.Sort(ids)
	var places map[string][]Place
	if len(ids) > 0 {
		var perr error
		if places, perr = src.Locate(ctx, ids); perr != nil && err == nil {
			err = fmt.Errorf("find where the secrets stand: %w", perr)
		}
	}
	// A secret stands in each version of its file, so that most findings are ones that others stand for. A configuration
	// that leaves out findings is asked about all of them first.
	moves := newMoves(hits)
	only := uniquer{at: map[uniqueKey]int{}, findings: report.Findings}
	for i := range hits {
		h := &hits[i]
		where := places[h.chunk]
		switch {
		case h.place != nil:
			where = []Place{*h.place}
		case len(where) == 0:
			where = []Place{{Object: h.chunk}}
		}
		for _, p := range where {
			f := h.at(p)
			f.from = moves.from(&f)
			if o.Keep != nil {
				only.findings = append(only.findings, f)
			} else {
				only.add(&f)
			}
		}
	}
	report.Findings = only.findings
	return err
}

func (c Chunk) size() int64 {
	if c.Regions == nil {
		return int64(len(c.Data))
	}
	n := 0
	for _, r := range c.Regions {
		n += r.End - r.Start
	}
	return int64(n)
}

// partFinder looks at parts of a text and has all of it for context.
type partFinder interface {
	FindIn(b []byte, parts []Region) iter.Seq[leak.Match]
}

// matches are those of the chunk's regions. A Finder that knows no parts looks at all of the text.
func (o *Options) matches(c Chunk) iter.Seq[leak.Match] {
	if c.Regions != nil {
		if f, ok := o.Finder.(partFinder); ok {
			return f.FindIn(c.Data, c.Regions)
		}
	}
	return o.Finder.Find(c.Data)
}

// look finds the secrets of a chunk, says where they stand, and how many were allowed by a comment.
func (o *Options) look(c Chunk) (found []hit, stands []Region, allowed int) {
	for m := range o.matches(c) {
		if m.Confidence < o.Confidence {
			continue
		}
		if secret := m.Secret(c.Data); holds(c.Old, secret) || holds(c.Moved, secret) {
			continue
		}
		stands = append(stands, Region{Start: m.Start, End: m.End})
		f := o.finding(c.Data, m)
		f.shift(c.Line, c.Column)
		if !o.AllowMarks && Allowed(f.LineText, f.Rule) {
			allowed++
			continue
		}
		h := hit{
			Finding: f, line: int32(f.Line), column: int32(f.Column), endLine: int32(f.EndLine), endColumn: int32(f.EndColumn),
			opens: c.opens(m.Start), chunk: c.ID, place: c.Place,
		}
		f.Line, f.Column, f.EndLine, f.EndColumn = 0, 0, 0, 0
		found = append(found, h)
	}
	return found, stands, allowed
}

func holds(text, secret []byte) bool { return len(text) > 0 && bytes.Contains(text, secret) }

// byName finds a file for its path. It has no lines.
func (o *Options) byName(at *Place) (found []hit) {
	if o.Named == nil || at == nil || at.Path == "" {
		return nil
	}
	for _, rule := range o.Named(at.Path) {
		f := &Finding{Rule: rule, Match: "file detected: " + at.Path}
		if o.Describe != nil {
			f.Description = o.Describe(rule)
		}
		found = append(found, hit{Finding: f, place: at})
	}
	return found
}

// opens reports that the line at i is new and the line before it is not: with it a change begins.
func (c Chunk) opens(i int) bool {
	line := bytes.LastIndexByte(c.Data[:i], '\n') + 1
	if len(c.Old) == 0 || line == 0 {
		return false
	}
	before := c.Data[bytes.LastIndexByte(c.Data[:line-1], '\n')+1 : line]
	return bytes.HasPrefix(c.Old, before) || bytes.Contains(c.Old, append([]byte{'\n'}, before...))
}

func (o *Options) finding(data []byte, m leak.Match) *Finding {
	secret := m.Secret(data)
	start, end := trimmed(data, m.Start, m.End)
	f := &Finding{
		Rule: m.Rule, Match: string(data[start:end]), Secret: string(secret), Entropy: Entropy(string(secret)),
		Score: m.Score, Confidence: m.Confidence, Decoded: m.Decoded, Explain: m.Explain,
	}
	if m.Decoded != "" {
		f.Match = strings.Trim(string(m.Shape), "\n")
	}
	if o.Describe != nil {
		f.Description = o.Describe(m.Rule)
	}
	f.Line = 1 + bytes.Count(data[:start], []byte("\n"))
	f.Column = start - bytes.LastIndexByte(data[:start], '\n')
	f.EndLine = f.Line + bytes.Count(data[start:end], []byte("\n"))
	f.EndColumn = end - bytes.LastIndexByte(data[:end], '\n') - 1
	from := bytes.LastIndexByte(data[:start], '\n') + 1
	to := end
	if i := bytes.IndexByte(data[end:], '\n'); i >= 0 {
		to += i
	} else {
		to = len(data)
	}
	const most = 4096
	f.LineText = string(data[max(from, start-most):min(to, end+most)])
	return f
}

// trimmed leaves out the line ends round a match: an expression may take them for what ends a word.
func trimmed(data []byte, start, end int) (int, int) {
	from, to := start, end
	for from < to && data[from] == '\n' {
		from++
	}
	for to > from && data[to-1] == '\n' {
		to--
	}
	if from == to {
		return start, end
	}
	return from, to
}

// shift is for a text that is the rest of another.
func (f *Finding) shift(lines, columns int) {
	if f.Line == 1 {
		f.Column += columns
	}
	if f.EndLine == 1 {
		f.EndColumn += columns
	}
	f.Line, f.EndLine = f.Line+lines, f.EndLine+lines
}

// Identity names a finding for ignore files and baselines: it stays the same when the line moves or history is rebased,
// and changes when the secret does.
func Identity(key []byte, rule, secret, path string) string {
	if len(key) == 0 {
		key = []byte("keephold finding v1")
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s\x00%s\x00%s", rule, secret, path)
	return hex.EncodeToString(h.Sum(nil)[:10])
}

// Entropy is Shannon's, of the runes of s, divided by its bytes, as the peers compute it.
func Entropy(s string) float64 {
	if s == "" {
		return 0
	}
	counts := map[rune]int{}
	for _, r := range s {
		counts[r]++
	}
	e, n := 0.0, 1/float64(len(s))
	for _, c := range counts {
		p := float64(c) * n
		e -= p * math.Log2(p)
	}
	return e
}

// allowMarks are the comments that allow a secret on their line: ours and the peers'.
var allowMarks = []string{"keephold:allow", "gitleaks:allow", "betterleaks:allow", "trufflehog:ignore", "pragma: allowlist secret", "pragma: whitelist secret", "pragma:allowlist secret", "nosecret"}

// Allowed reports that a comment on the line allows the secret. keephold:allow may name rules: keephold:allow=rule,rule.
func Allowed(line, rule string) bool {
	for _, mark := range allowMarks {
		i := strings.Index(line, mark)
		if i < 0 {
			continue
		}
		rest := line[i+len(mark):]
		if mark != "keephold:allow" || !strings.HasPrefix(rest, "=") {
			return true
		}
		names, _, _ := strings.Cut(rest[1:], " ")
		for name := range strings.SplitSeq(strings.TrimSpace(names), ",") {
			if name == rule {
				return true
			}
		}
	}
	return false
}

// uniqueKey is equal for findings of which one stands for all: the same secret in the same path; in a directory each line
// counts, and each link that leads to it.
type uniqueKey struct {
	rule, secret, path, link string
	line                     int
}

func (f *Finding) uniqueKey() uniqueKey {
	k := uniqueKey{rule: f.Rule, secret: f.Secret, path: f.Path, link: f.Link}
	if f.Commit == "" && f.Object == "" {
		k.line = f.Line
	}
	return k
}

// older orders findings by which of them stands for the others: the one of the oldest commit.
func older(a, b *Finding) int {
	return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Commit, b.Commit), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// uniquer collects findings and keeps the oldest of those that are the same.
type uniquer struct {
	findings []Finding
	at       map[uniqueKey]int
}

func (u *uniquer) add(f *Finding) {
	k := f.uniqueKey()
	i, ok := u.at[k]
	switch {
	case !ok:
		u.at[k] = len(u.findings)
		u.findings = append(u.findings, *f)
	case older(f, &u.findings[i]) < 0:
		u.findings[i] = *f
	}
}

// unique keeps one finding for each secret in a path and orders them by path and line.
func unique(in []Finding) []Finding {
	u := uniquer{at: map[uniqueKey]int{}, findings: in[:0]}
	for i := range in {
		f := in[i] // add writes over what was read already
		u.add(&f)
	}
	slices.SortStableFunc(u.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule), older(&a, &b))
	})
	return u.findings
}
