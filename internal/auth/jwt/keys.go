package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Keys keeps the keys of issuers, one for all mounts of a process. An issuer is asked when its keys are old, and when a token names one that is not
// among them; what strangers send makes it be asked once a minute at most.
type Keys struct {
	Local bool // addresses of this machine and of its link may be asked, without TLS too: for development

	mu   sync.Mutex
	kept map[string]*kept // guarded by mu, by address and CA
}

type kept struct {
	mu    sync.Mutex // held while the issuer is asked, so that many sign-ins ask once
	keys  []jose.JSONWebKey
	asked time.Time // the last attempt
	good  time.Time // the last success
}

const (
	fresh   = time.Hour   // how long keys are believed
	pause   = time.Minute // between two attempts
	maxKept = 256         // issuers
)

// of answers the keys of a configuration's issuer, among which one with the id is sought.
func (k *Keys) of(ctx context.Context, c *Config, id string, now time.Time) ([]jose.JSONWebKey, error) {
	if len(c.PublicKeys) > 0 {
		return parseKeys(c.PublicKeys)
	}
	at := k.entry(c.JWKSURL + "\x00" + c.DiscoveryURL + "\x00" + c.CA)
	at.mu.Lock()
	defer at.mu.Unlock()
	old := now.Sub(at.good) >= fresh
	missing := id != "" && !slices.ContainsFunc(at.keys, func(key jose.JSONWebKey) bool { return key.KeyID == id })
	if (old || missing) && now.Sub(at.asked) >= pause {
		at.asked = now
		keys, err := k.ask(ctx, c)
		if err == nil {
			at.keys, at.good, old = keys, now, false
		} else if old {
			return nil, err
		}
	}
	if old {
		return nil, auth.Tell(secret.ErrUnavailable, "the keys of the issuer could not be fetched")
	}
	return at.keys, nil
}

func (k *Keys) entry(name string) *kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || len(k.kept) >= maxKept {
		k.kept = map[string]*kept{}
	}
	if k.kept[name] == nil {
		k.kept[name] = new(kept)
	}
	return k.kept[name]
}

// ask fetches the keys, from where the issuer says they are.
func (k *Keys) ask(ctx context.Context, c *Config) ([]jose.JSONWebKey, error) {
	from := c.JWKSURL
	if c.DiscoveryURL != "" {
		var err error
		if from, err = k.discover(ctx, c); err != nil {
			return nil, err
		}
	}
	b, err := k.fetch(ctx, from, c.CA)
	if err != nil {
		return nil, err
	}
	return readSet(b)
}

// discover reads the issuer's own document (OpenID Connect Discovery 1.0, section 4). Keys that lie with another host are not fetched: their address is
// the operator's to say.
func (k *Keys) discover(ctx context.Context, c *Config) (string, error) {
	b, err := k.fetch(ctx, strings.TrimSuffix(c.DiscoveryURL, "/")+"/.well-known/openid-configuration", c.CA)
	if err != nil {
		return "", err
	}
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if json.Unmarshal(b, &doc) != nil || doc.Issuer != c.DiscoveryURL {
		return "", auth.Tell(secret.ErrUnavailable, "the issuer does not call itself %s", c.DiscoveryURL)
	}
	base, err := url.Parse(c.DiscoveryURL)
	keys, err2 := url.Parse(doc.Keys)
	if err != nil || err2 != nil || keys.Host != base.Host || keys.Scheme != base.Scheme {
		return "", auth.Tell(secret.ErrUnavailable, "the issuer's keys lie with another host: set 'jwks_url' and 'bound_issuer'")
	}
	return doc.Keys, nil
}

// readSet reads a set of keys (RFC 7517). Of those that sign nothing here, or hold a secret, none is kept.
func readSet(b []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(b, &set) != nil || len(set.Keys) > 100 {
		return nil, auth.Tell(secret.ErrUnavailable, "what the issuer answered is no set of keys")
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.Valid() && key.IsPublic() {
			out = append(out, key)
		}
	}
	return out, nil
}

var errAddress = errors.New("an address of this machine, of its link or of a metadata service")

func unreachable(host string, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // the rest quotes the URL
	}
	return fmt.Errorf("%w: the issuer at %s: %w", secret.ErrUnavailable, host, err)
}
