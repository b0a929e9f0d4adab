// Package custody is the one door to plaintext. Every act on a secret or on administration is a method of the Desk and
// runs in the same three steps, which turn.go shows whole: decide, act, record. Nothing else calls Engine.Apply.
package custody

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/locked"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Config says what a Desk works with. Engine, Log and Installation are required.
type Config struct {
	Engine       store.Engine
	Log          *audit.Log
	Installation string                  // id of the store, from its header; bound into every ciphertext
	Epoch        uint64                  // grows when the store was restored; tokens of another epoch are refused
	Node         string                  // names this process among those that share the store
	CacheBytes   int64                   // of ciphertext and names kept in memory; 0 is 64 MiB. Tokens and policies take as much beside it
	DefaultTTL   time.Duration           // of tokens; 0 is 768h
	MaxTTL       time.Duration           // of tokens; 0 is 768h
	WeakIDs      bool                    // accept custom role and secret ids under 128 bits (dev only)
	Renewers     map[string]auth.Renewer // by sign-in method: what a token it gave may still have
	Tidiers      map[string]Tidier       // by sign-in method: how what it keeps is cleaned up
	AutoSeal     AutoSeal
	Now          func() time.Time
	Meters       Meters
}

// AutoSeal is the seal of a server that opens without a person. The zero AutoSeal is none: the key is split into shares.
type AutoSeal struct {
	Kind    string // seal.KindKeyFile, seal.KindPassphrase
	Wrapper seal.Wrapper
}

// Desk keeps the secrets of one installation. All methods may be called from several goroutines.
type Desk struct {
	cfg    Config
	engine *listings
	log    *audit.Log
	cache  *cache
	outbox *outbox
	now    func() time.Time

	open    atomic.Pointer[opened] // nil while sealed
	sealing sync.Mutex             // held by whoever opens, seals or changes the root key or the keyring
	rite    ceremony               // what the keepers of the key shares are in the middle of
	writers stripes                // one writer per secret at a time in this process; the engine's expectations are the truth
	damaged atomic.Uint64
	jobs    chan struct{} // wakes Run
	janitor janitor       // Run's goroutine owns it
}

// opened is what a Desk holds only while unsealed.
type opened struct {
	keys      atomic.Pointer[barrier.Keyring]
	root      *locked.Buffer // guarded by Desk.sealing; overwritten when the Desk seals
	view      *view
	authority *auth.Authority
	warrant   *auth.Warrant
	self      auth.Caller // the house itself: expiry, jobs
	local     auth.Caller // whoever can open the store in their own process
	reloading sync.Mutex  // one reload of the table at a time, so that an older one never lands on a newer
	table     atomic.Pointer[registry.Table]
	sets      *setCache
	keyed     keyedNames
	seen      seenSet
}

// Open returns a sealed Desk and starts the drain of its outbox.
func Open(cfg Config) (*Desk, error) {
	if cfg.Engine == nil || cfg.Log == nil || cfg.Installation == "" {
		return nil, errors.New("custody: engine, log and installation are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 64 << 20
	}
	since, _, err := readEpoch(context.Background(), cfg.Engine)
	if err != nil {
		return nil, err
	}
	cfg.Epoch = max(cfg.Epoch, since.Epoch)
	d := &Desk{
		cfg: cfg, engine: newListings(cfg.Engine, cfg.CacheBytes/4), log: cfg.Log, now: cfg.Now,
		cache: newCache(cfg.CacheBytes - cfg.CacheBytes/4), jobs: make(chan struct{}, 1),
	}
	d.outbox = newOutbox(cfg.Engine, cfg.Log)
	d.rite.limit()
	return d, nil
}

// Close drains the outbox, forgets the keys and stops. It does not close the engine or the log, which it was lent.
func (d *Desk) Close(ctx context.Context) error {
	err := d.outbox.stop(ctx)
	d.sealing.Lock()
	defer d.sealing.Unlock()
	d.forget()
	return err
}

// Sealed says that no secret can be read until the Desk is unsealed.
func (d *Desk) Sealed() bool { return d.open.Load() == nil }

// Damaged counts the records that did not open since the Desk was opened.
func (d *Desk) Damaged() uint64 { return d.damaged.Load() }

// Table is what the registry knows now; nil while sealed. It is names and settings, no secret.
func (d *Desk) Table() *registry.Table {
	o := d.open.Load()
	if o == nil {
		return nil
	}
	return o.table.Load()
}

// Authenticate turns a credential into a Caller. While sealed nobody can be known, and the Caller says so.
func (d *Desk) Authenticate(ctx context.Context, cred auth.Credential) auth.Caller {
	o := d.open.Load()
	if o == nil {
		return auth.Refused(cred, secret.ErrSealed)
	}
	return o.authority.Authenticate(ctx, cred)
}

// Check answers what a Caller's policies say of a request, without doing or recording anything. It is for filtering a
// list item by item, and for capabilities that a client asks about itself.
func (d *Desk) Check(c auth.Caller, r policy.Request) policy.Decision {
	if c.Refusal() != nil {
		return policy.Decision{}
	}
	return c.Powers().Decide(r)
}

// damage counts and names a record that does not open.
func (d *Desk) damage(key string, err error) error {
	d.damaged.Add(1)
	return fmt.Errorf("record %s: %w: %w", key, secret.ErrDamaged, err)
}

// KnowsOf says whether a Caller may know that a Space exists: its policies grant something below it.
func (d *Desk) KnowsOf(c auth.Caller, sp *secret.Space) bool {
	o := d.open.Load()
	if o == nil || c.Refusal() != nil {
		return false
	}
	t := &turn{d: d, o: o, table: o.table.Load(), caller: c}
	name := t.qualify(sp.Name)
	if sp.Settings.Protected {
		return c.Powers().HasAnyBelowIn(name, name+"/")
	}
	return c.Powers().HasAnyBelow(name + "/")
}
