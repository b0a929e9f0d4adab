package files

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/bodgit/sevenzip"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// archive is one outermost archive being read. left is what may still be taken out of it, over all layers: a bomb ends
// there, however deep it is nested.
type archive struct {
	w    *worker
	left int64
}

// What is packed closer than this and comes to more than ratioFrom is a bomb: text packs twenty to one, and lines that
// repeat two hundred to one.
const (
	ratioMost = 400
	ratioFrom = 8 << 20
)

type opener func(a *archive, name string, b []byte, depth int) error

const (
	maxMember  = 256 << 20
	maxMembers = 100_000
)

// archiveOf tells archives by their first bytes.
func archiveOf(b []byte) opener {
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return (*archive).zip
	case bytes.HasPrefix(b, []byte{0x1f, 0x8b}):
		return (*archive).gzip
	case bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return (*archive).zstd
	case bytes.HasPrefix(b, []byte("BZh")):
		return (*archive).bzip2
	case bytes.HasPrefix(b, []byte("\xfd7zXZ\x00")):
		return (*archive).xz
	case bytes.HasPrefix(b, []byte("7z\xbc\xaf\x27\x1c")):
		return (*archive).sevenZip
	case len(b) > 262 && bytes.Equal(b[257:262], []byte("ustar")):
		return (*archive).tar // an image of docker save or OCI is one, and so are its layers
	}
	return nil
}

var errBound = errors.New("the bound on what may be unpacked is reached")

// take reads a member within the bounds. packed is how long it is in the archive, 0 when that is not known.
func (a *archive) take(name string, r io.Reader, packed int64) ([]byte, bool) {
	most := min(a.left, maxMember)
	if packed > 0 {
		most = min(most, max(ratioFrom, ratioMost*packed))
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	a.left -= int64(len(b))
	switch {
	case int64(len(b)) > most:
		a.w.cover.Skip(errBound.Error(), name)
		return nil, false
	case err != nil:
		a.w.cover.Skip("archive cannot be read", name)
		return nil, false
	}
	return b, true
}

// inner hands on a member, which may be an archive itself.
func (a *archive) inner(name string, b []byte, depth int) {
	if open := archiveOf(b); open != nil && depth < a.w.s.Archives {
		if err := open(a, name, b, depth); err != nil {
			a.w.cover.Skip("archive cannot be read", name)
		}
		return
	}
	a.w.content(name, b, a.w.s.Archives)
}

func (a *archive) zip(name string, b []byte, depth int) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	for i, f := range z.File {
		if i >= maxMembers || a.left <= 0 {
			return errBound
		}
		if f.FileInfo().IsDir() {
			continue
		}
		member := name + "!" + f.Name
		if f.Flags&1 != 0 {
			a.w.cover.Skip("archive member is encrypted", member)
			continue
		}
		r, err := f.Open()
		if err != nil {
			a.w.cover.Skip("archive cannot be read", member)
			continue
		}
		if data, ok := a.take(member, r, int64(max(1, f.CompressedSize64))); ok { //nolint:gosec // longer than the file it cannot be
			a.inner(member, data, depth+1)
		}
		r.Close()
	}
	return nil
}

func (a *archive) tar(name string, b []byte, depth int) error {
	return a.members(name, bytes.NewReader(b), depth)
}

func (a *archive) members(name string, r io.Reader, depth int) error {
	t := tar.NewReader(r)
	for range maxMembers {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		member := name + "!" + path.Clean(h.Name)
		if data, ok := a.take(member, t, 0); ok {
			a.inner(member, data, depth+1)
		}
		if a.left <= 0 {
			return errBound
		}
	}
	return errBound
}

func (a *archive) gzip(name string, b []byte, depth int) error {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return a.single(name, z, depth, ".gz", len(b))
}

func (a *archive) bzip2(name string, b []byte, depth int) error {
	return a.single(name, bzip2.NewReader(bytes.NewReader(b)), depth, ".bz2", len(b))
}

func (a *archive) zstd(name string, b []byte, depth int) error {
	z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMember))
	if err != nil {
		return err
	}
	defer z.Close()
	return a.single(name, z, depth, ".zst", len(b))
}

func (a *archive) xz(name string, b []byte, depth int) error {
	z, err := xz.ReaderConfig{DictCap: maxDictionary}.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return a.single(name, z, depth, ".xz", len(b))
}

// maxDictionary bounds what an xz file makes its reader allocate; xz -9 asks for 64 MiB.
const maxDictionary = 64 << 20

func (a *archive) sevenZip(name string, b []byte, depth int) (err error) {
	defer func() {
		if r := recover(); r != nil { // the library is young, and the bytes are anybody's
			err = fmt.Errorf("%s: %v", name, r)
		}
	}()
	z, err := sevenzip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	packed := int64(len(b)) // its members are packed together
	for i, f := range z.File {
		if i >= maxMembers || a.left <= 0 {
			return errBound
		}
		if f.FileInfo().IsDir() {
			continue
		}
		member := name + "!" + path.Clean(f.Name)
		r, err := f.Open()
		if err != nil {
			a.w.cover.Skip("archive cannot be read", member)
			continue
		}
		if data, ok := a.take(member, r, packed); ok {
			a.inner(member, data, depth+1)
		}
		_ = r.Close() // it was only read
	}
	return nil
}

// single unpacks a compressed file: a tar in it counts as the same layer.
func (a *archive) single(name string, r io.Reader, depth int, ext string, packed int) error {
	data, ok := a.take(name, r, int64(packed))
	if !ok {
		return nil
	}
	if len(data) > 262 && bytes.Equal(data[257:262], []byte("ustar")) {
		return a.tar(name, data, depth)
	}
	a.inner(name+"!"+strings.TrimSuffix(path.Base(name), ext), data, depth+1)
	return nil
}
