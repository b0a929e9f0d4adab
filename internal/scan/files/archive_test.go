package files_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
)

func packed(t *testing.T, text []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t *testing.T, name string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gz(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }

// TestArchives finds a secret in each kind of archive, and in a layer of an image.
func TestArchives(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	line := func() []byte { return []byte("x\ntoken = " + secret(r) + "\n") }
	image := tarOf(t, "blobs/sha256/abc", packed(t, tarOf(t, "etc/app.conf", line()), gz))
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"a.xz":      {packed(t, line(), func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }), "a.xz!a"},
		"a.zst":     {packed(t, line(), func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }), "a.zst!a"},
		"a.tar.gz":  {packed(t, tarOf(t, "b/c", line()), gz), "a.tar.gz!b/c"},
		"image.tar": {image, "image.tar!blobs/sha256/abc!etc/app.conf"},
	} {
		dir := t.TempDir()
		write(t, dir, name, c.text)
		paths, report := run(t, &files.Source{Roots: []string{dir}, Archives: 2})
		if len(paths) != 1 || paths[0] != filepath.ToSlash(filepath.Join(dir, c.want)) || !report.Coverage.Complete() {
			t.Errorf("%s: %v, skipped %v", name, paths, report.Coverage.Skipped)
		}
	}
	e, err := leak.Compile(leak.Rules())
	if err != nil {
		t.Fatal(err)
	}
	seven, err := scan.Run(t.Context(), scan.Options{Sources: []scan.Source{&files.Source{Roots: []string{"testdata/one.7z"}, Archives: 1}}, Finder: e, AllowMarks: true})
	if err != nil || len(seven.Findings) != 1 || seven.Findings[0].Path != "testdata/one.7z!in/side.txt" {
		t.Errorf("7z: %v %+v", err, seven)
	}
}

// TestBomb ends at a bound, says so, and goes on with the next file.
func TestBomb(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	dir := t.TempDir()
	write(t, dir, "bomb.gz", packed(t, make([]byte, 64<<20), gz))
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	for _, name := range []string{"zeros", "after"} {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		text := []byte(secret(r))
		if name == "zeros" {
			text = make([]byte, 64<<20)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "bomb.zip", z.Bytes())
	paths, report := run(t, &files.Source{Roots: []string{dir}, Archives: 2})
	if len(paths) != 1 || !strings.HasSuffix(paths[0], "bomb.zip!after") {
		t.Errorf("found %v", paths)
	}
	if s := report.Coverage.Skipped; len(s) != 1 || s[0].Count != 2 || !strings.Contains(s[0].Why, "bound") {
		t.Errorf("skipped %+v", s)
	}
}

// TestNotebook finds what a notebook's cells hold, and what they printed.
func TestNotebook(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	b, err := json.MarshalIndent(map[string]any{"nbformat": 4, "cells": []any{map[string]any{
		"cell_type": "code", "source": []string{"import os\n", "client = connect(\"" + secret(r) + "\")\n"},
		"outputs": []any{map[string]any{"output_type": "stream", "text": []string{"signed in with " + secret(r) + "\n"}}},
	}}}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "a.ipynb", b)
	if paths, _ := run(t, &files.Source{Roots: []string{dir}}); len(paths) != 2 {
		t.Errorf("found %v", paths)
	}
}

// TestHardFiles looks at a line of a megabyte and at bytes that are no UTF-8.
func TestHardFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	dir := t.TempDir()
	write(t, dir, "long", []byte(strings.Repeat("abc ", 1<<18)+secret(r)+strings.Repeat(" def", 1<<18)))
	write(t, dir, "latin", []byte("caf\xe9 \xff\xfe "+secret(r)+" \x80\n"))
	if paths, _ := run(t, &files.Source{Roots: []string{dir}}); len(paths) != 2 {
		t.Errorf("found %v", paths)
	}
}

// TestArchiveTooDeep counts what lies deeper than is looked, and opens it when it is asked to.
func TestArchiveTooDeep(t *testing.T) {
	b := []byte(secret(rand.New(rand.NewPCG(9, 9))))
	for range 3 {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		f, err := z.Create("inner")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		b = out.Bytes()
	}
	dir := t.TempDir()
	write(t, dir, "nested.zip", b)
	for depth, want := range map[int]struct{ found, skipped int }{0: {0, 0}, 1: {0, 1}, 2: {0, 1}, 3: {1, 0}, files.DefaultArchives: {1, 0}} {
		_, report := run(t, &files.Source{Roots: []string{dir}, Archives: depth})
		if len(report.Findings) != want.found || len(report.Coverage.Skipped) != want.skipped {
			t.Errorf("depth %d: %d findings and skipped %+v, want %+v", depth, len(report.Findings), report.Coverage.Skipped, want)
		}
	}
}
