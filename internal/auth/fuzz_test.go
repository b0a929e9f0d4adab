package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

func FuzzDecodeToken(f *testing.F) {
	f.Add([]byte(`{"l":{"c":"2026-01-02T03:04:05Z"}}`))
	f.Add([]byte(`{"k":1,"po":["x"],"an":["a","b"],"c":["10.0.0.0/8"],"u":3,"l":{"c":"2026-01-02T03:04:05Z","e":"2026-01-02T03:04:06Z","b":5}}`))
	f.Add([]byte(`{"c":[""],"u":-1}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := auth.DecodeToken("i", b)
		if err != nil {
			if !errors.Is(err, secret.ErrDamaged) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := auth.DecodeToken("i", record.Encode(x))
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if a, b := string(record.Encode(x)), string(record.Encode(again)); a != b {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func FuzzCheckToken(f *testing.F) {
	f.Add("khs_0123456789ABCDEFGHIJKLMNOPQRSTUV000000")
	f.Add("khb_AA-_000000")
	f.Add("root")
	r := authtest.New(f)
	f.Fuzz(func(t *testing.T, s string) {
		ok := auth.CheckToken(s)
		if c := r.As([]byte(s), auth.From{}); c.Refusal() == nil {
			t.Fatalf("%q admitted", s)
		}
		if ok && len(s) > auth.MaxText {
			t.Fatal("too long")
		}
		if ok && auth.CheckToken(s[:len(s)-1]+"-") {
			t.Fatal("a checksum that does not check")
		}
	})
}

func TestCheckToken(t *testing.T) {
	r := authtest.New(t)
	seen := map[string]bool{}
	for range 200 {
		i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
		s := string(i.Token.Reveal())
		if !auth.CheckToken(s) || len(s) != 42 || seen[s] || !auth.CheckAccessor(i.Accessor) || auth.CheckToken(i.Accessor) || auth.CheckAccessor(s) {
			t.Fatalf("a token of %d characters", len(s))
		}
		seen[s] = true
		for at := range s {
			for _, c := range []string{"0", "a", "Z", "-", "_"} {
				if bad := s[:at] + c + s[at+1:]; bad != s && auth.CheckToken(bad) {
					t.Errorf("one changed character at %d passes", at)
				}
			}
		}
		if auth.CheckToken("khr_" + s[4:]) {
			t.Error("the prefix is not part of the check")
		}
	}
	// Vectors of the format; docs/tokens.md shows the first.
	for s, want := range map[string]bool{
		"khr_" + strings.Repeat("0", 32) + check("khr_"+strings.Repeat("0", 32)): true,
		"khs_" + strings.Repeat("0", 32) + "0phkuc":                              true,
		"khs_" + strings.Repeat("0", 32) + "000000":                              false,
		"kha_" + strings.Repeat("0", 38):                                         false,
		"":                                                                       false,
		"khs_":                                                                   false,
	} {
		if auth.CheckToken(s) != want {
			t.Errorf("%q: want %v", s, want)
		}
	}
}

// check is the checksum written a second time, bit by bit, from docs/tokens.md.
func check(s string) string {
	crc := ^uint32(0)
	for i := range len(s) {
		crc ^= uint32(s[i])
		for range 8 {
			crc = crc>>1 ^ 0xEDB88320&-(crc&1)
		}
	}
	crc = ^crc
	out := ""
	for range 6 {
		out = string("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[crc%62]) + out
		crc /= 62
	}
	return out
}
