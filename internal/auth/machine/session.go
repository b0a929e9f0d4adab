package machine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Session is a credential that an identity got for a while: an access token of Google or Azure, or the session token of
// AWS, which brings an access key of its own. Its text is its content, sealed; nothing is stored, and it ends at once when
// its identity does.
type Session struct {
	Record  string        `json:"r"` // of the identity
	UID     string        `json:"u"` // of the identity: one made again is another
	Access  string        `json:"a,omitempty"`
	Shared  []byte        `json:"s,omitempty"` // secret of the access key
	Name    string        `json:"n,omitempty"` // a role session's
	Meta    []secret.Pair `json:"m,omitempty"` // what it is good for: audience, tenant
	Expires time.Time     `json:"e"`
}

const (
	sessionPlace   = "machine session"
	maxSessionText = 4096
)

// Issued is a Session's text with what its holder may be told.
type Issued struct {
	Text     secret.Value
	Access   string       // id of the access key, where there is one
	Secret   secret.Value // and its secret
	Expires  time.Time
	Identity Identity // without what proves it
}

// Issue gives a Caller that proved a Claim, or that may assume an identity, a Session. Allow says which.
type Issue struct {
	For     string        // public id of the identity; "" is the Caller itself
	Allow   record.Need   // what it takes; the zero Need is none but to be known
	TTL     time.Duration // bounded by the identity's own end and its Session
	Prefix  string        // of the access key id that is made: "ASIA"; "" makes none
	Name    string
	Meta    map[string]string
	Kinds   []Kind // none: any
	Shorter bool   // a TTL beyond the identity's bound is shortened, not refused
}

// Need of the act.
func (a Issue) Need() record.Need {
	if a.Allow.Action != "" {
		return a.Allow
	}
	return record.Need{Action: "identity.session", Resource: "keephold/session", Known: true}
}

// Plan seals the Session.
func (a Issue) Plan(ctx context.Context, c auth.Caller, v record.View) (Issued, []record.Change, error) {
	public := a.For
	if public == "" {
		i := slices.IndexFunc(c.Identity().Meta, func(p secret.Pair) bool { return p.Key == "public" })
		if i < 0 {
			return Issued{}, nil, auth.Tell(secret.ErrDenied, "only a machine identity has sessions")
		}
		public = c.Identity().Meta[i].Value
	}
	id, records, err := Find(ctx, v, public)
	if err != nil {
		return Issued{}, nil, err
	}
	if len(a.Kinds) > 0 && !slices.Contains(a.Kinds, id.Kind) || id.Namespace != c.From().Namespace {
		return Issued{}, nil, errNone
	}
	now := v.Now().UTC()
	ttl := a.TTL
	if id.Session > 0 && ttl > id.Session {
		if !a.Shorter {
			return Issued{}, nil, auth.Tell(secret.ErrInvalid, "the requested lifetime exceeds the longest session of %s", id.Name)
		}
		ttl = id.Session
	}
	s := Session{Record: records[1], UID: id.UID, Name: a.Name, Meta: auth.Pairs(a.Meta), Expires: now.Add(ttl)}
	if !id.Expires.IsZero() && id.Expires.Before(s.Expires) {
		s.Expires = id.Expires
	}
	if a.Prefix != "" {
		k := Identity{Kind: AWSKey}
		made, err := k.grow(now)
		if err != nil {
			return Issued{}, nil, err
		}
		s.Access, s.Shared = a.Prefix+made.Key.ID[4:], made.Key.Shared
	}
	sealed, err := v.Enclose(sessionPlace, record.Encode(s))
	if err != nil {
		return Issued{}, nil, err
	}
	text := base64.RawURLEncoding.EncodeToString(sealed)
	if len(text) > maxSessionText {
		return Issued{}, nil, auth.Tell(secret.ErrInvalid, "a session of %d bytes is longer than %d", len(text), maxSessionText)
	}
	return Issued{Text: secret.NewValue([]byte(text)), Access: s.Access, Secret: secret.NewValue(s.Shared), Expires: s.Expires, Identity: id.bare()}, nil, nil
}

// ErrEnded says that a session was once good.
func ErrEnded() error { return errEnded }

var errEnded = auth.Tell(secret.ErrDenied, "the session has expired")

// OpenSession answers what a session's text says and the identity as it is now. Its end is for the Claim to check, which
// knows how its dialect says it.
func OpenSession(ctx context.Context, v record.View, text []byte) (*Session, *Identity, []string, error) {
	if len(text) > maxSessionText {
		return nil, nil, nil, errNone
	}
	sealed, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return nil, nil, nil, errNone
	}
	plain, err := v.Disclose(sessionPlace, sealed)
	if errors.Is(err, secret.ErrSealed) || errors.Is(err, secret.ErrUnavailable) {
		return nil, nil, nil, err
	}
	s := new(Session)
	if err != nil || json.Unmarshal(plain, s) != nil || s.Record == "" {
		return nil, nil, nil, errNone
	}
	id, records, err := load(ctx, v, s.Record)
	if err != nil {
		return nil, nil, nil, err
	}
	if id.UID != s.UID {
		return nil, nil, nil, errNone
	}
	return s, id, records, nil
}

// Bearer is the Claim of who presents a session's text as it is. Want is what its Meta must say.
type Bearer struct {
	Text auth.Proof
	Want []secret.Pair
}

var _ auth.Claim = Bearer{}

// Presented is the text.
func (b Bearer) Presented() []byte { return append([]byte("bearer\x00"), b.Text.Bytes()...) }

// Find opens the session.
func (b Bearer) Find(ctx context.Context, v record.View) (*auth.Standing, error) {
	s, id, records, err := OpenSession(ctx, v, b.Text.Bytes())
	if err != nil {
		return nil, err
	}
	if s.Access != "" {
		return nil, errNone // one that signs is not presented
	}
	return s.Standing(id, records), nil
}

// Prove checks that the session has not ended, and what it is good for.
func (b Bearer) Prove(s *auth.Standing, now time.Time) error {
	if !now.Before(s.Expires) {
		return errEnded
	}
	for _, w := range b.Want {
		if !slices.Contains(s.Meta, w) {
			return errAudience
		}
	}
	return nil
}

var errAudience = auth.Tell(secret.ErrDenied, "the token is for another audience")

// ErrAudience says that a bearer's session is for something else.
func ErrAudience() error { return errAudience }

// Standing is the identity as it stands for the session.
func (s *Session) Standing(id *Identity, records []string) *auth.Standing {
	st := id.Standing(nil, records)
	st.Meta = append(slices.Clone(st.Meta), s.Meta...)
	st.Expires = s.Expires
	st.Key = auth.Material{ID: s.Access, Shared: s.Shared}
	if s.Name != "" {
		st.Name += "/" + s.Name
	}
	return st
}
