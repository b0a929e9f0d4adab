package vaultapi

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// signedToken is a token of an issuer that holds key (RFC 7519), good for a minute.
func signedToken(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	claims["iat"], claims["exp"] = time.Now().Unix(), time.Now().Add(time.Minute).Unix()
	text := ""
	for _, part := range []any{map[string]string{"alg": "RS256", "typ": "JWT"}, claims} {
		text += base64.RawURLEncoding.EncodeToString(got(json.Marshal(part))(t)) + "."
	}
	text = text[:len(text)-1]
	sum := sha256.Sum256([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(got(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))(t))
}

func TestJWT(t *testing.T) {
	key := got(rsa.GenerateKey(rand.Reader, 2048))(t)
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: got(x509.MarshalPKIXPublicKey(&key.PublicKey))(t)}))
	everywhere(t, func(t *testing.T, k *keep) {
		l := k.root.Logical()
		must(t, k.root.Sys().PutPolicy("dev", devPolicy))
		must(t, k.root.Sys().EnableAuthWithOptions("ci", &api.EnableAuthOptions{Type: "jwt"}))
		got(l.Write("auth/ci/config", map[string]any{"jwt_validation_pubkeys": []string{public}, "bound_issuer": "https://ci.example.org"}))(t)
		if c := got(l.Read("auth/ci/config"))(t); c.Data["bound_issuer"] != "https://ci.example.org" {
			t.Errorf("config: %v", c.Data)
		}
		got(l.Write("auth/ci/role/deploy", map[string]any{
			"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"keephold"}, "bound_claims": map[string]any{"repository": "shop/api"}, "token_policies": "dev", "token_ttl": "5m",
		}))(t)
		if r := got(l.Read("auth/ci/role/deploy"))(t); r.Data["user_claim"] != "sub" {
			t.Errorf("role: %v", r.Data)
		}
		if roles := got(l.List("auth/ci/role"))(t); !slices.Contains(roles.Data["keys"].([]any), any("deploy")) {
			t.Errorf("roles: %v", roles.Data)
		}
		claims := func(change string, to any) map[string]any {
			c := map[string]any{"iss": "https://ci.example.org", "aud": "keephold", "sub": "job-7", "repository": "shop/api"}
			if change != "" {
				c[change] = to
			}
			return c
		}
		signIn := func(token string) (*api.Secret, error) {
			return k.client(t, "").Logical().Write("auth/ci/login", map[string]any{"role": "deploy", "jwt": token})
		}
		signed := got(signIn(signedToken(t, key, claims("", nil))))(t)
		if !slices.Contains(signed.Auth.TokenPolicies, "dev") || signed.Auth.LeaseDuration != 300 {
			t.Errorf("signed in: %+v", signed.Auth)
		}
		got(k.client(t, signed.Auth.ClientToken).Logical().Write("secret/data/by-ci", map[string]any{"data": map[string]any{"x": "1"}}))(t)

		other := got(rsa.GenerateKey(rand.Reader, 2048))(t)
		for name, token := range map[string]string{
			"another key":        signedToken(t, other, claims("", nil)),
			"another issuer":     signedToken(t, key, claims("iss", "https://elsewhere.example.org")),
			"another audience":   signedToken(t, key, claims("aud", "somebody")),
			"another repository": signedToken(t, key, claims("repository", "shop/fork")),
		} {
			t.Run(name, func(t *testing.T) {
				_, err := signIn(token)
				refused(t, http.StatusBadRequest, err)
			})
		}
		got(l.Delete("auth/ci/role/deploy"))(t)
		must(t, k.root.Sys().DisableAuth("ci"))
	})
}
