package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/keephold/keephold/internal/audit/segment"
)

func write(t testing.TB, dir string, p segment.Position, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, p.Name()), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func rec(i int) []byte { return fmt.Appendf(nil, "{\"n\":%d}\n", i) }

func TestCut(t *testing.T) {
	whole := segment.AppendFrame(nil, rec(1))
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"whole", whole, nil},
		{"empty", nil, io.ErrUnexpectedEOF},
		{"half a length", whole[:1], io.ErrUnexpectedEOF},
		{"half a record", whole[:len(whole)-1], io.ErrUnexpectedEOF},
		{"zero length", []byte{0, 0}, segment.ErrFrame},
		{"short length", []byte{0, 2, '{', '}'}, segment.ErrFrame},
		{"no object", []byte{0, 3, '[', ']', '\n'}, segment.ErrFrame},
		{"no newline", []byte{0, 3, '{', '}', ' '}, segment.ErrFrame},
		{"no end", []byte{0, 3, '{', '{', '\n'}, segment.ErrFrame},
	}
	for _, tt := range tests {
		if _, _, err := segment.Cut(tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	p := segment.Position{Seq: 12, Offset: 3456}
	if got, ok := segment.ParseName(p.Name()); !ok || got != p {
		t.Fatalf("%s: got %+v, %v", p.Name(), got, ok)
	}
	for _, bad := range []string{"", "12-34.log", "000000000012-00000000003456.logs", "00000000000x-00000000003456.log", "-00000000001-00000000003456.log"} {
		if _, ok := segment.ParseName(bad); ok {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// A reader follows a log while it grows, over the border of segments.
func TestReaderFollows(t *testing.T) {
	dir := t.TempDir()
	r := segment.NewReader(dir, segment.Position{})
	defer r.Close()
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("empty directory: got %v", err)
	}
	var all []byte
	var start segment.Position
	for i := range 100 {
		frame := segment.AppendFrame(nil, rec(i))
		write(t, dir, start, append(all, frame[:3]...)) // a writer is at work
		if i > 0 {
			if _, err := r.Next(); err == nil {
				t.Fatalf("record %d: half of it was returned", i)
			}
		}
		all = append(all, frame...)
		write(t, dir, start, all)
		got, err := r.Next()
		if err != nil || !bytes.Equal(got, rec(i)) {
			t.Fatalf("record %d: got %q, %v", i, got, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after record %d: got %v", i, err)
		}
		if i%7 == 6 {
			all, start = nil, r.Pos()
			write(t, dir, start, nil)
		}
	}
	if r.Pos().Seq != 100 {
		t.Fatalf("got %d records", r.Pos().Seq)
	}
}

func TestListFindsGap(t *testing.T) {
	dir := t.TempDir()
	frame := segment.AppendFrame(nil, rec(0))
	n := int64(len(frame))
	write(t, dir, segment.Position{Seq: 5, Offset: 500}, frame)
	write(t, dir, segment.Position{Seq: 6, Offset: 500 + n}, frame)
	if files, err := segment.List(dir); err != nil || len(files) != 2 {
		t.Fatalf("archived beginning: got %v, %v", files, err)
	}
	write(t, dir, segment.Position{Seq: 8, Offset: 500 + 3*n}, frame)
	if _, err := segment.List(dir); !errors.Is(err, segment.ErrGap) {
		t.Fatalf("got %v, want ErrGap", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(segment.AppendFrame(nil, rec(1)), segment.AppendFrame(segment.AppendFrame(nil, rec(2)), rec(3)))
	f.Add([]byte{0, 3, '{', '}', '\n', 0}, []byte{0xff, 0xff, '{'})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		dir := t.TempDir()
		write(t, dir, segment.Position{}, a)
		recs := 0
		for rest := a; ; recs++ {
			var err error
			if _, rest, err = segment.Cut(rest); err != nil {
				break
			}
		}
		if len(a) > 0 {
			write(t, dir, segment.Position{Seq: uint64(recs), Offset: int64(len(a))}, b)
		}
		r := segment.NewReader(dir, segment.Position{})
		defer r.Close()
		var out []byte
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			out = segment.AppendFrame(out, rec)
		}
		if whole := append(bytes.Clone(a), b...); !bytes.HasPrefix(whole, out) || r.Pos().Offset != int64(len(out)) {
			t.Fatalf("read %q out of %q", out, whole)
		}
	})
}

func FuzzCutBytes(f *testing.F) {
	f.Add(segment.AppendBytes(segment.AppendBytes(nil, []byte("note")), []byte("x")))
	f.Add([]byte{0, 9, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for _, x := range segment.CutBytes(b) {
			again = segment.AppendBytes(again, x)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%q out of %q", again, b)
		}
	})
}
