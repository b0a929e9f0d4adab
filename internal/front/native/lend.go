package native

import (
	"time"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
)

// lent is a credential of an identity for a while: an access key with its session token for AWS, an access token for the
// others.
type lent struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Home    string    `json:"home"`
	Public  string    `json:"public"`
	KeyID   string    `json:"key_id,omitempty"`
	Secret  string    `json:"secret,omitempty"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// lentLife is how long one lives unless less is asked for; whoever hands it on asks again before.
const lentLife = time.Hour

// lendIdentity is PUT identities-session/NAME {"audience": RESOURCE, "ttl": "15m"}.
func lendIdentity(rq *request) (any, error) {
	a := machine.Lend{Name: rq.path, TTL: lentLife}
	var ttl string
	if err := rq.read(map[string]any{"audience": &a.Audience, "ttl": &ttl}); err != nil {
		return nil, err
	}
	d, err := duration("ttl", ttl)
	if err != nil {
		return nil, err
	}
	if d > 0 {
		a.TTL = min(d, lentLife)
	}
	got, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, a)
	if err != nil {
		return nil, err
	}
	id := got.Identity
	return lent{
		Name: id.Name, Kind: string(id.Kind), Home: id.Home, Public: id.Public, KeyID: got.Access, Secret: string(got.Secret.Reveal()),
		Token: string(got.Text.Reveal()), Expires: got.Expires,
	}, nil
}
