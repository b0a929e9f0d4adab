package audit_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/audit"
)

// signedLog makes a closed log of 700 records with checkpoints at 300 (kept by the log, and returned), and at 700.
func signedLog(t testing.TB) (dir, public string, old []byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	unlock(t, l)
	appendN(t, l, 0, 300)
	old, err := l.Checkpoint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	appendN(t, l, 300, 700)
	public = l.PublicKey()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, public, old
}

func edit(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// frameAt is the offset of a record in the first segment.
func frameAt(b []byte, seq int) int {
	at := 0
	for range seq {
		at += 2 + int(binary.BigEndian.Uint16(b[at:]))
	}
	return at
}

func firstSegment(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(names) == 0 {
		t.Fatalf("segments of %s: %v, %v", dir, names, err)
	}
	return names[0]
}

func TestVerifyFindsWhatWasDone(t *testing.T) {
	flip := func(seq, delta int) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			edit(t, firstSegment(t, dir), func(b []byte) []byte { b[frameAt(b, seq)+delta] ^= 1; return b })
		}
	}
	drop := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, n := range names {
				if err := os.Remove(filepath.Join(dir, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	both := func(fs ...func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, f := range fs {
				f(t, dir)
			}
		}
	}
	cutAt := func(seq, extra int) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			edit(t, firstSegment(t, dir), func(b []byte) []byte { return b[:frameAt(b, seq)+extra] })
		}
	}
	swap := func(t *testing.T, dir string) { // 420 and 421 change places; both have the same length
		edit(t, firstSegment(t, dir), func(b []byte) []byte {
			x, y, z := frameAt(b, 420), frameAt(b, 421), frameAt(b, 422)
			return bytes.Join([][]byte{b[:x], b[y:z], b[x:y], b[z:]}, nil)
		})
	}
	tests := []struct {
		name string
		do   func(*testing.T, string)
		want error
		bad  uint64
	}{
		{"nothing", func(*testing.T, string) {}, nil, 0},
		{"flipped byte", flip(123, 40), audit.ErrTampered, 123},
		{"flipped byte in the last record", flip(699, 60), audit.ErrTampered, 699},
		{"flipped length", flip(5, 1), audit.ErrTampered, 5},
		{"flipped byte, hashes removed", both(flip(555, 40), drop("hash.0")), audit.ErrTampered, 300},
		{"missing tail", cutAt(690, 0), audit.ErrTruncated, 690},
		{"missing tail, torn", cutAt(690, 17), audit.ErrTruncated, 690},
		{"missing tail, last checkpoint removed too", both(cutAt(500, 0), drop("checkpoints")), audit.ErrTruncated, 500},
		{"everything removed", cutAt(0, 0), audit.ErrTruncated, 0},
		{"reordered", swap, audit.ErrTampered, 420},
		{"reordered, hashes removed", both(swap, drop("hash.0")), audit.ErrTampered, 300},
		{"segment removed", func(t *testing.T, dir string) {
			if err := os.Remove(firstSegment(t, dir)); err != nil {
				t.Fatal(err)
			}
		}, audit.ErrTruncated, 0},
		{"no checkpoint", drop("checkpoint", "checkpoints"), audit.ErrTampered, 0},
		{"checkpoint changed", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "checkpoint"), func(b []byte) []byte { return bytes.Replace(b, []byte("700"), []byte("699"), 1) })
		}, audit.ErrTampered, 0},
		{"hash changed", func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "hash.0"), func(b []byte) []byte { b[32*77] ^= 1; return b })
		}, audit.ErrTampered, 77},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, public, old := signedLog(t)
			tt.do(t, dir)
			rep, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{public}, Old: [][]byte{old}})
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if rep.FirstBad != tt.bad {
				t.Errorf("first bad record: got %d, want %d (%v)", rep.FirstBad, tt.bad, err)
			}
			if err == nil && (rep.Records != 700 || rep.Covered != 700 || rep.Checkpoints < 4) {
				t.Errorf("report: got %+v", rep)
			}
		})
	}
}

// Every single bit of every file that holds records or signatures counts.
func TestVerifyFindsAnyFlippedByte(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	unlock(t, l)
	appendN(t, l, 0, 3)
	public := l.PublicKey()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{firstSegment(t, dir), filepath.Join(dir, "checkpoint"), filepath.Join(dir, "hash.0")} {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << (i % 8)
			if err := os.WriteFile(name, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{public}}); err == nil {
				t.Fatalf("%s: a flipped bit in byte %d was not found", filepath.Base(name), i)
			}
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A log written anew with the same key agrees with itself; only a checkpoint kept elsewhere tells.
func TestVerifyFindsRollBackAgainstKeptCheckpoint(t *testing.T) {
	dir, public, old := signedLog(t)
	fresh := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(fresh))
	unlock(t, l)
	appendN(t, l, 1, 650)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	opts := audit.VerifyOptions{PublicKeys: []string{public}}
	if _, err := audit.Verify(context.Background(), fresh, opts); err != nil {
		t.Fatalf("the new log alone: %v", err)
	}
	last, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	opts.Old = [][]byte{old}
	if _, err := audit.Verify(context.Background(), fresh, opts); !errors.Is(err, audit.ErrTampered) {
		t.Fatalf("against the checkpoint at 300: got %v", err)
	}
	opts.Old = [][]byte{last}
	if _, err := audit.Verify(context.Background(), fresh, opts); !errors.Is(err, audit.ErrTruncated) {
		t.Fatalf("against the checkpoint at 700: got %v", err)
	}
}

func TestVerifyFindsWrongKey(t *testing.T) {
	dir, public, _ := signedLog(t)
	other := open(t, config(filepath.Join(t.TempDir(), "other")))
	if err := other.Unlock(testKeys('x')); err != nil {
		t.Fatal(err)
	}
	if other.PublicKey() == public {
		t.Fatal("two seeds, one key")
	}
	_, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{other.PublicKey()}})
	if !errors.Is(err, audit.ErrTampered) {
		t.Fatalf("got %v, want ErrTampered", err)
	}
	_, err = audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{other.PublicKey(), public}})
	if err != nil {
		t.Fatalf("with both keys: %v", err)
	}
}

func TestProveOffline(t *testing.T) {
	dir, public, _ := signedLog(t)
	for _, seq := range []uint64{0, 1, 255, 256, 511, 698, 699} {
		made, err := audit.Prove(dir, seq)
		if err != nil {
			t.Fatalf("record %d: %v", seq, err)
		}
		wire, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		var b audit.Bundle
		if err := json.Unmarshal(wire, &b); err != nil {
			t.Fatal(err)
		}
		e, err := audit.VerifyBundle(b, public)
		if err != nil || e.What.Path != event(int(seq)).What.Path {
			t.Fatalf("record %d: got %q, %v", seq, e.What.Path, err)
		}
		for name, bad := range map[string]audit.Bundle{
			"record":     {Seq: b.Seq, Record: strings.Replace(b.Record, "web", "wob", 1), Proof: b.Proof, Checkpoint: b.Checkpoint},
			"number":     {Seq: b.Seq ^ 1, Record: b.Record, Proof: b.Proof, Checkpoint: b.Checkpoint},
			"proof":      {Seq: b.Seq, Record: b.Record, Proof: b.Proof[1:], Checkpoint: b.Checkpoint},
			"checkpoint": {Seq: b.Seq, Record: b.Record, Proof: b.Proof, Checkpoint: strings.Replace(b.Checkpoint, "700", "701", 1)},
		} {
			if _, err := audit.VerifyBundle(bad, public); err == nil {
				t.Errorf("record %d: a bundle with another %s was accepted", seq, name)
			}
		}
	}
	if _, err := audit.Prove(dir, 700); !errors.Is(err, audit.ErrNotCovered) {
		t.Fatalf("record 700: got %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "audit")
	l := open(b, config(dir))
	unlock(b, l)
	appendN(b, l, 0, 100_000)
	public := l.PublicKey()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rep, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{public}})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(rep.Bytes)
	}
}
