package files_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
)

func secret(r *rand.Rand) string {
	b := make([]byte, 36)
	for i := range b {
		b[i] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"[r.IntN(56)]
	}
	return "gh" + "p_" + string(b)
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, src scan.Source) (paths []string, report scan.Report) {
	t.Helper()
	e, err := leak.Compile(leak.Rules())
	if err != nil {
		t.Fatal(err)
	}
	report, err = scan.Run(context.Background(), scan.Options{Sources: []scan.Source{src}, Finder: e})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		paths = append(paths, f.Path)
	}
	return paths, report
}

func TestSource(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	write(t, dir, "a.txt", []byte("x\ny "+secret(r)+"\n"))
	write(t, dir, "sub/deep/b.env", []byte("T="+secret(r)))
	write(t, dir, ".git/config", []byte(secret(r)))
	write(t, dir, "ignored/c", []byte(secret(r)))
	write(t, dir, "sub/kept.log", []byte(secret(r)))
	write(t, dir, "sub/x.log", []byte(secret(r)))
	write(t, dir, ".gitignore", []byte("/ignored/\n*.log\n!kept.log\n"))
	write(t, dir, "binary", append([]byte{0, 1, 2, 0, 7, 7}, secret(r)...))
	var wide []byte
	for _, c := range []byte("token " + secret(r)) {
		wide = append(wide, c, 0)
	}
	write(t, dir, "wide.txt", append([]byte{0xff, 0xfe}, wide...))
	write(t, dir, "big", append(bytes.Repeat([]byte("some text of a line\n"), 500_000), secret(r)...))
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	f, err := zw.Create("in/side.txt")
	if err != nil {
		t.Fatal(err)
	}
	var g bytes.Buffer
	gw := gzip.NewWriter(&g)
	gw.Write([]byte(secret(r)))
	gw.Close()
	f.Write(g.Bytes())
	zw.Close()
	write(t, dir, "z.zip", z.Bytes())
	if runtime.GOOS != "windows" {
		makePipe(t, filepath.Join(dir, "pipe"))
		if err := os.Symlink(dir, filepath.Join(dir, "sub", "loop")); err != nil {
			t.Fatal(err)
		}
	}
	base := func(paths []string) string {
		var out []string
		for _, p := range paths {
			rel, err := filepath.Rel(dir, p)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, filepath.ToSlash(rel))
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	paths, report := run(t, &files.Source{Roots: []string{dir}})
	if got, want := base(paths), "a.txt big ignored/c sub/deep/b.env sub/kept.log sub/x.log wide.txt"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(report.Coverage.Skipped) != 1 || report.Coverage.Skipped[0].Why != "device, pipe or socket" {
		t.Errorf("skipped %+v", report.Coverage.Skipped)
	}
	paths, _ = run(t, &files.Source{Roots: []string{dir}, Ignore: true, Links: true, Archives: 2})
	if got, want := base(paths), "a.txt big sub/deep/b.env sub/kept.log wide.txt z.zip!in/side.txt!side.txt"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	paths, report = run(t, &files.Source{Roots: []string{dir}, MaxSize: 1000, Archives: 2, MaxInside: 10, Exclude: func(p string) bool { return strings.Contains(p, "sub") }})
	if got, want := base(paths), "a.txt ignored/c wide.txt"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(report.Coverage.Skipped) != 3 {
		t.Errorf("skipped %+v", report.Coverage.Skipped)
	}
}

func TestStream(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := secret(r)
	text := strings.Repeat("a line of text that says nothing\n", 1<<18) + s + strings.Repeat("\nmore", 100)
	for cut := range 3 {
		paths, report := run(t, &files.Stream{Name: "stdin", Reader: strings.NewReader(strings.Repeat("x", cut*17) + text)})
		if len(paths) != 1 || report.Findings[0].Secret != s {
			t.Errorf("found %v", paths)
		}
	}
}

func FuzzArchive(f *testing.F) {
	var g bytes.Buffer
	w := gzip.NewWriter(&g)
	w.Write([]byte("text"))
	w.Close()
	f.Add(g.Bytes())
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte("BZh9"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := &files.Source{Roots: []string{path}, Archives: 3, MaxInside: 1 << 16}
		if _, err := s.Each(context.Background(), func(scan.Chunk) []scan.Region { return nil }); err != nil {
			t.Fatal(err)
		}
	})
}
