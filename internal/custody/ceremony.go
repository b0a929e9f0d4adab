package custody

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/shamir"
	"github.com/keephold/keephold/internal/secret"
)

// ceremony is what the keepers of the key shares are in the middle of. It is in memory only, so a restart ends it, and
// it is bounded: one attempt of each sort at a time, each of at most threshold shares.
type ceremony struct {
	mu     sync.Mutex
	unseal *shamir.Gather // nil: no share was given since the Desk was sealed
	set    seal.Nonce     // the set of shares that unseal collects
	wrong  int            // shares refused since the Desk was sealed
	rekeys [2]*rekeying   // of the root key's shares, of the recovery key's
	root   *rootAttempt
	starts *rate.Limiter // of root token attempts
	misses *rate.Limiter // of wrong shares and nonces in them

	tap func([][]byte) // test hook: sees new shares before anything is stored
}

// hand is Split.hand, with the hook of tests.
func (r *ceremony) hand(s Split, parts [][]byte, now time.Time) (Parts, error) {
	if r.tap != nil {
		r.tap(parts)
	}
	return s.hand(parts, now)
}

// Limits of a ceremony. Shares hold 256 random bits, so a limit is not what keeps them from being guessed: it bounds
// the noise that a stranger can make.
const (
	rootLife   = 10 * time.Minute
	rekeyLife  = 24 * time.Hour
	rootStarts = 10 // in rootLife
	rootMisses = 20 // in rootLife
)

func (r *ceremony) limit() {
	r.starts = rate.NewLimiter(rate.Every(rootLife/rootStarts), rootStarts)
	r.misses = rate.NewLimiter(rate.Every(rootLife/rootMisses), rootMisses)
}

// abandon ends every attempt and forgets its shares.
func (r *ceremony) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unseal != nil {
		r.unseal.Reset()
	}
	r.unseal, r.wrong = nil, 0
	for i := range r.rekeys {
		r.endRekey(i)
	}
	r.endRoot()
}

// unasked begins the turn of an act that nobody's policies are asked about: it is allowed by what the caller
// presents, or because it comes before anybody can be known. It also runs while sealed; its record then has no keyed
// fields.
func (d *Desk) unasked(c auth.Caller, n record.Need) *turn {
	n.Open = true
	t := &turn{d: d, o: d.open.Load(), caller: c}
	if t.o != nil {
		t.table = t.o.table.Load()
	}
	t.describe(n, what{})
	return t
}

// SealStatus is what anybody may know of the seal.
type SealStatus struct {
	Kind        string // seal.KindShamir and the like
	Initialized bool
	Sealed      bool
	Shares      int // of the unseal key; of the recovery key where no person is needed to unseal
	Threshold   int
	Progress    int
	Nonce       string // of the running attempt to unseal
	Recovery    bool   // Shares are a recovery key's
}

// SealStatus tells how the installation is sealed and how far an attempt to unseal has come.
func (d *Desk) SealStatus(ctx context.Context) (SealStatus, error) {
	config, err := d.SealConfig(ctx)
	if errors.Is(err, secret.ErrNotInit) {
		kind := d.cfg.AutoSeal.Kind
		if d.cfg.AutoSeal.Wrapper == nil {
			kind = seal.KindShamir
		}
		return SealStatus{Kind: kind, Sealed: true, Recovery: kind != seal.KindShamir}, nil
	}
	if err != nil {
		return SealStatus{}, err
	}
	s := SealStatus{Kind: config.Kind, Initialized: true, Sealed: d.Sealed(), Shares: config.Shares, Threshold: config.Threshold}
	if config.Kind != seal.KindShamir {
		s.Shares, s.Threshold, s.Recovery = config.Recovery.Shares, config.Recovery.Threshold, true
		return s, nil
	}
	if !s.Sealed {
		return s, nil
	}
	d.rite.mu.Lock()
	defer d.rite.mu.Unlock()
	if d.rite.unseal != nil && d.rite.set == config.Nonce {
		p := d.rite.unseal.Progress()
		s.Progress, s.Nonce = p.Have, p.Nonce
	}
	return s, nil
}

// UnsealShare adds one share to the attempt to unseal, and opens the Desk when it was the last one needed. A share
// that is not one of the current set is refused, counted and recorded, and does not disturb the others.
func (d *Desk) UnsealShare(ctx context.Context, c auth.Caller, share []byte) (SealStatus, error) {
	defer clear(share)
	d.sealing.Lock()
	defer d.sealing.Unlock()
	config, err := d.SealConfig(ctx)
	if err != nil {
		return SealStatus{}, err
	}
	if !d.Sealed() {
		return d.SealStatus(ctx)
	}
	if config.Kind != seal.KindShamir {
		return SealStatus{}, fmt.Errorf("%w: this store is sealed by %s, it does not open by shares", secret.ErrInvalid, config.Kind)
	}
	t := d.unasked(c, record.Need{Action: "unseal", Resource: "sys/unseal", Capability: policy.Update})
	root, have, err := d.gatherUnseal(ctx, config, share)
	if err != nil {
		return SealStatus{}, t.refuse(ctx, err, "unseal share")
	}
	t.link("progress", fmt.Sprintf("%d of %d", have, config.Threshold))
	if err := t.done(nil); err != nil {
		clear(root)
		return SealStatus{}, err
	}
	if root != nil {
		if err := d.unlock(ctx, root); err != nil {
			return SealStatus{}, err
		}
	}
	return d.SealStatus(ctx)
}

func (d *Desk) gatherUnseal(ctx context.Context, config *seal.Config, share []byte) (root []byte, have int, err error) {
	r := &d.rite
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unseal == nil || r.set != config.Nonce {
		r.unseal, err = shamir.NewGather(shamir.Gathering{
			Shares: config.Shares, Threshold: config.Threshold, Knows: knows(config.Checks, config.KnowsShare), Now: d.now,
			// The shares come with several requests; the first one's context is over when the last one asks.
			Try: func(key []byte) error {
				got, err := shamir.Unwrap(context.WithoutCancel(ctx), config, key)
				clear(got)
				return err
			},
		})
		if err != nil {
			return nil, 0, err
		}
		r.set = config.Nonce
	}
	key, p, err := r.unseal.Add(share)
	if err != nil {
		r.wrong++
		return nil, 0, auth.Tell(secret.ErrInvalid, "Unseal failed, invalid key: %v (%d refused since the server was sealed, %d of %d given)", err, r.wrong, p.Have, p.Need)
	}
	if key == nil {
		return nil, p.Have, nil
	}
	defer clear(key)
	root, err = shamir.Unwrap(ctx, config, key)
	return root, config.Threshold, err
}

// knows is nil where no checks of single shares are stored, so that a Gather finds a wrong one by trying the key.
func knows(checks []seal.Check, f func([]byte) bool) func([]byte) bool {
	if len(checks) == 0 {
		return nil
	}
	return f
}

// UnsealReset drops the shares given so far.
func (d *Desk) UnsealReset(ctx context.Context, c auth.Caller) (SealStatus, error) {
	if !d.Sealed() {
		return SealStatus{}, auth.Tell(secret.ErrInvalid, "vault is unsealed")
	}
	t := d.unasked(c, record.Need{Action: "unseal.reset", Resource: "sys/unseal", Capability: policy.Update})
	d.rite.mu.Lock()
	if d.rite.unseal != nil {
		d.rite.unseal.Reset()
	}
	d.rite.mu.Unlock()
	if err := t.done(nil); err != nil {
		return SealStatus{}, err
	}
	return d.SealStatus(ctx)
}
