package shamir

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/seal"
)

// Gathering says how shares are collected.
type Gathering struct {
	Shares, Threshold int
	// Knows tells whether a share is one of the current set (KnowsShare of a
	// seal.Config or seal.Recovery). Optional: without it a wrong share is
	// noticed only when the threshold is reached.
	Knows func(share []byte) bool
	// Try tells whether the combined key is the right one: an error that
	// wraps seal.ErrWrongKey says no, any other is passed on. Add calls it
	// while it holds the lock, so that one attempt runs at a time.
	Try func(key []byte) error
	// Lifetime of an attempt from its first share; 0 is unlimited.
	Lifetime time.Duration
	Now      func() time.Time // optional
}

// Progress of an attempt.
type Progress struct {
	Nonce   string // names the attempt; empty before its first share
	Have    int
	Need    int
	Shares  int
	Refused int // shares refused since the Gather was made
	Started time.Time
}

// Gather collects shares until they combine to the key: to unseal, to rekey,
// to make a root token. It holds at most threshold shares, in memory only,
// and is safe for concurrent use.
type Gather struct {
	g Gathering

	mu      sync.Mutex // guards what follows
	shares  [][]byte
	nonce   string
	started time.Time
	refused int
}

// NewGather checks its configuration and starts nothing.
func NewGather(g Gathering) (*Gather, error) {
	if err := seal.CheckSplit(g.Shares, g.Threshold); err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	if g.Try == nil {
		return nil, fmt.Errorf("gather: no way to try a key")
	}
	if g.Now == nil {
		g.Now = time.Now
	}
	return &Gather{g: g}, nil
}

// Add takes one share. It returns the key, which the caller owns and clears,
// when this share completed it, and nil while more are needed. A share that
// was given before changes nothing. One that cannot be a share (ErrBadShare)
// or is known not to belong (ErrWrongShare) is refused and counted, and does
// not disturb the shares already given; when enough shares do not give the
// key (ErrWrongCombination), or it could not be tried, all are dropped.
func (g *Gather) Add(share []byte) (key []byte, p Progress, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expire()
	key, err = g.add(share)
	if err != nil {
		g.refused++
	}
	return key, g.progress(), err
}

func (g *Gather) add(share []byte) ([]byte, error) {
	want := seal.KeySize + 1
	if g.g.Threshold == 1 {
		want = seal.KeySize
	}
	if len(share) != want || g.g.Threshold > 1 && share[seal.KeySize] == 0 {
		return nil, fmt.Errorf("share of %d bytes, want %d: %w", len(share), want, ErrBadShare)
	}
	if g.g.Knows != nil && !g.g.Knows(share) {
		return nil, ErrWrongShare
	}
	for _, have := range g.shares {
		if subtle.ConstantTimeCompare(have, share) == 1 {
			return nil, nil
		}
		// Two shares of one number: one of them is wrong, and there is no
		// telling which.
		if g.g.Threshold > 1 && have[seal.KeySize] == share[seal.KeySize] {
			g.reset()
			return nil, ErrWrongCombination
		}
	}
	if len(g.shares) == 0 {
		g.started, g.nonce = g.g.Now(), newNonce()
	}
	g.shares = append(g.shares, append([]byte(nil), share...))
	if len(g.shares) < g.g.Threshold {
		return nil, nil
	}
	key, err := Combine(g.shares)
	g.reset()
	if err == nil {
		err = g.g.Try(key)
	}
	if err == nil {
		return key, nil
	}
	clear(key)
	if errors.Is(err, seal.ErrWrongKey) {
		return nil, ErrWrongCombination
	}
	return nil, fmt.Errorf("try the combined key: %w", err)
}

// Is tells, in constant time, whether nonce names the running attempt.
func (g *Gather) Is(nonce string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expire()
	return g.nonce != "" && subtle.ConstantTimeCompare([]byte(nonce), []byte(g.nonce)) == 1
}

// Progress of the running attempt.
func (g *Gather) Progress() Progress {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expire()
	return g.progress()
}

// Reset drops and clears all shares.
func (g *Gather) Reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reset()
}

func (g *Gather) progress() Progress {
	return Progress{
		Nonce: g.nonce, Have: len(g.shares), Need: g.g.Threshold, Shares: g.g.Shares,
		Refused: g.refused, Started: g.started,
	}
}

func (g *Gather) expire() {
	if g.g.Lifetime > 0 && len(g.shares) > 0 && g.g.Now().Sub(g.started) >= g.g.Lifetime {
		g.reset()
	}
}

func (g *Gather) reset() {
	for _, s := range g.shares {
		clear(s)
	}
	g.shares, g.nonce, g.started = nil, "", time.Time{}
}

// newNonce has the shape of a UUID (RFC 9562, version 4), as Vault's has.
func newNonce() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
