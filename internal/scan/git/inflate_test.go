package git

import (
	"bytes"
	"compress/zlib"
	"math/rand/v2"
	"strings"
	"testing"
)

func deflate(t testing.TB, data []byte, level int) []byte {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestInflate undoes what the standard library compresses: text, noise, runs, nothing, at every level.
func TestInflate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(r.IntN(256))
	}
	skewed := make([]byte, 100_000) // long codes
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	var f inflater
	var buf []byte
	for name, data := range map[string][]byte{
		"empty": nil, "one": {7}, "text": []byte(strings.Repeat("some text that repeats, with a number ", 3000)), "noise": noise, "skewed": skewed, "run": bytes.Repeat([]byte{'a'}, 70_000), "short": []byte("tree 123\nparent 456\n"),
	} {
		for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
			z := deflate(t, data, level)
			var err error
			if buf, err = f.inflate(z, uint64(len(data)), buf); err != nil || !bytes.Equal(buf, data) {
				t.Errorf("%s at level %d: %v", name, level, err)
			}
			if _, err := f.inflate(append(z, noise[:50]...), uint64(len(data)), nil); err != nil {
				t.Errorf("%s at level %d with more behind it: %v", name, level, err)
			}
			if _, err := f.inflate(z, uint64(len(data)+1), nil); err == nil {
				t.Errorf("%s: a wrong size is accepted", name)
			}
			if cut := z[:len(z)/2]; len(data) > 10 {
				if _, err := f.inflate(cut, uint64(len(data)), nil); err == nil {
					t.Errorf("%s at level %d: half a stream is accepted", name, level)
				}
			}
		}
	}
}

// FuzzInflate compares with the standard library on any bytes.
func FuzzInflate(f *testing.F) {
	f.Add([]byte("\x78\x9c\x03\x00\x00\x00\x00\x01"), uint16(0))
	f.Add(deflate(f, []byte("hello hello hello hello"), 6), uint16(23))
	f.Add(deflate(f, []byte("hello"), 0), uint16(5))
	f.Add(deflate(f, bytes.Repeat([]byte("abcdefgh12345678"), 100), 9), uint16(1600))
	f.Fuzz(func(t *testing.T, z []byte, size uint16) {
		var in inflater
		got, err := in.inflate(z, uint64(size), nil)
		r, zerr := zlib.NewReader(bytes.NewReader(z))
		if zerr != nil {
			return
		}
		want := make([]byte, 0, 1<<17)
		for len(want) < 1<<17 && zerr == nil {
			var n int
			n, zerr = r.Read(want[len(want):min(cap(want), len(want)+4096)])
			want = want[:len(want)+n]
		}
		if err == nil && !bytes.Equal(got, want[:min(len(want), int(size))]) {
			t.Fatalf("got %q, want %q (%v)", got, want, zerr)
		}
		if zerr != nil && zerr.Error() == "EOF" && len(want) == int(size) && err != nil {
			t.Fatalf("refused what decodes to %q: %v", want, err)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	data := []byte(strings.Repeat("func (s *Server) handle(w http.ResponseWriter, r *http.Request) error {\n\tif err := s.check(r.Context()); err != nil {\n", 60))
	z := deflate(b, data, 6)
	var f inflater
	var buf []byte
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var err error
		if buf, err = f.inflate(z, uint64(len(data)), buf); err != nil {
			b.Fatal(err)
		}
	}
}
