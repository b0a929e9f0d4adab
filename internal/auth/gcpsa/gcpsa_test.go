package gcpsa_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/gcpsa"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/secret"
)

const service = "https://secretmanager.googleapis.com"

// account is a service account on a rig, with its private key as its client has it.
type account struct {
	rig     *authtest.Rig
	made    machine.Credential
	private *rsa.PrivateKey
	prover  *gcpsa.Prover
}

func newAccount(tb testing.TB) *account {
	tb.Helper()
	rig := authtest.New(tb)
	made, err := authtest.Do(rig, rig.Warrant.Internal("test"), machine.Create{Name: "web", Kind: machine.GCPAccount, Home: "p"})
	if err != nil {
		tb.Fatal(err)
	}
	return &account{rig: rig, made: made, private: private(tb, made.Secret), prover: gcpsa.NewProver()}
}

func private(tb testing.TB, pemText secret.Value) *rsa.PrivateKey {
	tb.Helper()
	block, _ := pem.Decode(pemText.Reveal())
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func (a *account) claims() map[string]any {
	now := a.rig.Store.Now()
	return map[string]any{
		"iss": a.made.Identity.Public, "sub": a.made.Identity.Public, "aud": service + "/", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

func (a *account) header() map[string]any {
	return map[string]any{"alg": "RS256", "typ": "JWT", "kid": a.made.Key.ID}
}

func part(v any) string {
	b, ok := v.([]byte)
	if !ok {
		b, _ = json.Marshal(v)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func sign(tb testing.TB, key *rsa.PrivateKey, header, claims any) string {
	tb.Helper()
	text := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + part(sig)
}

// present is what a front does with a bearer.
func (a *account) present(text string) auth.Caller {
	parsed, err := a.prover.Read(text)
	if err != nil {
		return auth.Refused(auth.Credential{}, err)
	}
	return a.rig.Authenticate(context.Background(), auth.Credential{Claim: gcpsa.Claim{Assertion: parsed, Prover: a.prover, Accept: gcpsa.ForService([]string{service})}})
}

func TestAdvisoryJWTConfusion(t *testing.T) {
	a := newAccount(t)
	with := func(changes map[string]any) map[string]any {
		c := a.claims()
		maps.Copy(c, changes)
		for k, v := range changes {
			if v == nil {
				delete(c, k)
			}
		}
		return c
	}
	now := a.rig.Store.Now()
	for name, changes := range map[string]map[string]any{
		"audience":             {},
		"audience, no slash":   {"aud": service},
		"scope":                {"aud": nil, "scope": "https://www.googleapis.com/auth/cloud-platform"},
		"empty audience":       {"aud": "", "scope": "openid https://www.googleapis.com/auth/cloud-platform"},
		"list of one":          {"aud": []string{service}},
		"the last moment":      {"iat": now.Add(-time.Hour + time.Second).Unix(), "exp": now.Add(time.Second).Unix()},
		"a clock that is fast": {"iat": now.Add(time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()},
	} {
		t.Run(name, func(t *testing.T) {
			text := sign(t, a.private, a.header(), with(changes))
			for range 2 { // the second time from memory
				if c := a.present(text); c.Refusal() != nil || c.Identity().Method != "gcp-sa" || c.Identity().DisplayName == "" {
					t.Errorf("refused: %v", c.Refusal())
				}
			}
		})
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, a.private, a.header(), a.claims())
	parts := strings.Split(good, ".")
	for name, text := range map[string]string{
		"another audience":         sign(t, a.private, a.header(), with(map[string]any{"aud": "https://storage.googleapis.com/"})),
		"token service's audience": sign(t, a.private, a.header(), with(map[string]any{"aud": "http://127.0.0.1/token"})),
		"no audience, no scope":    sign(t, a.private, a.header(), with(map[string]any{"aud": nil})),
		"another scope":            sign(t, a.private, a.header(), with(map[string]any{"aud": nil, "scope": "https://www.googleapis.com/auth/devstorage"})),
		"subject":                  sign(t, a.private, a.header(), with(map[string]any{"sub": "boss@example.com"})),
		"email":                    sign(t, a.private, a.header(), with(map[string]any{"email": "boss@example.com"})),
		"issuer":                   sign(t, a.private, a.header(), with(map[string]any{"iss": "x@p.iam.gserviceaccount.com", "sub": "x@p.iam.gserviceaccount.com"})),
		"expired":                  sign(t, a.private, a.header(), with(map[string]any{"iat": now.Add(-time.Hour).Unix(), "exp": now.Unix()})),
		"too long":                 sign(t, a.private, a.header(), with(map[string]any{"exp": now.Add(time.Hour + time.Second).Unix()})),
		"from the future":          sign(t, a.private, a.header(), with(map[string]any{"iat": now.Add(6 * time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()})),
		"not before":               sign(t, a.private, a.header(), with(map[string]any{"nbf": now.Add(6 * time.Minute).Unix()})),
		"no exp":                   sign(t, a.private, a.header(), with(map[string]any{"exp": nil})),
		"exp as text":              sign(t, a.private, a.header(), with(map[string]any{"exp": "9999999999"})),
		"exp beyond time":          sign(t, a.private, a.header(), with(map[string]any{"exp": 1e300})),
		"another key":              sign(t, other, a.header(), a.claims()),
		"unknown kid":              sign(t, a.private, map[string]any{"alg": "RS256", "kid": "abc"}, a.claims()),
		"no kid":                   sign(t, a.private, map[string]any{"alg": "RS256"}, a.claims()),
		"none":                     sign(t, a.private, map[string]any{"alg": "none", "kid": a.made.Key.ID}, a.claims()),
		"HS256":                    sign(t, a.private, map[string]any{"alg": "HS256", "kid": a.made.Key.ID}, a.claims()),
		"critical":                 sign(t, a.private, map[string]any{"alg": "RS256", "kid": a.made.Key.ID, "crit": []string{"b64"}, "b64": false}, a.claims()),
		"alg twice":                sign(t, a.private, []byte(`{"alg":"RS256","alg":"none","kid":"`+a.made.Key.ID+`"}`), a.claims()),
		"body of another":          parts[0] + "." + part(with(map[string]any{"aud": service, "x": 1})) + "." + parts[2],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"padding":                  good + "=",
		"newline":                  good + "\n",
		"four parts":               good + "." + parts[2],
		"too large":                strings.Repeat("a", 9000) + "..",
		"nothing":                  "..",
	} {
		t.Run(name, func(t *testing.T) {
			c := a.present(text)
			if !errors.Is(c.Refusal(), secret.ErrDenied) {
				t.Errorf("got %v", c.Refusal())
			}
		})
	}
	if c := a.present(good); c.Refusal() != nil {
		t.Error("the good one is refused now: ", c.Refusal())
	}
}

func TestAssertionEndsWithItsKey(t *testing.T) {
	a := newAccount(t)
	text := sign(t, a.private, a.header(), a.claims())
	if c := a.present(text); c.Refusal() != nil {
		t.Fatal(c.Refusal())
	}
	internal := a.rig.Warrant.Internal("test")
	made, err := authtest.Do(a.rig, internal, machine.Rotate{Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	if c := a.present(text); c.Refusal() == nil {
		t.Error("the key was replaced, and still")
	}
	a.made, a.private = made, private(t, made.Secret)
	text = sign(t, a.private, a.header(), a.claims())
	if c := a.present(text); c.Refusal() != nil {
		t.Fatal(c.Refusal())
	}
	if _, err := authtest.Do(a.rig, internal, machine.Delete{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	if c := a.present(text); c.Refusal() == nil {
		t.Error("the account is gone, and still")
	}
}

func TestForToken(t *testing.T) {
	accept := gcpsa.ForToken("https://k/token", "https://oauth2.googleapis.com/token")
	for aud, want := range map[string]bool{"https://k/token": true, "https://oauth2.googleapis.com/token": true, "https://k/token/": false, service: false} {
		if got := accept(&gcpsa.Assertion{Audiences: []string{aud}}); got != want {
			t.Errorf("%s: %v", aud, got)
		}
	}
	if accept(&gcpsa.Assertion{Audiences: []string{"https://k/token", service}}) || accept(&gcpsa.Assertion{}) {
		t.Error("more or less than one audience")
	}
}

func FuzzParse(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	claims := map[string]any{"iss": "a@b", "aud": []string{"x"}, "iat": now.Unix(), "exp": now.Unix() + 3600}
	f.Add(part(map[string]any{"alg": "RS256", "kid": "k"}) + "." + part(claims) + "." + part([]byte("sig")))
	f.Add("..")
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := gcpsa.Parse(text)
		if err != nil {
			if !errors.Is(err, secret.ErrDenied) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if a.Issuer == "" || a.KeyID == "" || strings.Count(text, ".") != 2 {
			t.Fatalf("accepted: %+v", a)
		}
	})
}

// BenchmarkAssertion is a request's sign-in: new is an assertion that was never seen, known one that was proved before.
func BenchmarkAssertion(b *testing.B) {
	a := newAccount(b)
	text := sign(b, a.private, a.header(), a.claims())
	for name, prover := range map[string]func() *gcpsa.Prover{"new": gcpsa.NewProver, "known": func() *gcpsa.Prover { return a.prover }} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.prover = prover()
				if c := a.present(text); c.Refusal() != nil {
					b.Fatal(c.Refusal())
				}
			}
		})
	}
}
