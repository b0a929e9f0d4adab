package jwt

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Login is a sign-in by a token.
type Login struct {
	Mount auth.Mount
	Role  string // "" is the mount's default
	Token auth.Proof
	Keys  *Keys
}

var _ auth.Method = Login{}

// errSignIn reads the same for an unknown role and for a token that is not good for it.
var errSignIn = auth.Tell(secret.ErrSignIn, "invalid role or token")

// maxToken bounds a token, in bytes.
const maxToken = 16 << 10

// SignIn verifies the token's signature with a key of the issuer, then what it claims.
func (l Login) SignIn(ctx context.Context, v record.View, _ auth.From) (auth.SignIn, []record.Change, error) {
	config, err := loadConfig(ctx, v, l.Mount)
	if err != nil {
		return auth.SignIn{}, nil, err
	}
	name := cmp.Or(l.Role, config.DefaultRole)
	switch {
	case name == "":
		return auth.SignIn{}, nil, invalid("missing role")
	case l.Token.IsZero():
		return auth.SignIn{}, nil, invalid("missing token")
	}
	role, err := loadRole(ctx, v, l.Mount, name)
	unknown := errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrInvalid)
	if err != nil && !unknown {
		return auth.SignIn{}, nil, err
	}
	claims, err := l.Keys.verify(ctx, config, string(l.Token.Bytes()), v.Now())
	if err != nil {
		return auth.SignIn{}, nil, err
	}
	if unknown || role.refuses(config, claims, v.Now()) {
		return auth.SignIn{}, nil, errSignIn
	}
	user, ok := claims.text(role.UserClaim)
	if !ok || user == "" {
		return auth.SignIn{}, nil, errSignIn
	}
	meta := map[string]string{"role": role.Name}
	for from, to := range role.Mappings {
		if s, ok := claims.text(from); ok {
			meta[to] = s
		}
	}
	pairs := auth.Pairs(meta)
	return auth.SignIn{
		Mount: l.Mount, Method: Method, Path: "login", Role: role.Name, Display: user, Meta: pairs,
		Alias: auth.AliasName{Name: user, Meta: pairs}, Token: role.Token,
	}, nil, nil
}

// verify answers the claims of a token that was signed with a key of the issuer, by an algorithm that is allowed.
func (k *Keys) verify(ctx context.Context, c *Config, token string, now time.Time) (claims, error) {
	if len(token) > maxToken {
		return nil, errSignIn
	}
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(token), c.allowed())
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errSignIn
	}
	id := signed.Signatures[0].Header.KeyID
	keys, err := k.of(ctx, c, id, now)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if id != "" && keys[i].KeyID != "" && keys[i].KeyID != id || keys[i].Use != "" && keys[i].Use != "sig" {
			continue
		}
		payload, err := signed.Verify(&keys[i])
		if err != nil {
			continue
		}
		var out claims
		if json.Unmarshal(payload, &out) != nil || out == nil {
			return nil, errSignIn
		}
		return out, nil
	}
	return nil, errSignIn
}

// claims are what a token says (RFC 7519).
type claims map[string]any

// find answers a claim by its name, or by a JSON pointer (RFC 6901); nil where there is none.
func (c claims) find(name string) any {
	if !strings.HasPrefix(name, "/") {
		return c[name]
	}
	var at any = map[string]any(c)
	for part := range strings.SplitSeq(name[1:], "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		if at, ok = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil
		}
	}
	return at
}

func (c claims) text(name string) (string, bool) {
	v := c.find(name)
	s, ok := v.(string)
	return s, ok
}

// texts is a claim that is a text or a list of some.
func (c claims) texts(name string) []string {
	v := c.find(name)
	switch x := v.(type) {
	case string:
		return []string{x}
	case bool:
		if x {
			return []string{"true"}
		}
		return []string{"false"}
	case []any:
		var out []string
		for _, item := range x {
			s, ok := item.(string)
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	return nil
}

// when is a time in seconds; false when it is not there, or is none.
func (c claims) when(name string) (t time.Time, there, ok bool) {
	v, there := c[name]
	if !there {
		return t, false, true
	}
	n, ok := v.(float64)
	if !ok || n < 0 || n > 1<<40 {
		return t, true, false
	}
	return time.Unix(int64(n), 0), true, true
}

// refuses reports whether the claims are not what the role and the configuration ask for. A token has to have an end.
func (r *Role) refuses(c *Config, got claims, now time.Time) bool {
	skew := cmp.Or(r.Leeway.Skew, time.Minute)
	exp, has, ok := got.when("exp")
	if !ok || !has || !now.Before(exp.Add(r.Leeway.late())) {
		return true
	}
	for _, name := range []string{"nbf", "iat"} {
		if t, has, ok := got.when(name); !ok || has && now.Before(t.Add(-cmp.Or(r.Leeway.NotBefore, skew))) {
			return true
		}
	}
	iss, _ := got.text("iss")
	sub, _ := got.text("sub")
	switch {
	case c.issuer() != "" && iss != c.issuer():
		return true
	case !slices.ContainsFunc(got.texts("aud"), func(s string) bool { return slices.Contains(r.Audiences, s) }):
		return true
	case r.Subject != "" && sub != r.Subject:
		return true
	}
	for name, values := range r.Claims {
		if !slices.ContainsFunc(got.texts(name), func(s string) bool { return r.holds(values, s) }) {
			return true
		}
	}
	return false
}

func (r *Role) holds(values []string, s string) bool {
	if !r.Globs {
		return slices.Contains(values, s)
	}
	return slices.ContainsFunc(values, func(pattern string) bool {
		p, err := policy.ParseGlob(pattern)
		return err == nil && p.Matches(s)
	})
}
