package azurekv

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// The vendor's bounds (https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates and /service-limits).
const (
	maxText        = 25600 // characters, as UTF-16 counts them
	maxTags        = 15
	maxTag         = 512
	maxContentType = 255
)

// ref is the secret that the path names.
func (rq *request) ref() (secret.Ref, error) {
	ref := rq.space
	var err error
	if ref.Path, err = secret.EscapeName(secret.Azure, rq.name); err != nil {
		return ref, auth.Tell(secret.ErrInvalid, "The request URI contains an invalid name: %s", rq.name)
	}
	if rq.version == "" {
		return ref, nil
	}
	if len(rq.version) > 64 || !isID(rq.version) {
		return ref, auth.Tell(secret.ErrInvalid, "The request URI contains an invalid version: %s", rq.version)
	}
	ref.ID = strings.ToLower(rq.version)
	return ref, nil
}

func isID(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// given are the members that PUT and PATCH have in common; nil is one that was not given.
type given struct {
	contentType *string
	tags        *map[string]string
	enabled     *bool
	notBefore   *time.Time
	expires     *time.Time
}

func (rq *request) given() (given, error) {
	var g given
	if err := rq.member("contentType", &g.contentType); err != nil {
		return g, err
	}
	if err := rq.member("tags", &g.tags); err != nil {
		return g, err
	}
	var a struct {
		Enabled *bool  `json:"enabled"`
		Nbf     *int64 `json:"nbf"`
		Exp     *int64 `json:"exp"`
	}
	if raw, ok := rq.body["attributes"]; ok {
		if err := json.Unmarshal(raw, &a); err != nil {
			return g, auth.Tell(secret.ErrInvalid, "Property attributes has invalid value.")
		}
	}
	g.enabled, g.notBefore, g.expires = a.Enabled, instant(a.Nbf), instant(a.Exp)
	switch {
	case g.contentType != nil && len(*g.contentType) > maxContentType:
		return g, auth.Tell(secret.ErrInvalid, "Property contentType has invalid value: at most %d characters.", maxContentType)
	case g.notBefore != nil && g.expires != nil && g.expires.Before(*g.notBefore):
		return g, auth.Tell(secret.ErrInvalid, "Property exp must not lie before nbf.")
	}
	if g.tags != nil {
		if len(*g.tags) > maxTags {
			return g, auth.Tell(secret.ErrInvalid, "Too many tags: at most %d.", maxTags)
		}
		for k, v := range *g.tags {
			if k == "" || len(k) > maxTag || len(v) > maxTag {
				return g, auth.Tell(secret.ErrInvalid, "Property tags has invalid value: names and values have at most %d characters.", maxTag)
			}
		}
	}
	return g, nil
}

// member decodes a member that is there; null is one that is not.
func (rq *request) member(name string, to any) error {
	if raw, ok := rq.body[name]; ok && json.Unmarshal(raw, to) != nil {
		return auth.Tell(secret.ErrInvalid, "Property %s has invalid value.", name)
	}
	return nil
}

func instant(seconds *int64) *time.Time {
	if seconds == nil {
		return nil
	}
	t := time.Unix(*seconds, 0).UTC()
	return &t
}

// setSecret is PUT /secrets/NAME: a new version, and the secret when there is none.
func setSecret(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	var value *string
	if err := rq.member("value", &value); err != nil {
		return nil, err
	}
	switch {
	case value == nil:
		return nil, auth.Tell(secret.ErrInvalid, "The parameter is missing: value")
	case len(utf16.Encode([]rune(*value))) > maxText:
		return nil, auth.Tell(secret.ErrInvalid, "Property value has invalid value: it is longer than %d characters.", maxText)
	}
	g, err := rq.given()
	if err != nil {
		return nil, err
	}
	p := custody.Put{Value: secret.NewValue([]byte(*value)), Name: rq.name, AzureID: newVersionID(), Disabled: g.enabled != nil && !*g.enabled}
	if g.contentType != nil {
		p.ContentType = *g.contentType
	}
	if g.notBefore != nil {
		p.NotBefore = *g.notBefore
	}
	if g.expires != nil {
		p.Expires = *g.expires
	}
	if g.tags != nil {
		p.Facts = tagFacts(nil, *g.tags)
	}
	r, err := rq.front.desk.Write(rq.http.Context(), rq.caller, ref, p)
	if err != nil {
		return nil, err
	}
	b := rq.show(ref.Path, r.Head, &r.Version, true)
	b.Value = *value
	return b, nil
}

// getSecret is GET /secrets/NAME[/VERSION].
func getSecret(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	r, err := rq.front.desk.Read(rq.http.Context(), rq.caller, ref)
	if err != nil {
		return nil, hidden(err)
	}
	b := rq.show(ref.Path, r.Head, &r.Version, true)
	text(r.Value, &r.Version, &b)
	return b, nil
}

// updateSecret is PATCH /secrets/NAME/VERSION: only what is given changes; tags are replaced as a whole. Without a version
// it is the newest.
func updateSecret(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	g, err := rq.given()
	if err != nil {
		return nil, err
	}
	r := custody.Retouching{ContentType: g.contentType, NotBefore: g.notBefore, Expires: g.expires, Enabled: g.enabled}
	if g.tags != nil {
		r.Retag = func(facts []secret.Pair) []secret.Pair { return tagFacts(facts, *g.tags) }
	}
	h, number, err := rq.front.desk.Retouch(rq.http.Context(), rq.caller, ref, r)
	if err != nil {
		return nil, hidden(err)
	}
	return rq.show(ref.Path, h, h.Find(number), true), nil
}

// deleteSecret is DELETE /secrets/NAME. What is deleted can be recovered while the vault's window lasts.
func deleteSecret(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	h, err := rq.front.desk.Trash(rq.http.Context(), rq.caller, ref, time.Duration(rq.days)*day, nil)
	if err != nil {
		return nil, hidden(err)
	}
	return rq.bare(ref.Path, h)
}

// getDeleted is GET /deletedsecrets/NAME.
func getDeleted(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	found, err := rq.front.desk.Inspect(rq.http.Context(), rq.caller, ref)
	if err != nil {
		return nil, err
	}
	if found.Head.Tombstone == nil {
		return nil, secret.ErrNotFound
	}
	return rq.bare(ref.Path, found.Head)
}

// recoverDeleted is POST /deletedsecrets/NAME/recover. All versions and their ids are as they were.
func recoverDeleted(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	h, err := rq.front.desk.Recover(rq.http.Context(), rq.caller, ref)
	if err != nil {
		return nil, err
	}
	return rq.bare(ref.Path, h)
}

// purgeDeleted is DELETE /deletedsecrets/NAME.
func purgeDeleted(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	return nil, rq.front.desk.Purge(rq.http.Context(), rq.caller, ref, false, func(h *secret.Head) error {
		switch {
		case h == nil:
			return secret.ErrNotFound
		case rq.locked:
			return auth.Tell(secret.ErrDenied, "purge protection is on")
		}
		return nil
	})
}

// bare is a secret's newest version without its bytes.
func (rq *request) bare(path secret.Path, h *secret.Head) (any, error) {
	v := rq.newest(h)
	if v == nil {
		return nil, secret.ErrNotFound
	}
	return rq.show(path, h, v, true), nil
}

// hidden says of what lies in the trash that it is not there, as the vendor does but for a write.
func hidden(err error) error {
	if isTrashed(err) {
		return secret.ErrNotFound
	}
	return err
}
