package barrier_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/barrier"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var place = barrier.Context{Installation: "inst-1", Namespace: "ns-2", UID: "uid-3", Kind: "version", Generation: 7}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newRing(t testing.TB, alg barrier.Algorithm) *barrier.Keyring {
	t.Helper()
	return must(barrier.NewKeyringAs(alg, nil, noon))(t)
}

// elsewhere is every context that differs from place in one thing, or has the
// same bytes with its borders moved.
func elsewhere() map[string]barrier.Context {
	out := map[string]barrier.Context{}
	change := func(name string, f func(*barrier.Context)) {
		c := place
		f(&c)
		out[name] = c
	}
	change("installation", func(c *barrier.Context) { c.Installation = "inst-2" })
	change("namespace", func(c *barrier.Context) { c.Namespace = "" })
	change("uid", func(c *barrier.Context) { c.UID = "uid-4" })
	change("kind", func(c *barrier.Context) { c.Kind = "head" })
	change("older version", func(c *barrier.Context) { c.Generation-- })
	change("borders", func(c *barrier.Context) { c.Namespace, c.UID = "ns-2u", "id-3" })
	change("fields swapped", func(c *barrier.Context) { c.Namespace, c.UID = c.UID, c.Namespace })
	return out
}

// sealer is what Keyring and DataKey have in common.
type sealer interface {
	Seal(barrier.Context, []byte) ([]byte, error)
	Open(barrier.Context, []byte) ([]byte, error)
	AppendSeal([]byte, barrier.Context, []byte) ([]byte, error)
	AppendOpen([]byte, barrier.Context, []byte) ([]byte, error)
}

func sealers(t *testing.T) map[string]sealer {
	out := map[string]sealer{}
	for _, alg := range []barrier.Algorithm{barrier.XAES, barrier.GCM} {
		k := newRing(t, alg)
		dk, _, err := k.NewDataKey(place)
		if err != nil {
			t.Fatal(err)
		}
		out["term "+alg.String()], out["data key "+alg.String()] = k, dk
	}
	return out
}

func TestSealOpen(t *testing.T) {
	for name, s := range sealers(t) {
		for _, size := range []int{0, 1, 16, 1000, 512 << 10} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				plain := bytes.Repeat([]byte{'v'}, size)
				record := must(s.Seal(place, plain))(t)
				if again := must(s.Seal(place, plain))(t); bytes.Equal(record, again) {
					t.Error("two seals of one plaintext are equal")
				}
				if len(record) > size+barrier.Overhead {
					t.Errorf("record of %d bytes, want at most %d", len(record), size+barrier.Overhead)
				}
				if got := must(s.Open(place, record))(t); !bytes.Equal(got, plain) {
					t.Error("opened to something else")
				}
				front := must(s.AppendSeal([]byte("head"), place, plain))(t)
				got := must(s.AppendOpen([]byte("dst"), place, front[4:]))(t)
				if string(front[:4]) != "head" || !bytes.Equal(got, append([]byte("dst"), plain...)) {
					t.Error("append variants do not append")
				}
			})
		}
	}
}

func TestMovedRecordsDoNotOpen(t *testing.T) {
	for name, s := range sealers(t) {
		record := must(s.Seal(place, []byte("value")))(t)
		for where, c := range elsewhere() {
			if _, err := s.Open(c, record); !errors.Is(err, barrier.ErrUnopenable) {
				t.Errorf("%s: opened with another %s: %v", name, where, err)
			}
		}
	}
}

func TestDamagedRecordsDoNotOpen(t *testing.T) {
	for name, s := range sealers(t) {
		record := must(s.Seal(place, []byte("value")))(t)
		for n := range record {
			if _, err := s.Open(place, record[:n]); !errors.Is(err, barrier.ErrUnopenable) {
				t.Errorf("%s: opened when cut to %d bytes: %v", name, n, err)
			}
		}
		if _, err := s.Open(place, append(bytes.Clone(record), 0)); !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("%s: opened with a byte added: %v", name, err)
		}
		for bit := range len(record) * 8 {
			flipped := bytes.Clone(record)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := s.Open(place, flipped); !errors.Is(err, barrier.ErrUnopenable) {
				t.Errorf("%s: opened with bit %d flipped: %v", name, bit, err)
			}
		}
	}
}

func TestContextEncodingIsInjective(t *testing.T) {
	seen := map[string]string{string(place.Encoding()): "place"}
	for name, c := range elsewhere() {
		if other, ok := seen[string(c.Encoding())]; ok {
			t.Errorf("%s and %s have one encoding", name, other)
		}
		seen[string(c.Encoding())] = name
	}
}

func TestRolesDoNotMix(t *testing.T) {
	k := newRing(t, barrier.XAES)
	dk, wrapped, err := k.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	record := must(k.Seal(place, make([]byte, 33)))(t)
	value := must(dk.Seal(place, []byte("value")))(t)
	if _, err := k.Open(place, wrapped); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("a wrapped data key opened as a record: %v", err)
	}
	if _, err := k.OpenDataKey(place, record); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("a record opened as a data key: %v", err)
	}
	// Not even when the role byte is rewritten: it is authenticated.
	forged := bytes.Clone(wrapped)
	forged[0] = record[0]
	if _, err := k.Open(place, forged); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("a relabelled data key opened as a record: %v", err)
	}
	if _, err := k.Open(place, value); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("a value opened as a record: %v", err)
	}
	for _, tt := range []struct {
		name   string
		record []byte
		ok     bool
	}{{"record", record, true}, {"data key", wrapped, true}, {"value", value, false}, {"nothing", nil, false}} {
		if term, ok := k.SealedUnder(tt.record); ok != tt.ok || ok && term != 1 {
			t.Errorf("SealedUnder(%s): got %d, %t", tt.name, term, ok)
		}
	}
}

func TestDataKeyOpensAnywhereButElsewhere(t *testing.T) {
	k := newRing(t, barrier.XAES)
	dk, wrapped, err := k.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	value := must(dk.Seal(place, []byte("value")))(t)
	same := must(k.OpenDataKey(place, wrapped))(t)
	if got := must(same.Open(place, value))(t); string(got) != "value" {
		t.Errorf("got %q", got)
	}
	for where, c := range elsewhere() {
		if _, err := k.OpenDataKey(c, wrapped); !errors.Is(err, barrier.ErrUnopenable) {
			t.Errorf("data key opened with another %s: %v", where, err)
		}
	}
	other, _, err := k.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(place, value); !errors.Is(err, barrier.ErrUnopenable) {
		t.Errorf("another data key opened it: %v", err)
	}
}

func TestHMAC(t *testing.T) {
	k := newRing(t, barrier.XAES)
	for _, n := range []int{0, 1, 95, 256, 257, 1000} {
		data := bytes.Repeat([]byte{'t'}, n)
		key := k.Purpose(barrier.PurposeIndex)
		h := hmac.New(sha256.New, key.Key[:])
		h.Write(data)
		if got := k.HMAC(barrier.PurposeIndex, data); !hmac.Equal(got[:], h.Sum(nil)) {
			t.Errorf("%d bytes: not HMAC-SHA-256", n)
		}
	}
	if k.HMAC(barrier.PurposeIndex, nil) == k.HMAC(barrier.PurposeAuditHMAC, nil) {
		t.Error("two purposes have one key")
	}
}

func TestPurposeRotation(t *testing.T) {
	k := newRing(t, barrier.XAES)
	before := k.HMAC(barrier.PurposeIndex, []byte("x"))
	seed := k.SigningSeed()
	n := must(k.RotatePurpose(barrier.PurposeIndex, nil, noon))(t)
	if n.Purpose(barrier.PurposeIndex).Generation != 2 || k.Purpose(barrier.PurposeIndex).Generation != 1 {
		t.Error("rotation did not make generation 2 in the new keyring only")
	}
	if n.HMAC(barrier.PurposeIndex, []byte("x")) == before {
		t.Error("the key did not change")
	}
	if got, ok := n.HMACAt(barrier.PurposeIndex, 1, []byte("x")); !ok || got != before {
		t.Error("the old generation is gone")
	}
	if n.SigningSeed() != seed {
		t.Error("another purpose changed")
	}
	if _, err := n.DropPurpose(barrier.PurposeIndex, 2); !errors.Is(err, barrier.ErrTermState) {
		t.Errorf("dropped the newest generation: %v", err)
	}
	d := must(n.DropPurpose(barrier.PurposeIndex, 1))(t)
	if _, ok := d.PurposeAt(barrier.PurposeIndex, 1); ok {
		t.Error("generation 1 is still held")
	}
	if _, ok := n.PurposeAt(barrier.PurposeIndex, 1); !ok {
		t.Error("dropping changed the older keyring value")
	}
	key := k.Purpose(barrier.PurposeIndex)
	if s := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(s, fmt.Sprint(key.Key[0])+" ") || strings.Count(s, "[redacted]") != 4 {
		t.Error("a purpose key prints itself")
	}
}
