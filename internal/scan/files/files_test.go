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
	"unicode/utf16"

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

// TestStream puts a secret in each place where windows meet, also where a line is longer than one, in each encoding.
func TestStream(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const window = 8 << 20
	for _, at := range []int{0, window - 65_536, window - 20, 2*window - 65_536 - 3} {
		for name, filler := range map[string]string{"lines": "a line of text that says nothing\n", "one line": "text without an end, "} {
			s := secret(r)
			before := strings.Repeat(filler, at/len(filler)+1)[:at] + " "
			text := before + s + strings.Repeat(" "+filler, 1000) // more than a margin
			line, column := 1+strings.Count(before, "\n"), len(before)-strings.LastIndexByte(before, '\n')
			for kind, encode := range map[string]func(string) []byte{"UTF-8": func(s string) []byte { return []byte(s) }, "UTF-16": wide} {
				_, report := run(t, &files.Stream{Name: "stdin", Reader: bytes.NewReader(encode(text))})
				if len(report.Findings) != 1 || report.Findings[0].Secret != s {
					t.Errorf("%s, %s, at %d: %d findings, want the secret once", kind, name, at, len(report.Findings))
					continue
				}
				f := report.Findings[0]
				if f.Line != line || f.EndLine != line || f.Column != column || f.EndColumn != column+len(s)-1 {
					t.Errorf("%s, %s, at %d: at %d:%d to %d:%d, want %d:%d and %d bytes", kind, name, at, f.Line, f.Column, f.EndLine, f.EndColumn, line, column, len(s))
				}
				if report.Coverage.Bytes != int64(len(text)) {
					t.Errorf("%s, %s, at %d: %d bytes looked at, want %d", kind, name, at, report.Coverage.Bytes, len(text))
				}
			}
		}
	}
}

// wide is little-endian UTF-16 with a byte order mark.
func wide(s string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// TestTextWithZeros finds what stands in a list of items that zero bytes end, and in a log that a crash tore.
func TestTextWithZeros(t *testing.T) {
	s := secret(rand.New(rand.NewPCG(5, 6)))
	for name, tt := range map[string]struct {
		text  string
		found int
	}{
		"items":  {"HOME=/root\x00TOKEN=" + s + "\x00LANG=de_DÉ\x00", 1},
		"torn":   {"started\n" + strings.Repeat("\x00", 100) + strings.Repeat("a line of a log\n", 40) + "token " + s + "\n", 1},
		"binary": {"\x7fELF\x02\x01\x01\x00\x00\x00" + s + "\x00", 0},
		"latin":  {"caf\xe9\x00" + s, 0},
	} {
		path := filepath.Join(t.TempDir(), "f")
		write(t, filepath.Dir(path), "f", []byte(tt.text))
		if _, report := run(t, &files.Source{Roots: []string{path}}); len(report.Findings) != tt.found {
			t.Errorf("%s: %d findings, want %d", name, len(report.Findings), tt.found)
		}
		// On a stream somebody wants everything to be looked at.
		if _, report := run(t, &files.Stream{Name: "stdin", Reader: strings.NewReader(tt.text)}); len(report.Findings) != 1 {
			t.Errorf("%s on stdin: %d findings, want 1", name, len(report.Findings))
		}
	}
}

// TestStreamOfArchive is not opened, and that is said.
func TestStreamOfArchive(t *testing.T) {
	_, report := run(t, &files.Stream{Name: "stdin", Reader: strings.NewReader("PK\x03\x04rest"), Archives: true})
	if len(report.Coverage.Skipped) != 1 {
		t.Errorf("skipped %+v", report.Coverage.Skipped)
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
