package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/keephold/keephold/internal/store"
)

// stream writes an export.
func stream(t testing.TB, at store.Revision, entries ...store.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	x, err := store.NewExportWriter(&b, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := x.Add(e.Key, e.Rev, e.Value); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads an export to its end.
func read(r io.Reader) (at store.Revision, out []store.Entry, err error) {
	at, entries, err := store.ReadExport(r)
	if err != nil {
		return 0, nil, err
	}
	for e, err := range entries {
		if err != nil {
			return at, out, err
		}
		out = append(out, e)
	}
	return at, out, nil
}

func sample() []store.Entry {
	var entries []store.Entry
	for i := range 50 {
		entries = append(entries, store.Entry{Key: fmt.Sprintf("k/%03d", i), Rev: store.Revision(i + 1), Value: bytes.Repeat([]byte{byte(i)}, i*i)})
	}
	return append(entries,
		store.Entry{Key: "large/1", Rev: 77, Value: bytes.Repeat([]byte("L"), store.MaxValue)},
		store.Entry{Key: "large/2", Rev: 78, Value: bytes.Repeat([]byte("M"), 70_000)},
		store.Entry{Key: "z", Rev: 1, Value: []byte{}},
	)
}

func TestExportRoundTrip(t *testing.T) {
	want := sample()
	b := stream(t, 78, want...)
	rest := bytes.NewReader(append(b, "what follows"...))
	at, got, err := read(rest)
	if err != nil || at != 78 || len(got) != len(want) {
		t.Fatalf("got %d entries at %d, %v", len(got), at, err)
	}
	for i := range got {
		if got[i].Key != want[i].Key || got[i].Rev != want[i].Rev || !bytes.Equal(got[i].Value, want[i].Value) {
			t.Errorf("entry %d: got %q@%d with %d bytes", i, got[i].Key, got[i].Rev, len(got[i].Value))
		}
	}
	if after, _ := io.ReadAll(rest); string(after) != "what follows" {
		t.Errorf("the reader went past the end: left %q", after)
	}
}

// TestExportDamage: no flipped bit and no cut goes unnoticed.
func TestExportDamage(t *testing.T) {
	b := stream(t, 9, store.Entry{Key: "a", Rev: 3, Value: []byte("one")}, store.Entry{Key: "b", Rev: 9, Value: []byte("two")})
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			if _, _, err := read(bytes.NewReader(bad)); !errors.Is(err, store.ErrCorrupt) {
				t.Fatalf("bit %d of byte %d: got %v", bit, i, err)
			}
		}
		if _, _, err := read(bytes.NewReader(b[:i])); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("cut at %d: got %v", i, err)
		}
	}
}

// TestExportBlocks: blocks that are lost, doubled or swapped are noticed although each is whole.
func TestExportBlocks(t *testing.T) {
	var b bytes.Buffer
	var cuts []int // where blocks begin
	x, err := store.NewExportWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		cuts = append(cuts, b.Len())
		if err := x.Add(fmt.Sprint("k", i), 9, bytes.Repeat([]byte{byte(i)}, 65<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	s := b.Bytes()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, bad := range map[string][]byte{
		"lost":    join(s[:cuts[2]], s[cuts[3]:]),
		"doubled": join(s[:cuts[3]], s[cuts[2]:]),
		"swapped": join(s[:cuts[2]], s[cuts[3]:cuts[4]], s[cuts[2]:cuts[3]], s[cuts[4]:]),
		"no end":  s[:cuts[5]],
	} {
		if _, _, err := read(bytes.NewReader(bad)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestExportWriterOrder(t *testing.T) {
	x, err := store.NewExportWriter(io.Discard, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add("b", 1, nil); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"b", "a"} {
		if err := x.Add(k, 1, nil); err == nil {
			t.Errorf("%q after b was taken", k)
		}
	}
}

func TestExportReaderFails(t *testing.T) {
	broken := errors.New("broken")
	b := stream(t, 78, sample()...)
	r := io.MultiReader(bytes.NewReader(b[:len(b)/2]), errReader{broken})
	if _, _, err := read(r); !errors.Is(err, broken) || errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got %v, want the reader's own error", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// FuzzReadExport: any bytes are read with bounded memory, and what is read without an error is written back as the same bytes.
func FuzzReadExport(f *testing.F) {
	f.Add(stream(f, 0))
	f.Add(stream(f, 9, store.Entry{Key: "a", Rev: 3, Value: []byte("one")}, store.Entry{Key: "b", Rev: 9, Value: nil}))
	f.Add(stream(f, 1<<63, store.Entry{Key: "\xff", Rev: 1 << 62, Value: make([]byte, 300)}))
	f.Add([]byte("KHEXPRT1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		at, entries, err := read(r)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			return
		}
		last := ""
		for _, e := range entries {
			if e.Key <= last || len(e.Key) > store.MaxKey || len(e.Value) > store.MaxValue || e.Rev == 0 || e.Rev > at {
				t.Errorf("read %q@%d after %q at %d", e.Key, e.Rev, last, at)
			}
			last = e.Key
		}
		if _, again, err := read(bytes.NewReader(stream(t, at, entries...))); err != nil || len(again) != len(entries) {
			t.Errorf("written again: %d entries, %v", len(again), err)
		}
	})
}

func FuzzDecodeHeader(f *testing.F) {
	good, err := store.Header{Installation: "i", MinReader: 1, MinWriter: 2, Features: []string{"x"}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"min_reader":1,"min_writer":1,"more":{}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := store.DecodeHeader(b)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := h.Encode()
		if err != nil { // JSON may grow when it is written again
			return
		}
		if h2, err := store.DecodeHeader(again); err != nil || h2.MinReader != h.MinReader || h2.Installation != h.Installation {
			t.Errorf("got %+v, %v, want %+v", h2, err, h)
		}
	})
}

// wrapped makes a stream around a block's records, whose checksums and digest are right, the way docs/format.md draws it.
func wrapped(at uint64, records []byte, count uint64) []byte {
	crc := func(b []byte) []byte {
		return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	s := crc(binary.BigEndian.AppendUint64([]byte("KHEXPRT1"), at))
	if len(records) > 0 {
		block := binary.BigEndian.AppendUint32([]byte{'B'}, uint32(len(records)))
		s = append(s, crc(append(block, records...))...)
	}
	sum := sha256.Sum256(s)
	return append(s, crc(append(binary.BigEndian.AppendUint64([]byte{'T'}, count), sum[:]...))...)
}

func TestExportBytes(t *testing.T) {
	entries := []store.Entry{{Key: "a", Rev: 3, Value: []byte("one")}, {Key: "b", Rev: 300, Value: nil}}
	want := wrapped(777, []byte("\x01a\x03\x03one\x01b\xac\x02\x00"), 2)
	if got := stream(t, 777, entries...); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if _, _, err := read(bytes.NewReader(wrapped(777, []byte("\x81\x00a\x03\x03one"), 1))); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a length in a longer form: got %v", err)
	}
	if got := stream(t, 0); !bytes.Equal(got, wrapped(0, nil, 0)) {
		t.Errorf("empty: got %x", got)
	}
}

// FuzzExportRecords gets past the checksums, as one who makes streams could.
func FuzzExportRecords(f *testing.F) {
	f.Add(uint64(777), []byte("\x01a\x03\x03one\x01b\xac\x02\x00"), uint64(2))
	f.Add(uint64(1), []byte("\x01b\x01\x00\x01a\x01\x00"), uint64(2))
	f.Add(uint64(1), []byte("\x01a\x00\x00"), uint64(1))
	f.Add(uint64(1), []byte("\x81\x00a\x01\x00"), uint64(1))
	f.Add(uint64(1), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\x7fa\x01\x00"), uint64(1))
	f.Fuzz(func(t *testing.T, at uint64, records []byte, count uint64) {
		_, entries, err := read(bytes.NewReader(wrapped(at, records, count)))
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			return
		}
		last, size := "", 0
		for _, e := range entries {
			if e.Key <= last || len(e.Key) > store.MaxKey || len(e.Value) > store.MaxValue || e.Rev == 0 || uint64(e.Rev) > at {
				t.Errorf("read %q@%d after %q at %d", e.Key, e.Rev, last, at)
			}
			last = e.Key
			size += len(e.Key) + len(e.Value)
		}
		if uint64(len(entries)) != count || size > len(records) {
			t.Errorf("read %d entries of %d bytes out of %d bytes that count %d", len(entries), size, len(records), count)
		}
	})
}
