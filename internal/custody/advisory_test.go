package custody_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Advisory class: replayed older ciphertext. Whoever can write the file puts the sealed bytes of an older version, or of another
// secret, in the place of the newest: it does not open, the error names the record, and the rest is served.
func TestAdvisoryReplayedCiphertext(t *testing.T) {
	base, parts := furnished(t)
	base.put("app/replayed", `{"n":"old"}`)
	before := base.sealed()
	base.put("app/replayed", `{"n":"new"}`)
	var newest string
	all := base.sealed()
	for key := range all {
		if _, there := before[key]; !there && strings.HasPrefix(key, "v/") {
			newest = key
		}
	}
	if newest == "" {
		t.Fatal("no new version in the store")
	}
	replays := map[string][]byte{"of an older version": before[newest[:len(newest)-16]+"0000000000000001"]}
	for key, value := range all {
		if strings.HasPrefix(key, "v/") && !strings.HasPrefix(key, newest[:len(newest)-16]) {
			replays["of another secret"] = value
		}
	}
	for name, value := range replays {
		t.Run(name, func(t *testing.T) {
			k := base.copyOf()
			k.t = t
			if len(value) == 0 {
				t.Fatal("nothing to replay")
			}
			if _, err := k.engine.Apply(t.Context(), []store.Op{{Key: newest, Value: value}}); err != nil {
				t.Fatal(err)
			}
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatal(err)
			}
			_, err := k.desk.Read(t.Context(), k.local(), ref(t, "app/replayed"))
			if !errors.Is(err, secret.ErrDamaged) || !strings.Contains(err.Error(), newest) {
				t.Errorf("a replayed version reads: %v; want an error that names %s", err, newest)
			}
			k.check("app/000", `{"n":"0"}`)
			if k.desk.Damaged() == 0 {
				t.Error("not counted")
			}
			k.end()
		})
	}
}

// sealed is everything in the store.
func (k *keep) sealed() map[string][]byte {
	k.t.Helper()
	entries, _, err := k.engine.List(k.t.Context(), store.Query{})
	if err != nil {
		k.t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		out[e.Key] = e.Value
	}
	return out
}
