package custody

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/locked"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// A rotation of the keyring is a row of commits, each of which leaves a store that opens:
//
//	add     a pending term stands in the keyring, and a job beside it
//	activate  new records are sealed under it
//	rewrap  page by page, what older terms sealed is sealed anew; the job holds the cursor
//	retire  the keys of the older terms are dropped, after a pass over everything that found nothing of theirs
//
// A crash between two of them is continued by Run.

const (
	rotateJobKey    = "job/rotate"
	rotateConfigKey = "rotate/config"
	rotateTermKey   = "rotate/term"
	// retireGrace is how long after an activation a pass must begin for its finding to count: by then no request is
	// left that took the keyring before the activation and commits after it.
	retireGrace = 10 * time.Minute
	// retireRest is the time between forgetting cached heads and dropping the keys that they were wrapped under.
	retireRest = time.Minute
)

// rotateJob is the stored state of a rotation.
type rotateJob struct {
	Term      uint32    // that is to seal everything
	Activated time.Time // zero: it is still pending
	Began     time.Time // of the running pass
	Group     int       // of sweepGroups, the one being swept
	Cursor    string    // the last key looked at in it
	Moved     uint64    // records sealed anew in this pass
	Total     uint64    // in all passes
	Stuck     uint64    // records of this pass that do not open
	NotBefore time.Time // wait until then
	Ready     bool      // a pass found nothing; retire next
}

// changeKeyring stores the keyring that make derives from the current one, with more, and takes it into use. The caller
// holds d.sealing.
func (d *Desk) changeKeyring(ctx context.Context, t *turn, make func(*barrier.Keyring) (*barrier.Keyring, error), more []record.Change) error {
	entries, _, err := d.engine.Get(ctx, 0, keyringKey)
	if err != nil {
		return storeError(err)
	}
	stored, err := barrier.OpenKeyring(t.o.root.Bytes(), d.cfg.Installation, entries[0].Value)
	if err != nil {
		return d.damage(keyringKey, err)
	}
	serial := stored.Serial()
	stored.Wipe()
	keys := t.o.keys.Load()
	if serial != keys.Serial() {
		return fmt.Errorf("%w: the keyring was changed by another node", secret.ErrBusy)
	}
	next, err := make(keys)
	if err != nil {
		return fmt.Errorf("%w: %w", secret.ErrInvalid, err)
	}
	ring, err := barrier.SealKeyring(t.o.root.Bytes(), d.cfg.Installation, next)
	if err != nil {
		return err
	}
	ops, err := d.sealChanges(t.o, more)
	if err != nil {
		return err
	}
	op := store.Op{Key: keyringKey, Value: ring, Expect: store.Expect(entries[0].Rev)}
	t.event.Cipher = hash(ring)
	if _, err := t.commit(ctx, append(ops, op)); err != nil {
		if !errors.Is(err, store.ErrUnknown) || !d.stands(ctx, op) {
			return conflictBusy(err)
		}
	}
	t.o.keys.Store(next)
	return nil
}

// lockKeys begins a change of keys by the house itself, or by a caller who was admitted.
func (d *Desk) lockKeys(ctx context.Context, t *turn) (leave func(), err error) {
	if t.caller.From().Namespace != "" {
		return nil, t.refuse(ctx, errOnlyRoot, "namespace")
	}
	d.sealing.Lock()
	if d.open.Load() != t.o {
		d.sealing.Unlock()
		return nil, secret.ErrSealed
	}
	return d.sealing.Unlock, nil
}

// Rotate makes a new term and seals everything under it from now on. What is stored is sealed anew in the background;
// the older terms are retired when nothing is left under them.
func (d *Desk) Rotate(ctx context.Context, c auth.Caller, resource string) error {
	t, err := d.admit(ctx, c, record.Need{Action: "rotate", Resource: resource, Capability: policy.Update, Sudo: true}, what{})
	if err != nil {
		return err
	}
	leave, err := d.lockKeys(ctx, t)
	if err != nil {
		return t.done(err)
	}
	defer leave()
	return t.done(d.rotate(ctx, t))
}

// rotate adds the term and activates it. A term that an interrupted rotation left pending is taken on.
func (d *Desk) rotate(ctx context.Context, t *turn) error {
	terms := t.o.keys.Load().Terms()
	if last := terms[len(terms)-1]; last.State != barrier.Pending {
		job := rotateJob{Term: last.ID + 1}
		t.link("term", fmt.Sprint(job.Term))
		err := d.changeKeyring(ctx, t, func(k *barrier.Keyring) (*barrier.Keyring, error) {
			next, _, err := k.AddPending(nil, d.now())
			return next, err
		}, []record.Change{{Key: rotateJobKey, Value: record.Encode(job)}})
		if err != nil {
			return err
		}
	}
	return d.activate(ctx, t)
}

// activate takes the pending term into use. The record of it names whoever asked for the rotation.
func (d *Desk) activate(ctx context.Context, by *turn) error {
	terms := by.o.keys.Load().Terms()
	id := terms[len(terms)-1].ID
	t := d.unasked(by.caller, record.Need{Action: "rotate.activate", Resource: "sys/rotate", Capability: policy.Update})
	t.o = by.o
	t.link("term", fmt.Sprint(id))
	_, at, err := d.engine.Get(ctx, 0, keyringKey)
	if err != nil {
		return storeError(err)
	}
	now := d.now().UTC()
	err = d.changeKeyring(ctx, t, func(k *barrier.Keyring) (*barrier.Keyring, error) { return k.Activate(id) }, []record.Change{
		{Key: rotateJobKey, Value: record.Encode(rotateJob{Term: id, Activated: now})},
		{Key: rotateTermKey, Value: record.Encode(termStart{Term: id, Rev: uint64(at)})},
	})
	if err == nil {
		d.wakeJobs()
	}
	return err
}

// termStart remembers the store's revision when a term became active.
type termStart struct {
	Term uint32
	Rev  uint64
}

// KeyStatus is what may be told of the term that seals.
type KeyStatus struct {
	Term      uint32
	Installed time.Time
	Seals     uint64 // an estimate: the commits since the term became active
	Rotating  bool   // older terms still hold something
	Rewrapped uint64 // records sealed anew by the running rotation
}

// KeyStatus tells which term seals, and how a rotation goes.
func (d *Desk) KeyStatus(ctx context.Context, c auth.Caller, resource string) (KeyStatus, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "key.status", Resource: resource, Capability: policy.Read}, what{})
	if err != nil {
		return KeyStatus{}, err
	}
	s, err := d.keyStatus(ctx, t.o)
	return s, t.done(err)
}

func (d *Desk) keyStatus(ctx context.Context, o *opened) (KeyStatus, error) {
	keys := o.keys.Load()
	s := KeyStatus{Term: keys.Active()}
	for _, term := range keys.Terms() {
		if term.ID == s.Term {
			s.Installed, s.Seals = term.Created, term.Seals
		}
	}
	var start termStart
	if _, err := record.LoadIf(ctx, o.view, rotateTermKey, &start); err != nil {
		return s, err
	}
	_, at, err := d.engine.Get(ctx, 0, keyringKey)
	if err != nil {
		return s, storeError(err)
	}
	if start.Term != s.Term {
		start.Rev = 0
	}
	s.Seals = max(s.Seals, uint64(at)-min(start.Rev, uint64(at)))
	job, _, err := d.rotateJob(ctx, o)
	if err == nil && job != nil {
		s.Rotating, s.Rewrapped = true, job.Total
	}
	return s, err
}

// rotateJob is the stored job, or nil.
func (d *Desk) rotateJob(ctx context.Context, o *opened) (*rotateJob, record.Record, error) {
	r, err := record.Get1(ctx, o.view, rotateJobKey)
	if err != nil || !r.Found() {
		return nil, r, err
	}
	job := new(rotateJob)
	if err := json.Unmarshal(r.Value, job); err != nil {
		return nil, r, d.damage(r.Key, err)
	}
	return job, r, nil
}

// RotateConfig says when the house rotates by itself. The zero Interval is never.
type RotateConfig struct {
	Enabled       bool
	MaxOperations int64
	Interval      time.Duration
}

// The vendor's bounds and default.
const (
	minRotateOperations = 1_000_000
	maxRotateOperations = 3_865_470_566
	minRotateInterval   = 24 * time.Hour
)

func (d *Desk) rotateConfig(ctx context.Context, v record.View) (RotateConfig, error) {
	cfg := RotateConfig{Enabled: true, MaxOperations: maxRotateOperations}
	_, err := record.LoadIf(ctx, v, rotateConfigKey, &cfg)
	return cfg, err
}

// RotateConfig tells when the house rotates by itself.
func (d *Desk) RotateConfig(ctx context.Context, c auth.Caller, resource string) (RotateConfig, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "rotate.config.read", Resource: resource, Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return RotateConfig{}, err
	}
	cfg, err := d.rotateConfig(ctx, t.o.view)
	return cfg, t.done(err)
}

// SetRotateConfig changes it.
func (d *Desk) SetRotateConfig(ctx context.Context, c auth.Caller, resource string, change func(*RotateConfig)) error {
	t, err := d.admit(ctx, c, record.Need{Action: "rotate.config.write", Resource: resource, Capability: policy.Update, Sudo: true}, what{})
	if err != nil {
		return err
	}
	if c.From().Namespace != "" {
		return t.refuse(ctx, errOnlyRoot, "namespace")
	}
	cfg, err := d.rotateConfig(ctx, t.o.view)
	if err != nil {
		return t.done(err)
	}
	change(&cfg)
	switch {
	case cfg.Interval != 0 && cfg.Interval < minRotateInterval:
		err = auth.Tell(secret.ErrInvalid, "interval must be greater or equal to %s", minRotateInterval)
	case cfg.MaxOperations < minRotateOperations || cfg.MaxOperations > maxRotateOperations:
		err = auth.Tell(secret.ErrInvalid, "max_operations must be in the range [%d,%d]", minRotateOperations, maxRotateOperations)
	default:
		err = t.change(ctx, []record.Change{{Key: rotateConfigKey, Value: record.Encode(cfg)}})
	}
	return t.done(err)
}

// RotateRoot replaces the root key of a store that opens by itself. Where the root key is split into shares, nobody but
// their holders can: that is a rekey.
func (d *Desk) RotateRoot(ctx context.Context, c auth.Caller, resource string) error {
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: "rotate.root", Resource: resource, Capability: policy.Update})
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case s.config.Kind == seal.KindShamir:
		return t.done(auth.Tell(secret.ErrInvalid, "the root key is split into shares: start a rekey with sys/rotate/root/init"))
	case s.config.Kind != d.cfg.AutoSeal.Kind || d.cfg.AutoSeal.Wrapper == nil:
		return t.done(auth.Tell(secret.ErrInvalid, "the store is sealed by %s, and this server is not configured with that seal", s.config.Kind))
	}
	key := seal.NewKey()
	wrapped, err := d.cfg.AutoSeal.Wrapper.Wrap(ctx, key)
	root := locked.Take(key)
	if err == nil {
		config := *s.config
		config.Wrapped = wrapped
		err = d.replaceSeal(ctx, t, s, &fresh{config: &config, root: root}, nil)
	}
	if err != nil {
		root.Destroy()
	}
	return t.done(err)
}
