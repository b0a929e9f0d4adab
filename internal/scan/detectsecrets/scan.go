package detectsecrets

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// scanFile finds the secrets of one file, named as the baseline names it. unread says why it could not be looked at.
func (e *engine) scanFile(path, name string) (found []*secret, unread error) {
	if e.filters.skipFile(name) {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		if e.filters.on[filterInvalidFile] {
			return nil, nil
		}
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, nil // binary, for the peer
	}
	for _, lines := range views(universal(string(b)), name) {
		if found = e.scanLines(lines, name); len(found) > 0 {
			break
		}
	}
	return found, nil
}

// universal turns all line ends into one byte, as Python does when it reads a text.
func universal(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// views are the ways to look at a file, of which the first that shows a secret counts: as what it is written in, or line
// by line; then, for files of no known kind, as settings without sections.
func views(text, name string) [][]string {
	out := [][]string{plainView(text, name)}
	if typeOf(name) == typeOther {
		if lines, err := iniLines(text, true); err == nil && len(lines) > 0 {
			out = append(out, lines)
		}
	}
	return out
}

func plainView(text, name string) []string {
	if lines, err := iniLines(text, false); err == nil {
		if len(lines) > 0 {
			return lines
		}
		return splitLines(text)
	}
	if typeOf(name) == typeYAML {
		if lines, err := yamlLines(text); err == nil && len(lines) > 0 {
			return lines
		}
	}
	return splitLines(text)
}

func trimRight(line string) string {
	return strings.TrimRightFunc(line, func(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f })
}

func (e *engine) scanLines(lines []string, name string) []*secret {
	set := collection{}
	var out []*secret
	for i, line := range lines {
		line = trimRight(line)
		if line == "" {
			continue
		}
		previous := ""
		if i > 0 {
			previous = lines[i-1]
		}
		for _, f := range e.line(line, previous, name, false) {
			s := &secret{kind: f.detector.kind, file: name, hash: hash(f.value), line: i + 1, value: f.value}
			if _, ok := set[s.id()]; !ok {
				set.add(s)
				out = append(out, s)
			}
		}
	}
	return out
}

// finding is a value that a detector saw in a line.
type finding struct {
	detector *detector
	value    string
}

// line finds the secrets of a line that no filter drops. loose is for a line that is known to hold one.
func (e *engine) line(line, previous, name string, loose bool) []finding {
	if !loose && e.filters.skipLine(name, line, previous) || e.filters.verified {
		return nil
	}
	c := seen{file: typeOf(name), exclude: e.exclude}
	var out []finding
	for i := range e.detectors {
		d := &e.detectors[i]
		for _, v := range d.values(line, c, loose) {
			if !e.filters.skipSecret(v, line, d.rules) {
				out = append(out, finding{d, v})
			}
		}
	}
	return out
}

// values are what a detector sees in a line, each once. The two of entropy see unquoted strings too when loose is asked
// for and nothing quoted is there; those are not held against the limit.
func (d *detector) values(line string, c seen, loose bool) []string {
	found := d.find(line, c)
	if d.measure != nil {
		if len(found) == 0 && loose {
			return d.loose(line)
		}
		found = slices.DeleteFunc(found, func(v string) bool { return d.measure(v) <= d.limit })
	}
	var out []string
	for _, v := range found {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// file is one to be scanned: where it is, and how it is named.
type file struct{ path, name string }

// scanAll scans files on all processors. It returns what could not be read.
func (e *engine) scanAll(files []file) (collection, []string) {
	var mu sync.Mutex
	var next atomic.Int64
	var wg sync.WaitGroup
	all := collection{}
	var unread []string
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				found, err := e.scanFile(files[i].path, files[i].name)
				mu.Lock()
				for _, s := range found {
					all.add(s)
				}
				if err != nil {
					unread = append(unread, files[i].name)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(unread)
	return all, unread
}
