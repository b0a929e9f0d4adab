package custody_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// stocked is an open keep with two secrets, one of three versions.
func stocked(t *testing.T) *keep {
	t.Helper()
	k := newKeep(t)
	if err := k.unseal(k.found(1, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeSpace{Space: secret.Space{Name: "secret", Versioned: true}}); err != nil {
		t.Fatal(err)
	}
	k.put("a", `{"v":"1"}`)
	k.put("a", `{"v":"2"}`)
	k.put("a", `{"v":"3"}`)
	k.clock.pass(time.Second) // uids lie in the order of their making
	k.put("b", `{"v":"1"}`)
	return k
}

func (k *keep) verify() custody.VerifyReport {
	k.t.Helper()
	r, err := k.desk.Verify(k.t.Context(), k.local(), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// key finds the n-th key of the store below a prefix.
func (k *keep) key(prefix string, n int) string {
	k.t.Helper()
	entries, _, err := k.engine.List(k.t.Context(), store.Query{Prefix: prefix, KeysOnly: true})
	if err != nil || len(entries) <= n {
		k.t.Fatalf("%d keys below %q: %v", len(entries), prefix, err)
	}
	return entries[n].Key
}

func (k *keep) value(key string) []byte {
	k.t.Helper()
	e, _, err := k.engine.Get(k.t.Context(), 0, key)
	if err != nil {
		k.t.Fatal(err)
	}
	return e[0].Value
}

func (k *keep) set(ops ...store.Op) {
	k.t.Helper()
	if _, err := k.engine.Apply(k.t.Context(), ops); err != nil {
		k.t.Fatal(err)
	}
}

func TestVerifySound(t *testing.T) {
	k := stocked(t)
	if err := k.desk.Destroy(t.Context(), k.local(), ref(t, "a"), 1); err != nil {
		t.Fatal(err)
	}
	if err := k.desk.Move(t.Context(), k.local(), ref(t, "b"), ref(t, "c")); err != nil {
		t.Fatal(err)
	}
	var told uint64
	r, err := k.desk.Verify(t.Context(), k.local(), func(n uint64) { told = n })
	if err != nil || len(r.Damage) != 0 || r.Names != 2 || r.Heads != 2 || r.Versions != 3 || r.Compared != 2 || r.Records == 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if want := r.Names + r.Heads + r.Versions + r.Records; told != want {
		t.Errorf("progress ended at %d, want %d", told, want)
	}
	if _, err := k.desk.Verify(t.Context(), auth.Caller{}, nil); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("for nobody: got %v", err)
	}
}

// TestVerifyDamage harms one record in each way that somebody with the file could, and expects that one named and the
// rest served.
func TestVerifyDamage(t *testing.T) {
	tests := []struct {
		name, key string
		nth       int
		harm      func(k *keep, key string)
		want      string
	}{
		{"flipped version", "v/", 0, func(k *keep, key string) { k.set(store.Op{Key: key, Value: flip(k.value(key))}) }, "does not open"},
		{"truncated version", "v/", 2, func(k *keep, key string) { k.set(store.Op{Key: key, Value: k.value(key)[:20]}) }, "does not open"},
		{"swapped version", "v/", 1, func(k *keep, key string) { k.set(store.Op{Key: key, Value: k.value(k.key("v/", 0))}) }, "does not open"},
		{"version without a head", "v/", 0, func(k *keep, key string) {
			k.set(store.Op{Key: "v//nobody/0000000000000001", Value: k.value(key)})
		}, "belongs to no secret"},
		{"missing version", "h/", 0, func(k *keep, _ string) { k.set(store.Op{Key: k.key("v/", 1), Delete: true}) }, "version 2 are missing"},
		{"flipped head", "h/", 0, func(k *keep, key string) { k.set(store.Op{Key: key, Value: flip(k.value(key))}) }, "does not open"},
		{"missing head", "n/", 0, func(k *keep, _ string) { k.set(store.Op{Key: k.key("h/", 0), Delete: true}) }, "leads to no secret"},
		{"flipped name", "n/", 1, func(k *keep, key string) { k.set(store.Op{Key: key, Value: flip(k.value(key))}) }, "does not open"},
		{"record", "r/", 0, func(k *keep, key string) { k.set(store.Op{Key: key, Value: nil}) }, "does not open"},
		{"older head put back", "h/", 0, func(k *keep, key string) {
			old := k.value(key)
			if err := k.desk.Label(k.t.Context(), k.local(), ref(k.t, "a"), "free"); err != nil {
				k.t.Fatal(err)
			}
			k.set(store.Op{Key: key, Value: old})
		}, "audit log"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := stocked(t)
			key := k.key(test.key, test.nth)
			test.harm(k, key)
			r := k.verify()
			found := false
			for _, d := range r.Damage {
				found = found || strings.Contains(d.What, test.want) && (d.Key == key || test.name == "version without a head")
			}
			if !found {
				t.Errorf("got %+v, want %s: …%s…", r.Damage, key, test.want)
			}
			if test.nth == 0 && test.key != "r/" {
				k.check("b", `{"v":"1"}`) // the rest keeps working
			}
		})
	}
}

func flip(b []byte) []byte {
	b[len(b)/2] ^= 1
	return b
}

// TestVerifyWhileServing: what changes meanwhile is no damage.
func TestVerifyWhileServing(t *testing.T) {
	k := stocked(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			k.put("a", `{"v":"x"}`)
			k.put("tmp", `{"v":"x"}`)
			if err := k.desk.Remove(t.Context(), k.local(), ref(t, "tmp")); err != nil {
				t.Error(err)
			}
		}
	}()
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		if r := k.verify(); len(r.Damage) != 0 {
			t.Errorf("got %+v", r.Damage)
			break
		}
	}
	stop()
	<-ended
}

// TestSweepExpired: the records of expired tokens go by themselves.
func TestSweepExpired(t *testing.T) {
	k := stocked(t)
	count := func() int {
		entries, _, err := k.engine.List(t.Context(), store.Query{Prefix: "r/tok/", KeysOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for range 30 {
		if _, err := custody.Do(t.Context(), k.desk, k.local(), auth.Create{OrphanPath: true, Policies: []string{"default"}, TTL: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(); got != before+30 {
		t.Fatalf("%d tokens, want %d", got, before+30)
	}
	k.clock.pass(3 * time.Minute)
	k.desk.RunJobs(t.Context())
	if got := count(); got != before {
		t.Errorf("%d tokens after their expiry, want %d", got, before)
	}
}

// A rotation seals every head anew; the log says so, and so does a verification.
func TestVerifyAfterRotation(t *testing.T) {
	k := stocked(t)
	if err := k.desk.Rotate(t.Context(), k.local(), "sys/rotate"); err != nil {
		t.Fatal(err)
	}
	if err := k.work(5); err != nil {
		t.Fatal(err)
	}
	if r := k.verify(); len(r.Damage) != 0 {
		t.Errorf("after a rotation: %+v", r.Damage)
	}
}
