// Package files hands the content of directories, single files and streams to the scanner.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/keephold/keephold/internal/scan"
)

// Source is a set of files and directories.
type Source struct {
	Roots     []string          // as given on the command line; findings are named below them
	Ignore    bool              // honour .gitignore files
	Links     bool              // follow symbolic links
	Targets   bool              // of followed links take those to files only, and name what they lead to, as gitleaks does
	Exclude   func(string) bool // leaves a path out; may be nil
	MaxSize   int64             // a larger file is counted as not scanned; 0 means DefaultMaxSize
	Archives  int               // how many layers of archives are opened
	MaxInside int64             // bytes taken out of one archive; 0 means DefaultMaxInside
}

// DefaultArchives is how many layers of archives a scan opens: a jar in a war in an ear in a layer of an image.
const DefaultArchives = 5

// Bounds that hold when none is given.
const (
	DefaultMaxSize   = 1 << 30
	DefaultMaxInside = 1 << 30
)

var _ scan.Source = (*Source)(nil)

// item is a file to be read.
type item struct {
	path string
	link string // that led to it
	size int64
}

// worker is what one goroutine needs to read files.
type worker struct {
	s     *Source
	visit scan.Visit
	buf   []byte
	link  string // that led to the file at hand
	cover scan.Coverage
	dull  int64 // binary files
}

// Each implements [scan.Source].
func (s *Source) Each(ctx context.Context, visit scan.Visit) (scan.Coverage, error) {
	items := make(chan item, 256)
	workers := make([]*worker, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i := range workers {
		w := &worker{s: s, visit: visit}
		workers[i] = w
		wg.Go(func() {
			for it := range items {
				if ctx.Err() == nil {
					w.file(it)
				}
			}
		})
	}
	walk := walk{s: s, ctx: ctx, out: items, seen: map[string]bool{}}
	var failed error
	for _, root := range s.Roots {
		if err := walk.root(root); err != nil && failed == nil {
			failed = err
		}
	}
	close(items)
	wg.Wait()
	cover, dull := walk.cover, int64(0)
	for _, w := range workers {
		cover.Add(w.cover)
		dull += w.dull
	}
	if dull > 0 {
		cover.Notes = append(cover.Notes, left(dull))
	}
	if err := ctx.Err(); err != nil {
		cover.Skip("interrupted", "")
		return cover, fmt.Errorf("scan of files: %w", err)
	}
	return cover, failed
}

func left(dull int64) string {
	if dull == 1 {
		return "1 binary file left out"
	}
	return fmt.Sprintf("%d binary files left out", dull)
}

// Locate implements [scan.Source]; its chunks carry their places.
func (s *Source) Locate(context.Context, []string) (map[string][]scan.Place, error) { return nil, nil }

func here(ids []string) map[string][]scan.Place {
	out := make(map[string][]scan.Place, len(ids))
	for _, p := range ids {
		out[p] = []scan.Place{{Path: filepath.ToSlash(p)}}
	}
	return out
}

func (w *worker) file(it item) {
	w.link = filepath.ToSlash(it.link)
	most := w.s.MaxSize
	if most == 0 {
		most = DefaultMaxSize
	}
	if it.size > most {
		w.cover.Skip("file larger than the bound", it.path)
		return
	}
	const mapped = 8 << 20
	if it.size > mapped {
		b, unmap, err := scan.MapFile(it.path)
		if err != nil {
			w.cover.Skip("file cannot be read", it.path)
			return
		}
		w.content(it.path, b, 0)
		if err := unmap(); err != nil {
			w.cover.Skip("file cannot be read", it.path)
		}
		return
	}
	f, err := os.Open(it.path)
	if err != nil {
		w.cover.Skip("file cannot be read", it.path)
		return
	}
	defer f.Close()
	w.buf = slices.Grow(w.buf[:0], int(it.size)+1)
	for {
		n, err := f.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || int64(len(w.buf)) > most {
			w.cover.Skip("file cannot be read", it.path)
			return
		}
		if len(w.buf) == cap(w.buf) {
			w.buf = slices.Grow(w.buf, cap(w.buf))
		}
	}
	w.content(it.path, w.buf, 0)
}

// content hands a file on as text, or opens it when it is an archive.
func (w *worker) content(path string, b []byte, depth int) {
	if depth < w.s.Archives {
		if open := archiveOf(b); open != nil {
			a := &archive{w: w, left: w.s.MaxInside}
			if a.left == 0 {
				a.left = DefaultMaxInside
			}
			if err := open(a, path, b, depth); err != nil {
				w.cover.Skip("archive cannot be read", path)
			}
			return
		}
	}
	text, ok := scan.Text(b)
	if !ok && w.s.Archives > 0 && archiveOf(b) != nil {
		w.cover.Skip("archive in more layers than are opened", path)
		return
	}
	if !ok {
		w.dull++
		return
	}
	if len(text) > 0 {
		w.visit(scan.Chunk{ID: path, Data: text, Place: &scan.Place{Path: filepath.ToSlash(path), Link: w.link}})
	}
}

// walk goes through directories.
type walk struct {
	s     *Source
	ctx   context.Context
	out   chan<- item
	seen  map[string]bool // real paths of directories, when links are followed
	cover scan.Coverage
}

func (w *walk) root(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if w.s.Exclude != nil && w.s.Exclude(root) {
			return nil
		}
		w.add(root, "", info)
		return nil
	}
	w.dir(root, nil, "")
	return nil
}

// dir reads a directory in the order of names. rules are those of the directories above; rel is the path below the root.
func (w *walk) dir(dir string, rules *ignore, rel string) {
	if w.ctx.Err() != nil {
		return
	}
	if w.s.Links {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			w.cover.Skip("directory cannot be read", dir)
			return
		}
		if w.seen[real] {
			w.cover.Notes = append(w.cover.Notes, "a symbolic link leads back to "+dir)
			return
		}
		w.seen[real] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.cover.Skip("directory cannot be read", dir)
		return
	}
	if w.s.Ignore {
		rules = rules.read(filepath.Join(dir, ".gitignore"), rel)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		below := e.Name()
		if rel != "" {
			below = rel + "/" + e.Name()
		}
		w.entry(path, below, e, rules)
	}
}

func (w *walk) entry(path, rel string, e fs.DirEntry, rules *ignore) {
	isDir, link := e.IsDir(), ""
	var info fs.FileInfo
	var err error
	if e.Type()&fs.ModeSymlink != 0 {
		if !w.s.Links {
			return
		}
		if info, err = os.Stat(path); err != nil {
			w.cover.Skip("symbolic link leads nowhere", path)
			return
		}
		isDir = info.IsDir()
		if w.s.Targets {
			if isDir {
				return
			}
			link = path
			if path, err = filepath.EvalSymlinks(path); err != nil {
				w.cover.Skip("symbolic link leads nowhere", link)
				return
			}
		}
	}
	if isDir && e.Name() == ".git" || rules.match(rel, isDir) || w.s.Exclude != nil && w.s.Exclude(path) {
		return
	}
	if isDir {
		w.dir(path, rules, rel)
		return
	}
	if info == nil {
		if info, err = e.Info(); err != nil {
			w.cover.Skip("file cannot be read", path)
			return
		}
	}
	w.add(path, link, info)
}

func (w *walk) add(path, link string, info fs.FileInfo) {
	if !info.Mode().IsRegular() {
		w.cover.Skip("device, pipe or socket", path)
		return
	}
	if info.Size() == 0 {
		return
	}
	select {
	case w.out <- item{path, link, info.Size()}:
	case <-w.ctx.Done():
	}
}
