package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Taking is the Claim of who takes a machine identity by a token of an issuer that the identity trusts: AWS's web identity, Azure's federated credential.
//
// What a stranger is told must not say which identities there are. Where their names can be guessed, as those of AWS's roles, Mounts are all mounts of the
// account's namespace: the token is verified by those of its issuer, whoever is asked for, and only the last step is about the identity.
type Taking struct {
	Public string // of the identity
	Kinds  []machine.Kind
	Token  auth.Proof
	Mounts []auth.Mount // nil: those that the identity trusts
	From   netip.Addr
	Now    time.Time
	Keys   *Keys
}

var _ auth.Claim = Taking{}

// FaultKind is what is wrong with a token that is to take an identity.
type FaultKind int

// The kinds. All but Refused and Unreachable follow from the token and the issuers alone.
const (
	Malformed   FaultKind = iota + 1 // it is no token, or lacks a claim that every one has
	Expired                          // it has ended
	Early                            // its time has not come
	Untrusted                        // nobody trusts its issuer
	Unproved                         // its issuer did not sign it
	Unreachable                      // its issuer does not say what it signs with
	Refused                          // there is no such identity, or it does not trust what the token claims
)

// Fault is why a token does not take an identity. Text is what a client may be told besides the kind; of Untrusted it is the issuer.
type Fault struct {
	Kind FaultKind
	Text string
}

func (f *Fault) Error() string { return f.Text }

// Unwrap makes every fault a refusal.
func (f *Fault) Unwrap() error { return secret.ErrDenied }

// What a taker claimed, in the Meta of who it is then.
const (
	MetaIssuer   = "issuer"
	MetaSubject  = "subject"
	MetaAudience = "audience"
)

// maxMeta bounds each of them, in bytes.
const maxMeta = 256

// Presented is everything that Find looks at. What it answers is believed as long as an issuer's keys are, so an hour has a name of its own.
func (c Taking) Presented() []byte {
	b := []byte("taking\x00" + c.Public + "\x00" + c.From.String() + "\x00" + strconv.FormatInt(c.Now.Unix()/int64(fresh/time.Second), 10))
	for _, m := range c.Mounts {
		b = append(append(b, 0), m.Accessor...)
	}
	return append(append(b, 0), c.Token.Bytes()...)
}

// Find verifies the token and answers the identity.
func (c Taking) Find(ctx context.Context, v record.View) (*auth.Standing, error) {
	token := strings.TrimSpace(string(c.Token.Bytes()))
	says, err := peek(token)
	if err != nil {
		return nil, err
	}
	s, err := c.find(ctx, v, token, says)
	var f *Fault
	if errors.As(err, &f) { // whatever else is wrong, a token that is not good now is told so
		if late := says.timely(v.Now()); late != nil {
			return nil, late
		}
	}
	return s, err
}

func (c Taking) find(ctx context.Context, v record.View, token string, says claims) (*auth.Standing, error) {
	mounts := c.Mounts
	if mounts == nil {
		id, _, err := c.identity(ctx, v)
		if err != nil {
			return nil, err
		}
		for _, t := range id.Trust {
			mounts = append(mounts, auth.Mount{Namespace: id.Namespace, Accessor: t.Accessor})
		}
	}
	good, err := c.proofs(ctx, v, mounts, token, says)
	if err != nil {
		return nil, err
	}
	id, records, err := c.identity(ctx, v)
	if err != nil {
		return nil, err
	}
	for _, t := range id.Trust {
		for _, by := range good {
			if by.mount.Namespace != id.Namespace || by.mount.Accessor != t.Accessor {
				continue
			}
			end, more, err := c.admits(ctx, v, by, t)
			if err != nil {
				return nil, err
			}
			if more != nil {
				return by.standing(id, append(records, more...), end), nil
			}
		}
	}
	return nil, errTaking
}

// errTaking reads the same for an identity that never was and for one that trusts something else.
var errTaking = &Fault{Refused, "no identity takes this token"}

func (c Taking) identity(ctx context.Context, v record.View) (*machine.Identity, []string, error) {
	id, records, err := machine.Find(ctx, v, c.Public)
	if errors.Is(err, secret.ErrDenied) || err == nil && (!slices.Contains(c.Kinds, id.Kind) || id.Public != c.Public) {
		return nil, nil, errTaking
	}
	return id, records, err
}

// proof is a mount that trusts who signed a token, and what that claims.
type proof struct {
	mount  auth.Mount
	config *Config
	says   claims
}

// proofs answers the mounts that verify the token's signature; if there is none, why.
func (c Taking) proofs(ctx context.Context, v record.View, mounts []auth.Mount, token string, says claims) ([]proof, error) {
	var good []proof
	iss, _ := says.text("iss")
	why := &Fault{Untrusted, clip(iss)}
	for i, m := range mounts {
		config := new(Config)
		r, err := record.LoadIf(ctx, v, configKey(m), config)
		if err != nil {
			return nil, err
		}
		if !r.Found() || config.issuer() != "" && config.issuer() != iss || slices.ContainsFunc(mounts[:i], func(o auth.Mount) bool { return o.Accessor == m.Accessor }) {
			continue
		}
		verified, err := c.Keys.verify(ctx, config, token, v.Now())
		switch {
		case err == nil:
			good = append(good, proof{m, config, verified})
		case errors.Is(err, secret.ErrSignIn):
			why = &Fault{Unproved, "the token is not signed by a key of its issuer"}
		case errors.Is(err, secret.ErrUnavailable):
			why = &Fault{Unreachable, "the keys of the issuer could not be fetched"}
		default:
			return nil, err
		}
	}
	if len(good) == 0 {
		return nil, why
	}
	return good, nil
}

// admits holds the token's claims against a role. It answers when they end for it, and the records that the answer hangs on; none: it does not admit them.
func (c Taking) admits(ctx context.Context, v record.View, by proof, t machine.Trust) (time.Time, []string, error) {
	stands, mount, err := t.Stands(ctx, v, by.mount.Namespace)
	if err != nil || !stands {
		return time.Time{}, nil, err
	}
	role, err := loadRole(ctx, v, by.mount, t.Role)
	if errors.Is(err, secret.ErrNotFound) {
		return time.Time{}, nil, nil
	}
	if err != nil || role.refuses(by.config, by.says, v.Now()) || !auth.Allows(role.Token.CIDRs, c.From) {
		return time.Time{}, nil, err
	}
	if user, _ := by.says.text(role.UserClaim); user == "" { // as at a sign-in: nobody is nobody
		return time.Time{}, nil, nil
	}
	exp, _, _ := by.says.when("exp")
	return exp.Add(role.Leeway.late()), []string{mount, configKey(by.mount), roleKey(by.mount, t.Role)}, nil
}

// standing is the identity as it stands for who presented the token, which it outlives in no way.
func (p proof) standing(id *machine.Identity, records []string, end time.Time) *auth.Standing {
	s := id.Standing(nil, records)
	if s.Expires.IsZero() || end.Before(s.Expires) {
		s.Expires = end
	}
	iss, _ := p.says.text("iss")
	sub, _ := p.says.text("sub")
	s.Name += "/" + clip(sub) // who it is for the audit log, as a session's name is
	s.Meta = append(slices.Clone(s.Meta), auth.Pairs(map[string]string{MetaIssuer: clip(iss), MetaSubject: clip(sub), MetaAudience: clip(strings.Join(p.says.texts("aud"), ","))})...)
	return s
}

// Prove checks that the token has not ended: Find verified it, and is asked anew for every other one.
func (c Taking) Prove(s *auth.Standing, now time.Time) error {
	if !now.Before(s.Expires) {
		return &Fault{Expired, "the token has ended"}
	}
	return nil
}

// peek reads what a token claims before anybody verified it: it chooses which mounts look at it, and nothing is given for it.
func peek(token string) (claims, error) {
	malformed := &Fault{Malformed, "it is no signed token"}
	if len(token) > maxToken {
		return nil, malformed
	}
	signed, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, malformed
	}
	var says claims
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &says) != nil || says == nil {
		return nil, malformed
	}
	for _, name := range []string{"iss", "sub"} {
		if text, _ := says.text(name); text == "" {
			return nil, &Fault{Malformed, "missing a required claim: " + name}
		}
	}
	if len(says.texts("aud")) == 0 {
		return nil, &Fault{Malformed, "missing a required claim: aud"}
	}
	if _, there, ok := says.when("exp"); !there || !ok {
		return nil, &Fault{Malformed, "missing a required claim: exp"}
	}
	return says, nil
}

// timely is nil while a token's own times hold.
func (c claims) timely(now time.Time) error {
	if exp, _, _ := c.when("exp"); !now.Before(exp) {
		return &Fault{Expired, "current date/time " + seconds(now) + " must be before the expiration date/time " + seconds(exp)}
	}
	for _, name := range []string{"nbf", "iat"} {
		if t, there, ok := c.when(name); !ok || there && now.Before(t) {
			return &Fault{Early, "the token's time has not come: " + name}
		}
	}
	return nil
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// clip bounds what a stranger wrote.
func clip(s string) string {
	if len(s) <= maxMeta {
		return s
	}
	return strings.ToValidUTF8(s[:maxMeta], "")
}
