package native

import (
	"encoding/json"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// identity is a machine identity as it is shown; Secret only in the answer that made it.
type identity struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`
	ID       string     `json:"id"`
	Home     string     `json:"home"`
	Public   string     `json:"public"`
	Policies []string   `json:"policies"`
	Owner    string     `json:"owner,omitempty"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	Keys     []key      `json:"keys"`
	Trust    []string   `json:"trust,omitempty"`
	KeyID    string     `json:"key_id,omitempty"`
	Secret   string     `json:"secret,omitempty"`
}

type key struct {
	ID      string     `json:"id"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
}

func shown(id machine.Identity) identity {
	out := identity{
		Name: id.Name, Kind: string(id.Kind), ID: id.UID, Home: id.Home, Public: id.Public, Policies: id.Policies, Owner: id.Owner, Created: id.Created,
		Expires: instant(id.Expires), Keys: []key{},
	}
	for _, k := range id.Keys {
		out.Keys = append(out.Keys, key{k.ID, k.Created, instant(k.Expires)})
	}
	for _, t := range id.Trust {
		out.Trust = append(out.Trust, t.Mount+"/"+t.Role)
	}
	return out
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// once is an identity with the credential that nobody is shown again.
func once(c machine.Credential) identity {
	out := shown(c.Identity)
	out.KeyID, out.Secret = c.Key.ID, string(c.Secret.Reveal())
	return out
}

// readIdentities is GET identities and GET identities/NAME.
func readIdentities(rq *request) (any, error) {
	ctx, d := rq.http.Context(), rq.front.desk
	if rq.path != "" {
		id, err := custody.Do(ctx, d, rq.caller, machine.Read{Name: rq.path})
		if err != nil {
			return nil, err
		}
		return shown(id), nil
	}
	list, err := custody.Do(ctx, d, rq.caller, machine.List{After: rq.http.URL.Query().Get("after")})
	if err != nil {
		return nil, err
	}
	out := make([]identity, len(list))
	for i, id := range list {
		out[i] = shown(id)
	}
	return map[string]any{"identities": out}, nil
}

// createIdentity is PUT identities/NAME {"kind": "aws-key", "home": ACCOUNT, "policies": […], "owner", "ttl", "session"}.
func createIdentity(rq *request) (any, error) {
	a := machine.Create{Name: rq.path}
	var ttl, session string
	fields := map[string]any{"kind": &a.Kind, "home": &a.Home, "policies": &a.Policies, "owner": &a.Owner, "ttl": &ttl, "session": &session}
	if err := rq.read(fields); err != nil {
		return nil, err
	}
	var err error
	if a.TTL, err = duration("ttl", ttl); err != nil {
		return nil, err
	}
	if a.Session, err = duration("session", session); err != nil {
		return nil, err
	}
	made, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, a)
	if err != nil {
		return nil, err
	}
	return once(made), nil
}

// rotateIdentity is PUT identities-rotate/NAME {"grace": "1h"}.
func rotateIdentity(rq *request) (any, error) {
	var grace string
	if err := rq.read(map[string]any{"grace": &grace}); err != nil {
		return nil, err
	}
	d, err := duration("grace", grace)
	if err != nil {
		return nil, err
	}
	made, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, machine.Rotate{Name: rq.path, Grace: d})
	if err != nil {
		return nil, err
	}
	return once(made), nil
}

// entrustIdentity is PUT identities-trust/NAME {"roles": ["jwt/build"]}.
func entrustIdentity(rq *request) (any, error) {
	a := jwt.Entrust{Name: rq.path}
	if err := rq.read(map[string]any{"roles": &a.Roles}); err != nil {
		return nil, err
	}
	id, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, a)
	if err != nil {
		return nil, err
	}
	return shown(id), nil
}

// deleteIdentity is DELETE identities/NAME.
func deleteIdentity(rq *request) (any, error) {
	_, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, machine.Delete{Name: rq.path})
	return map[string]any{"name": rq.path}, err
}

// read decodes the members that are there, and refuses others.
func (rq *request) read(fields map[string]any) error {
	for name, raw := range rq.body {
		dst, ok := fields[name]
		if !ok {
			return auth.Tell(secret.ErrInvalid, "unknown member %q", name)
		}
		if json.Unmarshal(raw, dst) != nil {
			return auth.Tell(secret.ErrInvalid, "member %q is of the wrong type", name)
		}
	}
	return nil
}

func duration(name, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, auth.Tell(secret.ErrInvalid, "member %q must be a lifetime such as \"12h\"", name)
	}
	return d, nil
}
