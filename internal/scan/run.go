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

// hit is a match in a chunk, before its place is known.
type hit struct {
	Finding
	chunk string
	place *Place
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
			hits = append(hits, found...)
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
	moves := newMoves(hits)
	for _, h := range hits {
		where := places[h.chunk]
		switch {
		case h.place != nil:
			where = []Place{*h.place}
		case len(where) == 0:
			where = []Place{{Object: h.chunk}}
		}
		for _, p := range where {
			f := h.Finding
			f.Place = p
			f.Identity = Identity(o.Key, f.Rule, f.Secret, p.Path)
			if from, ok := moves.from(f); ok {
				f.Former = []string{Identity(o.Key, f.Rule, f.Secret, from)}
			}
			report.Findings = append(report.Findings, f)
		}
	}
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
		f.Opens = c.opens(m.Start)
		if !o.AllowMarks && Allowed(f.LineText, f.Rule) {
			allowed++
			continue
		}
		found = append(found, hit{Finding: f, chunk: c.ID, place: c.Place})
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
		f := Finding{Rule: rule, Match: "file detected: " + at.Path}
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

func (o *Options) finding(data []byte, m leak.Match) Finding {
	secret := m.Secret(data)
	start, end := m.Start, m.End
	f := Finding{
		Rule: m.Rule, Match: string(data[start:end]), Secret: string(secret), Entropy: Entropy(string(secret)),
		Score: m.Score, Confidence: m.Confidence, Decoded: m.Decoded, Explain: m.Explain,
	}
	if m.Decoded != "" {
		f.Match = string(m.Shape)
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

// unique keeps one finding for each secret in a path: the one of the oldest commit; and orders them by path and line.
func unique(in []Finding) []Finding {
	slices.SortStableFunc(in, func(a, b Finding) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Commit, b.Commit), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	type key struct {
		id, link string
		line     int
	}
	seen := map[key]bool{}
	out := in[:0]
	for _, f := range in {
		k := key{id: f.Identity, link: f.Link}
		if f.Commit == "" && f.Object == "" {
			k.line = f.Line // in a directory each line counts
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}
