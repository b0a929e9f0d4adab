package approle_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"web","uid":"u","role_id":"r","mount":"m","bind_secret_id":true,"token":{"policies":["x"],"cidrs":["10.0.0.0/8"]}}`))
	f.Add([]byte(`{"accessor":"a","role":"u","uses":1,"created":"2026-01-02T03:04:05Z","updated":"2026-01-02T03:04:05Z","meta":[{"Key":"k","Value":"v"}]}`))
	f.Add([]byte(`{"uses":-1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := record.Record{Key: "k", Value: b, Rev: 1}
		if x, err := approle.DecodeRole(r); err != nil && !errors.Is(err, secret.ErrDamaged) {
			t.Fatal(err)
		} else if err == nil {
			if _, err := approle.DecodeRole(record.Record{Value: record.Encode(x), Rev: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if x, err := approle.DecodeSecretID(r); err != nil && !errors.Is(err, secret.ErrDamaged) {
			t.Fatal(err)
		} else if err == nil {
			if _, err := approle.DecodeSecretID(record.Record{Value: record.Encode(x), Rev: 1}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWeak(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "role": true, "123456789012345678901234567890123456": true, // 36 digits are 119 bits
		"123456789012345678901234567890123456789": false, strings.Repeat("abcdefgh", 3): true, strings.Repeat("abcdefgh", 4): false,
		"0123456789abcdef0123456789abcde": true, "0123456789abcdef0123456789abcdef": false, strings.Repeat("x", 500): true,
	} {
		if got := approle.Weak(s); got != want {
			t.Errorf("%.40q: got %v", s, got)
		}
	}
	for range 1000 {
		if id := auth.NewID(); approle.Weak(id) {
			t.Fatalf("%s is refused", id)
		}
	}
}
