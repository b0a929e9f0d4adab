package jwt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/secret"
)

var mount = auth.Mount{Path: "jwt", Accessor: "auth_jwt_1"}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(claims)
	signed, err := s.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// says is what a good token claims, with some members changed; nil takes one away.
func says(r *authtest.Rig, change map[string]any) map[string]any {
	now := r.Store.Now().Unix()
	out := map[string]any{"iss": "https://ci.example", "sub": "repo:shop", "aud": "keephold", "exp": now + 600, "iat": now, "env": []any{"prod", "dev"}, "in": map[string]any{"team": "web"}}
	for k, v := range change {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

func rig(t testing.TB, c jwt.Config, keys *jwt.Keys) *authtest.Rig {
	t.Helper()
	r := authtest.New(t)
	if _, err := authtest.Do(r, r.Root(), jwt.WriteConfig{Mount: mount, Config: c, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	_, err := authtest.Do(r, r.Root(), jwt.WriteRole{Mount: mount, Role: "web", Change: func(role *jwt.Role) error {
		role.UserClaim, role.Audiences = "sub", []string{"keephold", "other"}
		role.Claims = map[string][]string{"env": {"prod"}, "/in/team": {"web", "app"}}
		role.Mappings = map[string]string{"/in/team": "team"}
		role.Token.Policies = []string{"web"}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func login(role, token string, keys *jwt.Keys) auth.Method {
	return jwt.Login{Mount: mount, Role: role, Token: auth.NewProof([]byte(token)), Keys: keys}
}

func config(t testing.TB, key *ecdsa.PrivateKey) jwt.Config {
	return jwt.Config{PublicKeys: []string{public(t, key)}, Issuer: "https://ci.example", Algorithms: []string{"ES256"}}
}

func TestContractOfAMethod(t *testing.T) {
	key, keys := newKey(t), new(jwt.Keys)
	authtest.TestMethod(t, func(t *testing.T) (*authtest.Rig, authtest.Harness) {
		r := rig(t, config(t, key), keys)
		good := sign(t, jose.ES256, key, "", says(r, nil))
		return r, authtest.Harness{
			Good:    func() auth.Method { return login("web", good, keys) },
			Wrong:   func() auth.Method { return login("web", sign(t, jose.ES256, newKey(t), "", says(r, nil)), keys) },
			Unknown: func() auth.Method { return login("nobody", good, keys) },
		}
	})
}

// TestTokensThatAreNotGood: each differs from a good one in one thing.
func TestTokensThatAreNotGood(t *testing.T) {
	key, keys := newKey(t), new(jwt.Keys)
	r := rig(t, config(t, key), keys)
	now := r.Store.Now().Unix()
	signed := func(change map[string]any) string { return sign(t, jose.ES256, key, "", says(r, change)) }
	good := signed(nil)
	if _, err := r.SignIn(login("web", good, keys), auth.From{}); err != nil {
		t.Fatalf("a good token: %v", err)
	}
	for name, change := range map[string]map[string]any{"an audience among several": {"aud": []any{"x", "other"}}, "within the leeway": {"exp": now - 30}, "a team among several": {"in": map[string]any{"team": "app"}}} {
		if _, err := r.SignIn(login("web", signed(change), keys), auth.From{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	tests := map[string]string{
		"another issuer":           signed(map[string]any{"iss": "https://ci.example.evil"}),
		"no issuer":                signed(map[string]any{"iss": nil}),
		"another audience":         signed(map[string]any{"aud": "somebody"}),
		"no audience":              signed(map[string]any{"aud": nil}),
		"audiences of a kind":      signed(map[string]any{"aud": []any{"keephold", 1}}),
		"expired":                  signed(map[string]any{"exp": now - 3600}),
		"without an end":           signed(map[string]any{"exp": nil}),
		"an end that is text":      signed(map[string]any{"exp": "tomorrow"}),
		"not yet":                  signed(map[string]any{"nbf": now + 3600}),
		"made in the future":       signed(map[string]any{"iat": now + 3600}),
		"another claim":            signed(map[string]any{"env": "test"}),
		"a claim that is none":     signed(map[string]any{"env": map[string]any{"prod": true}}),
		"a nested claim":           signed(map[string]any{"in": map[string]any{"team": "ops"}}),
		"nobody":                   signed(map[string]any{"sub": ""}),
		"who is no text":           signed(map[string]any{"sub": 7}),
		"an algorithm of ours":     sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), "", says(r, nil)),
		"signed by the public key": sign(t, jose.HS256, []byte(public(t, key)), "", says(r, nil)),
		"no signature":             strings.Join(append(strings.Split(good, ".")[:2], ""), "."),
		"none as algorithm":        "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"cut":                      good[:len(good)-4],
		"two in one":               good + "." + good,
		"nothing like it":          "x",
		"too long":                 strings.Repeat("x", 20<<10),
	}
	for name, token := range tests {
		if _, err := r.SignIn(login("web", token, keys), auth.From{}); !errors.Is(err, secret.ErrSignIn) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWhatMayBeConfigured(t *testing.T) {
	key := newKey(t)
	bad := map[string]jwt.Config{
		"nothing":              {},
		"two ways":             {PublicKeys: []string{public(t, key)}, JWKSURL: "https://ci.example/keys"},
		"a secret algorithm":   {PublicKeys: []string{public(t, key)}, Algorithms: []string{"HS256"}},
		"no algorithm":         {PublicKeys: []string{public(t, key)}, Algorithms: []string{"none"}},
		"plaintext":            {JWKSURL: "http://ci.example/keys"},
		"a file":               {JWKSURL: "file:///etc/passwd"},
		"a user in an address": {DiscoveryURL: "https://me:pw@ci.example"},
		"no key":               {PublicKeys: []string{"-----BEGIN NOTHING-----"}},
		"no CA":                {JWKSURL: "https://ci.example/keys", CA: "x"},
	}
	r := authtest.New(t)
	for name, c := range bad {
		if _, _, err := (jwt.WriteConfig{Mount: mount, Config: c, Keys: new(jwt.Keys)}).Plan(context.Background(), auth.Caller{}, r.Store); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, change := range map[string]func(*jwt.Role){
		"no user claim": func(r *jwt.Role) { r.UserClaim = "" }, "no audience": func(r *jwt.Role) { r.Audiences = nil },
		"a claim without values": func(r *jwt.Role) { r.Claims = map[string][]string{"a": nil} }, "a mapping to role": func(r *jwt.Role) { r.Mappings = map[string]string{"a": "role"} },
		"two mappings to one": func(r *jwt.Role) { r.Mappings = map[string]string{"a": "x", "b": "x"} },
	} {
		act := jwt.WriteRole{Mount: mount, Role: "web", Change: func(role *jwt.Role) error {
			role.UserClaim, role.Audiences = "sub", []string{"a"}
			change(role)
			return nil
		}}
		if _, _, err := act.Plan(context.Background(), auth.Caller{}, r.Store); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// issuer is a server with its discovery document and its keys; asked counts the fetches of those.
func issuer(t *testing.T, key *ecdsa.PrivateKey, asked *int, move func(w http.ResponseWriter, r *http.Request) bool) *httptest.Server {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if move != nil && move(w, r) {
			return
		}
		if r.URL.Path == "/.well-known/openid-configuration" {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": s.URL, "jwks_uri": s.URL + "/keys"})
			return
		}
		*asked++
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	}))
	t.Cleanup(s.Close)
	return s
}

func TestKeysAreFetchedOnce(t *testing.T) {
	key, asked, keys := newKey(t), 0, &jwt.Keys{Local: true}
	s := issuer(t, key, &asked, nil)
	r := rig(t, jwt.Config{DiscoveryURL: s.URL, Algorithms: []string{"ES256"}}, keys)
	for range 5 {
		if _, err := r.SignIn(login("web", sign(t, jose.ES256, key, "k1", says(r, map[string]any{"iss": s.URL})), keys), auth.From{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 { // ids that nobody knows make it ask no more
		if _, err := r.SignIn(login("web", sign(t, jose.ES256, key, "k2", says(r, map[string]any{"iss": s.URL})), keys), auth.From{}); !errors.Is(err, secret.ErrSignIn) {
			t.Errorf("a key that is not there: %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("the issuer was asked %d times", asked)
	}
}

// TestFetchesStayOutside: an issuer's address, where it points and what it answers lead nowhere inside.
func TestFetchesStayOutside(t *testing.T) {
	key, asked := newKey(t), 0
	s := issuer(t, key, &asked, nil)
	away := issuer(t, key, new(int), func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, s.URL+r.URL.Path, http.StatusFound)
		return true
	})
	elsewhere := issuer(t, key, new(int), func(w http.ResponseWriter, r *http.Request) bool {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "http://" + r.Host, "jwks_uri": s.URL + "/keys"})
		return true
	})
	inside := httptest.NewTLSServer(s.Config.Handler) // which would answer
	t.Cleanup(inside.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: inside.Certificate().Raw}))
	tests := map[string]struct {
		config jwt.Config
		keys   *jwt.Keys
	}{
		"this machine":      {jwt.Config{JWKSURL: inside.URL + "/keys", CA: ca}, new(jwt.Keys)},
		"a metadata server": {jwt.Config{JWKSURL: "https://169.254.169.254/keys"}, &jwt.Keys{Local: true}},
		"a redirect":        {jwt.Config{JWKSURL: away.URL + "/keys"}, &jwt.Keys{Local: true}},
		"another host":      {jwt.Config{DiscoveryURL: elsewhere.URL}, &jwt.Keys{Local: true}},
		"another name":      {jwt.Config{DiscoveryURL: s.URL + "/"}, &jwt.Keys{Local: true}},
	}
	for name, test := range tests {
		r := rig(t, test.config, test.keys)
		token := sign(t, jose.RS256, rsaKey(t), "k1", says(r, nil))
		if _, err := r.SignIn(login("web", token, test.keys), auth.From{}); !errors.Is(err, secret.ErrUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if asked != 0 {
		t.Errorf("keys were fetched %d times", asked)
	}
	keys := &jwt.Keys{Local: true}
	r := rig(t, jwt.Config{JWKSURL: inside.URL + "/keys", CA: ca, Algorithms: []string{"ES256"}}, keys)
	if _, err := r.SignIn(login("web", sign(t, jose.ES256, key, "k1", says(r, nil)), keys), auth.From{}); err != nil || asked != 1 {
		t.Errorf("where this machine may be asked: %v, %d fetches", err, asked)
	}
}

// FuzzLogin: no text is a good token, and none is a panic.
func FuzzLogin(f *testing.F) {
	key, keys := newKey(f), new(jwt.Keys)
	pub := public(f, key)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.AAAA")
	f.Add(sign(f, jose.ES256, key, "k", map[string]any{"aud": "x", "exp": 1}))
	f.Fuzz(func(t *testing.T, text string) {
		r := rig(t, jwt.Config{PublicKeys: []string{pub}, Algorithms: []string{"ES256"}}, keys)
		if _, err := r.SignIn(login("web", text, keys), auth.From{}); err == nil {
			t.Errorf("%q signed somebody in", text)
		}
	})
}
