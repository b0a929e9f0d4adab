package seal_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/sealtest"
)

func TestKeyWrap(t *testing.T) {
	for _, alg := range []barrier.Algorithm{barrier.XAES, barrier.GCM} {
		t.Run(alg.String(), func(t *testing.T) {
			sealtest.TestWrapper(t, func(t *testing.T) (w, same, other seal.Wrapper) {
				open := func(key []byte, label string) seal.Wrapper {
					w, err := seal.NewKeyWrap(key, label)
					if err != nil {
						t.Fatal(err)
					}
					w.Algorithm = alg
					return w
				}
				key := seal.NewKey()
				return open(key, "a"), open(key, "a"), open(seal.NewKey(), "a")
			})
		})
	}
}

func TestKeyWrapLabels(t *testing.T) {
	key := seal.NewKey()
	a, _ := seal.NewKeyWrap(key, "a")
	b, _ := seal.NewKeyWrap(key, "b")
	blob, err := a.Wrap(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Unwrap(t.Context(), blob); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("another label: %v", err)
	}
	if _, err := seal.NewKeyWrap(key[:31], "a"); err == nil {
		t.Error("took a key of 31 bytes")
	}
	a.Wipe()
	if _, err := a.Unwrap(t.Context(), blob); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("after wipe: %v", err)
	}
}

func configs() map[string]*seal.Config {
	return map[string]*seal.Config{
		"shamir": {
			Kind: seal.KindShamir, Shares: 3, Threshold: 2, Nonce: seal.Nonce{1},
			Checks: []seal.Check{{1}, {2}, {3}}, Wrapped: []byte("wrapped"),
		},
		"shamir without checks": {Kind: seal.KindShamir, Shares: 1, Threshold: 1, Wrapped: []byte("w")},
		"key file with recovery": {
			Kind: seal.KindKeyFile, Wrapped: bytes.Repeat([]byte{7}, seal.MaxBlob),
			Recovery: seal.Recovery{
				Shares: 2, Threshold: 2, Nonce: seal.Nonce{9}, KeyCheck: [32]byte{5}, Checks: []seal.Check{{4}, {6}},
			},
		},
		"passphrase": {Kind: seal.KindPassphrase, Wrapped: []byte{0}},
	}
}

func TestConfigRoundTrip(t *testing.T) {
	for name, c := range configs() {
		b, err := c.Marshal()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := seal.Unmarshal(b)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		for n := range b {
			if _, err := seal.Unmarshal(b[:n]); !errors.Is(err, seal.ErrConfig) {
				t.Fatalf("%s: cut to %d: %v", name, n, err)
			}
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*seal.Config){
		"no kind":                 func(c *seal.Config) { c.Kind = "" },
		"odd kind":                func(c *seal.Config) { c.Kind = "Sha mir" },
		"nothing wrapped":         func(c *seal.Config) { c.Wrapped = nil },
		"too much wrapped":        func(c *seal.Config) { c.Wrapped = make([]byte, seal.MaxBlob+1) },
		"shamir without shares":   func(c *seal.Config) { c.Shares, c.Threshold, c.Checks = 0, 0, nil },
		"key file with shares":    func(c *seal.Config) { c.Kind = seal.KindKeyFile },
		"threshold over shares":   func(c *seal.Config) { c.Threshold = 4 },
		"threshold 0":             func(c *seal.Config) { c.Threshold = 0 },
		"threshold 1 of 3":        func(c *seal.Config) { c.Threshold = 1 },
		"too many shares":         func(c *seal.Config) { c.Shares, c.Checks = 256, nil },
		"a check too few":         func(c *seal.Config) { c.Checks = c.Checks[:2] },
		"recovery without checks": func(c *seal.Config) { c.Recovery = seal.Recovery{Shares: 2, Threshold: 2} },
		"recovery 3 of 2": func(c *seal.Config) {
			c.Recovery = seal.Recovery{Shares: 2, Threshold: 3, Checks: make([]seal.Check, 2)}
		},
	} {
		c := configs()["shamir"]
		change(c)
		if _, err := c.Marshal(); !errors.Is(err, seal.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, c := range configs() {
		b, err := c.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("khsl\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := seal.Unmarshal(b)
		if err != nil {
			if !errors.Is(err, seal.ErrConfig) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := c.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("marshalled to other bytes, %v", err)
		}
	})
}
