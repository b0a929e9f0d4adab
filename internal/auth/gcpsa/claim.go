package gcpsa

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// remembered is how many proved assertions a Prover keeps: a client signs one an hour and presents it all that time.
const remembered = 4096

// Prover reads and proves assertions. It remembers by their digest those that were proved, with the key that proved them,
// so that a signature is computed once. It may be used by several goroutines.
type Prover struct {
	proved *lru.Cache[[sha256.Size]byte, *Assertion]
}

// NewProver makes one.
func NewProver() *Prover {
	c, err := lru.New[[sha256.Size]byte, *Assertion](remembered)
	if err != nil {
		panic("gcpsa: internal error: " + err.Error()) // the size is a constant above 0
	}
	return &Prover{proved: c}
}

// Read is Parse with the memory of what was proved.
func (p *Prover) Read(text string) (*Assertion, error) {
	if len(text) > maxText {
		return nil, errForm
	}
	if a, ok := p.proved.Get(sha256.Sum256([]byte(text))); ok {
		return a, nil
	}
	return Parse(text)
}

// Claim is the Claim of who presents an assertion. Accept says which are for this use, by audience and scope; it is asked
// behind the signature.
type Claim struct {
	*Assertion
	Prover *Prover
	Accept func(*Assertion) bool
}

var _ auth.Claim = Claim{}

// Presented names the account and the key; the rest of an assertion changes every hour.
func (c Claim) Presented() []byte { return []byte("gcp-sa\x00" + c.KeyID + "\x00" + c.Issuer) }

// Find answers the account with the key that the assertion names.
func (c Claim) Find(ctx context.Context, v record.View) (*auth.Standing, error) {
	id, records, err := machine.Find(ctx, v, c.Issuer)
	if err != nil {
		return nil, err
	}
	k := id.Key(c.KeyID, v.Now())
	if id.Kind != machine.GCPAccount || id.Public != c.Issuer || k == nil || len(k.Public) == 0 {
		return nil, machine.ErrNone()
	}
	return id.Standing(k, records), nil
}

// Prove checks the signature, the times and the use.
func (c Claim) Prove(s *auth.Standing, now time.Time) error {
	if s.Key.ID != c.KeyID || len(s.Key.Public) == 0 {
		return errSignature
	}
	if !bytes.Equal(c.provedBy, s.Key.Public) {
		if err := c.verify(s.Key.Public); err != nil {
			return err
		}
		kept := *c.Assertion
		kept.provedBy = s.Key.Public
		c.Prover.proved.Add(kept.sum, &kept)
	}
	if err := c.timely(now); err != nil {
		return err
	}
	if !c.Accept(c.Assertion) {
		return errAudience
	}
	return nil
}

// cloudPlatform is the scope under which the vendor's clients ask for everything that their roles allow.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// ForService accepts an assertion that is presented to the service itself: made out to one of the audiences, or to none and
// for the vendor's one scope that covers Secret Manager (https://google.aip.dev/auth/4111).
func ForService(audiences []string) func(*Assertion) bool {
	return func(a *Assertion) bool {
		if len(a.Audiences) == 0 {
			return slices.Contains(a.Scopes, cloudPlatform)
		}
		return slices.ContainsFunc(a.Audiences, func(aud string) bool { return slices.Contains(audiences, strings.TrimSuffix(aud, "/")) })
	}
}

// ForToken accepts an assertion that is presented to the token service at one of these addresses (RFC 7523, section 3).
func ForToken(uris ...string) func(*Assertion) bool {
	return func(a *Assertion) bool {
		return len(a.Audiences) == 1 && slices.Contains(uris, a.Audiences[0])
	}
}

// Why is what a client may be told of a refused assertion: nothing of whether the account exists.
func Why(err error) string {
	for _, told := range []error{errLifetime, errExpired, errFuture, errAudience} {
		if errors.Is(err, told) {
			return told.Error()
		}
	}
	if errors.Is(err, secret.ErrDenied) {
		return "Invalid JWT Signature."
	}
	return ""
}
