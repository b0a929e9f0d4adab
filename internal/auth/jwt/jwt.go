// Package jwt signs programs in by a JSON web token of an issuer that an operator chose to trust, as the vendor's jwt method does
// (https://openbao.org/api-docs/auth/jwt/). What it takes is narrower than the vendor's: asymmetric signatures only, and every
// role names the audiences that a token must be made out to, so that one made for somebody else opens nothing here.
package jwt

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Method is the name of this method.
const Method = "jwt"

// Config is whose tokens a mount trusts: exactly one of keys, an address of keys, and an issuer that is asked for its keys.
type Config struct {
	PublicKeys   []string `json:"pubkeys,omitempty"` // PEM
	JWKSURL      string   `json:"jwks_url,omitempty"`
	DiscoveryURL string   `json:"discovery_url,omitempty"`
	CA           string   `json:"ca,omitempty"` // PEM, of the server that is asked; "" is the system's
	Issuer       string   `json:"issuer,omitempty"`
	Algorithms   []string `json:"algorithms,omitempty"` // none: RS256
	DefaultRole  string   `json:"default_role,omitempty"`
}

// algorithms are those that a mount may allow: none has a secret that both sides know.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA}
}

// allowed is the list that signatures are parsed with.
func (c *Config) allowed() []jose.SignatureAlgorithm {
	if len(c.Algorithms) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	out := make([]jose.SignatureAlgorithm, len(c.Algorithms))
	for i, a := range c.Algorithms {
		out[i] = jose.SignatureAlgorithm(a)
	}
	return out
}

// issuer is who a token must say made it; "" where nobody was named.
func (c *Config) issuer() string {
	if c.Issuer != "" {
		return c.Issuer
	}
	return c.DiscoveryURL
}

func invalid(format string, args ...any) error { return auth.Tell(secret.ErrInvalid, format, args...) }

func (c *Config) check(reach *Keys) error {
	ways := 0
	for _, given := range []bool{len(c.PublicKeys) > 0, c.JWKSURL != "", c.DiscoveryURL != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return invalid("exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set")
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(algorithms(), jose.SignatureAlgorithm(a)) {
			return invalid("unsupported algorithm: %q", a)
		}
	}
	if _, err := parseKeys(c.PublicKeys); err != nil {
		return err
	}
	if c.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.CA)) {
		return invalid("the CA holds no certificate in PEM")
	}
	for _, u := range []string{c.JWKSURL, c.DiscoveryURL} {
		if u == "" {
			continue
		}
		if p, err := url.Parse(u); err != nil || p.Host == "" || p.User != nil || p.RawQuery != "" || p.Fragment != "" || p.Scheme != "https" && !(p.Scheme == "http" && reach.Local) {
			return invalid("%q is no https address without a user, a query or a fragment", u)
		}
	}
	return nil
}

// parseKeys reads public keys, or certificates, in PEM.
func parseKeys(texts []string) ([]jose.JSONWebKey, error) {
	var out []jose.JSONWebKey
	for _, text := range texts {
		block, rest := pem.Decode([]byte(text))
		if block == nil || strings.TrimSpace(string(rest)) != "" {
			return nil, invalid("error parsing public key: it is not one block of PEM")
		}
		var key any
		var err error
		if block.Type == "CERTIFICATE" {
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				key = cert.PublicKey
			}
		} else {
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		}
		if err != nil {
			return nil, invalid("error parsing public key: %v", err)
		}
		k := jose.JSONWebKey{Key: key}
		if !k.Valid() || !k.IsPublic() {
			return nil, invalid("error parsing public key: of a kind that signs no tokens")
		}
		out = append(out, k)
	}
	return out, nil
}

func configKey(m auth.Mount) string { return record.Key("jwc", m.Namespace, m.Accessor) }

func loadConfig(ctx context.Context, v record.View, m auth.Mount) (*Config, error) {
	c := new(Config)
	_, err := record.Load(ctx, v, configKey(m), c)
	if errors.Is(err, secret.ErrNotFound) {
		return nil, invalid("could not load configuration")
	}
	return c, err
}

// WriteConfig says whose tokens a mount trusts.
type WriteConfig struct {
	Mount  auth.Mount
	Config Config
	Keys   *Keys
}

// Need of the act.
func (a WriteConfig) Need() record.Need {
	return record.Need{Action: "jwt.config.update", Resource: a.Mount.Resource("config"), Capability: policy.Update}
}

// Plan stores the configuration.
func (a WriteConfig) Plan(_ context.Context, _ auth.Caller, _ record.View) (auth.None, []record.Change, error) {
	if err := a.Config.check(a.Keys); err != nil {
		return auth.None{}, nil, err
	}
	return auth.None{}, []record.Change{{Key: configKey(a.Mount), Value: record.Encode(&a.Config)}}, nil
}

// ReadConfig answers whose tokens a mount trusts.
type ReadConfig struct{ Mount auth.Mount }

// Need of the act.
func (a ReadConfig) Need() record.Need {
	return record.Need{Action: "jwt.config.read", Resource: a.Mount.Resource("config"), Capability: policy.Read}
}

// Plan reads the configuration.
func (a ReadConfig) Plan(ctx context.Context, _ auth.Caller, v record.View) (Config, []record.Change, error) {
	c := Config{}
	_, err := record.Load(ctx, v, configKey(a.Mount), &c)
	return c, nil, err
}
