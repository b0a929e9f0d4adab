package git

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/scan"
)

func FuzzPatch(f *testing.F) {
	f.Add([]byte("base text"), []byte("\x09\x05\x91\x00\x05"))
	f.Add([]byte("base text"), []byte("\x09\x03\x03abc"))
	f.Fuzz(func(t *testing.T, base, delta []byte) {
		noted := changes{again: []scan.Region{{Start: 1, End: 3}, {Start: 5, End: 6}}}
		out, err := patch(base, delta, nil, &noted)
		last := 0
		for _, r := range noted.regions {
			if r.Start < last || r.End < r.Start {
				t.Fatalf("change %d-%d after %d", r.Start, r.End, last)
			}
			last = r.End
		}
		if err == nil && last > len(out) {
			t.Fatalf("change up to %d in %d bytes", last, len(out))
		}
	})
}

func FuzzIndex(f *testing.F) {
	r := &Repo{size: 20}
	f.Add(append([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x01"), make([]byte, 100)...))
	f.Add(append([]byte("DIRC\x00\x00\x00\x04\x00\x00\x00\x01"), make([]byte, 120)...))
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00TREE\x00\x00\x00\x19\x001 0\n012345678901234567890123456789012345678901234567890"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := r.parseIndex(b)
		if err == nil && len(x.entries) > len(b) {
			t.Fatal("more entries than bytes")
		}
	})
}

func FuzzPack(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x35\x78\x9c"), uint64(12))
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x65\x0cx\x9c"), uint64(12))
	f.Fuzz(func(t *testing.T, b []byte, off uint64) {
		p := &pack{data: b, size: 20}
		e, err := p.header(off)
		if err == nil && (e.body > uint64(len(b)) || e.base > off) {
			t.Fatalf("entry %+v in %d bytes", e, len(b))
		}
	})
}

func FuzzTree(f *testing.F) {
	r := &Repo{size: 20}
	f.Add([]byte("100644 a\x0001234567890123456789"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		_ = r.eachEntry(b, func(_ uint32, name, x []byte) { n += len(name) + len(x) })
		if n > len(b) {
			t.Fatal("more names than bytes")
		}
		r.parseCommit(make([]byte, 20), b)
	})
}

func FuzzOldIndex(f *testing.F) {
	f.Add(append(append(make([]byte, 255*4), 0, 0, 0, 1), make([]byte, 24+40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.HasPrefix(b, indexMagic[:4]) {
			return
		}
		p := &pack{idx: b, data: []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01"), size: 20}
		if err := p.parse(); err != nil {
			return
		}
		for i := range p.n {
			p.find(p.id(i))
			if row := b[256*4+i*24:]; p.offset(i) != uint64(binary.BigEndian.Uint32(row)) || !bytes.Equal(p.id(i), row[4:24]) {
				t.Fatalf("entry %d: offset %d, id %x", i, p.offset(i), p.id(i))
			}
		}
	})
}

func FuzzLog(f *testing.F) {
	r := &Repo{size: 20}
	f.Add("\x01da39a3ee5e6b4b0d3255bfef95601890afd80709\x00\nk\x00z\x00\x01da39a3ee5e6b4b0d3255bfef95601890afd80709\x00")
	f.Add("\x00\n\x00warning")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := r.parseLog(text)
		if err != nil {
			return
		}
		for _, c := range all {
			if _, ok := r.parseID(c.commit); !ok {
				t.Fatalf("%q is no commit", c.commit)
			}
			for path := range c.paths {
				if path == "" || strings.Contains(path, "\x00") {
					t.Fatalf("%q is no path", path)
				}
			}
		}
	})
}

func FuzzBitmap(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0}, 3)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > 1<<20 {
			return
		}
		words, _, err := bitmap(b, n)
		if err == nil && len(words) > (n+63)/64 {
			t.Errorf("%d words for %d bits", len(words), n)
		}
	})
}
