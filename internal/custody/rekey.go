package custody

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/locked"
	"github.com/keephold/keephold/internal/seal/shamir"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Bunch says which key's shares a rekey replaces.
type Bunch uint8

// The two keys that exist as shares.
const (
	UnsealKey   Bunch = iota // of a shamir seal
	RecoveryKey              // of a seal that opens without a person
)

func (b Bunch) action(verb string) string {
	if b == RecoveryKey {
		return "rekey-recovery." + verb
	}
	return "rekey." + verb
}

// Rekey is what is asked for: how the new key is split, whether the new shares must be presented before they count,
// and whether the encrypted ones are kept in the store until somebody removes them.
type Rekey struct {
	Split  Split
	Verify bool
	Backup bool
}

// RekeyStatus is how far a rekey has come.
type RekeyStatus struct {
	Nonce        string
	Started      bool
	Shares       int // of the new key
	Threshold    int
	Progress     int // old shares presented
	Required     int
	Fingerprints []string
	Backup       bool
	Verify       bool
	VerifyNonce  string
}

// Rekeyed holds the new shares, which are answered once.
type Rekeyed struct {
	Nonce       string
	Parts       Parts
	Backup      bool
	Verify      bool
	VerifyNonce string
}

// rekeying is an attempt. The nonce is known to whoever started it, and to those it was told.
type rekeying struct {
	wish    Rekey
	nonce   string
	starter string // id of the caller's identity
	begun   time.Time
	set     seal.Nonce // the shares that are being replaced
	gather  *shamir.Gather
	fresh   *fresh // once the old shares are complete, while the new ones are to be verified
}

// fresh is a seal that does not count yet.
type fresh struct {
	nonce  string
	config *seal.Config
	root   *locked.Buffer // nil when only the recovery key is new
	gather *shamir.Gather // of the new shares
}

var (
	errNoRekey   = auth.Tell(secret.ErrInvalid, "no rekey in progress")
	errRekeying  = auth.Tell(secret.ErrInvalid, "rekey already in progress")
	errNonce     = auth.Tell(secret.ErrInvalid, "incorrect nonce supplied; the one who started the operation has it")
	errNoVerify  = auth.Tell(secret.ErrInvalid, "no rekey verification in progress")
	errNoBackup  = auth.Tell(secret.ErrInvalid, "no backed-up keys found")
	errNoHolders = auth.Tell(secret.ErrInvalid, "this store has no recovery key; make one with a rekey of the recovery key")
)

func (r *ceremony) endRekey(i int) {
	a := r.rekeys[i]
	if a == nil {
		return
	}
	if a.gather != nil {
		a.gather.Reset()
	}
	a.endVerify()
	r.rekeys[i] = nil
}

func (a *rekeying) endVerify() {
	if a.fresh == nil {
		return
	}
	a.fresh.gather.Reset()
	if a.fresh.root != nil {
		a.fresh.root.Destroy()
	}
	a.fresh = nil
}

// rekeyNow is the running attempt, or nil. The caller holds r.mu.
func (r *ceremony) rekeyNow(b Bunch, now time.Time) *rekeying {
	if a := r.rekeys[b]; a != nil && now.Sub(a.begun) >= rekeyLife {
		r.endRekey(int(b))
	}
	return r.rekeys[b]
}

// enterRite admits a caller to a step of a ceremony and takes the locks that it needs. The config is the stored one.
func (d *Desk) enterRite(ctx context.Context, c auth.Caller, n record.Need) (t *turn, s *sealRecord, leave func(), err error) {
	n.Sudo = true
	if t, err = d.admit(ctx, c, n, what{}); err != nil {
		return nil, nil, nil, err
	}
	if s, leave, err = d.lockRite(ctx, t); err != nil {
		return nil, nil, nil, t.done(err)
	}
	return t, s, leave, nil
}

// errOnlyRoot: the keys are the whole installation's, so whoever rules in a namespace has no say over them.
var errOnlyRoot = auth.Tell(secret.ErrUnsupported, "unsupported path")

func (d *Desk) lockRite(ctx context.Context, t *turn) (*sealRecord, func(), error) {
	if t.caller.From().Namespace != "" {
		return nil, nil, t.refuse(ctx, errOnlyRoot, "namespace")
	}
	d.sealing.Lock()
	d.rite.mu.Lock()
	leave := func() {
		d.rite.mu.Unlock()
		d.sealing.Unlock()
	}
	if t.o == nil || d.open.Load() != t.o {
		leave()
		return nil, nil, secret.ErrSealed
	}
	s, err := d.sealRecord(ctx)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return s, leave, nil
}

// sealRecord is the stored seal with the revisions that a change of it expects.
type sealRecord struct {
	config          *seal.Config
	rev, keyringRev store.Revision
}

func (d *Desk) sealRecord(ctx context.Context) (*sealRecord, error) {
	entries, _, err := d.engine.Get(ctx, 0, sealKey, keyringKey)
	if err != nil {
		return nil, storeError(err)
	}
	if entries[0].Rev == 0 || entries[1].Rev == 0 {
		return nil, secret.ErrNotInit
	}
	config, err := seal.Unmarshal(entries[0].Value)
	if err != nil {
		return nil, d.damage(sealKey, err)
	}
	return &sealRecord{config: config, rev: entries[0].Rev, keyringRev: entries[1].Rev}, nil
}

// holders gathers the shares of those who may decide about the root key: of the unseal key, or of the recovery key
// where nobody has an unseal key.
func (d *Desk) holders(ctx context.Context, o *opened, config *seal.Config, life time.Duration) (*shamir.Gather, error) {
	if config.Kind == seal.KindShamir {
		return shamir.NewGather(shamir.Gathering{
			Shares: config.Shares, Threshold: config.Threshold, Knows: knows(config.Checks, config.KnowsShare), Now: d.now, Lifetime: life,
			Try: func(key []byte) error {
				root, err := shamir.Unwrap(context.WithoutCancel(ctx), config, key) // the request that began is over
				defer clear(root)
				if err == nil && subtle.ConstantTimeCompare(root, o.root.Bytes()) != 1 {
					return seal.ErrWrongKey
				}
				return err
			},
		})
	}
	if !config.Recovery.Present() {
		return nil, errNoHolders
	}
	return recoveryGather(&config.Recovery, d.now, life)
}

func recoveryGather(r *seal.Recovery, now func() time.Time, life time.Duration) (*shamir.Gather, error) {
	return shamir.NewGather(shamir.Gathering{
		Shares: r.Shares, Threshold: r.Threshold, Knows: knows(r.Checks, r.KnowsShare), Now: now, Lifetime: life,
		Try: func(key []byte) error {
			if !r.Verify(key) {
				return seal.ErrWrongKey
			}
			return nil
		},
	})
}

// RekeyStart begins to replace the shares of a key. The status holds the nonce that every further step needs. Where
// there is no recovery key yet, there is nobody to ask: the new shares are answered at once.
func (d *Desk) RekeyStart(ctx context.Context, c auth.Caller, resource string, b Bunch, w Rekey) (RekeyStatus, *Rekeyed, error) {
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("start"), Resource: resource, Capability: policy.Update})
	if err != nil {
		return RekeyStatus{}, nil, err
	}
	defer leave()
	if err := w.check(b, s.config); err != nil {
		return RekeyStatus{}, nil, t.done(err)
	}
	if d.rite.rekeyNow(b, d.now()) != nil {
		return RekeyStatus{}, nil, t.done(errRekeying)
	}
	a := &rekeying{wish: w, nonce: newNonce(), starter: c.Identity().ID, begun: d.now(), set: setOf(b, s.config)}
	if b == RecoveryKey && !s.config.Recovery.Present() {
		made, err := d.makeShares(ctx, t, s, b, a)
		if err != nil {
			return RekeyStatus{}, nil, t.done(err)
		}
		return RekeyStatus{}, made, t.done(nil)
	}
	if a.gather, err = d.holders(ctx, t.o, s.config, 0); err != nil {
		return RekeyStatus{}, nil, t.done(err)
	}
	if err := t.done(nil); err != nil {
		return RekeyStatus{}, nil, err
	}
	d.rite.rekeys[b] = a
	return a.status(b, s.config), nil, nil
}

func (w Rekey) check(b Bunch, config *seal.Config) error {
	if (b == UnsealKey) != (config.Kind == seal.KindShamir) {
		return auth.Tell(secret.ErrInvalid, "a store sealed by %s has no such key to rekey", config.Kind)
	}
	if w.Backup && len(w.Split.Recipients) == 0 {
		return auth.Tell(secret.ErrInvalid, "cannot request a backup of the new keys without providing PGP keys for encryption")
	}
	return w.Split.check(false)
}

func setOf(b Bunch, config *seal.Config) seal.Nonce {
	if b == RecoveryKey {
		return config.Recovery.Nonce
	}
	return config.Nonce
}

func (a *rekeying) status(b Bunch, config *seal.Config) RekeyStatus {
	s := RekeyStatus{Required: config.Threshold}
	if b == RecoveryKey {
		s.Required = config.Recovery.Threshold
	}
	if a == nil {
		return s
	}
	s.Nonce, s.Started, s.Shares, s.Threshold = a.nonce, true, a.wish.Split.Shares, a.wish.Split.Threshold
	s.Progress = a.gather.Progress().Have
	s.Fingerprints, s.Backup, s.Verify = a.wish.Split.fingerprints(), a.wish.Backup, a.wish.Verify
	if a.fresh != nil {
		s.VerifyNonce = a.fresh.nonce
	}
	return s
}

// RekeyStatus tells how far a rekey has come. Who may ask may know its nonce.
func (d *Desk) RekeyStatus(ctx context.Context, c auth.Caller, resource string, b Bunch) (RekeyStatus, error) {
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("status"), Resource: resource, Capability: policy.Read})
	if err != nil {
		return RekeyStatus{}, err
	}
	defer leave()
	if b == RecoveryKey && s.config.Kind == seal.KindShamir {
		return RekeyStatus{}, t.done(auth.Tell(secret.ErrInvalid, "recovery rekeying not supported"))
	}
	return d.rite.rekeyNow(b, d.now()).status(b, s.config), t.done(nil)
}

// RekeyCancel ends a rekey. It takes the nonce, or to be the one who started it.
func (d *Desk) RekeyCancel(ctx context.Context, c auth.Caller, resource string, b Bunch, nonce string) error {
	t, _, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("cancel"), Resource: resource, Capability: policy.Delete})
	if err != nil {
		return err
	}
	defer leave()
	a := d.rite.rekeyNow(b, d.now())
	if a == nil {
		return t.done(nil)
	}
	own := nonce == "" && a.starter != "" && a.starter == c.Identity().ID
	if !own && !same(nonce, a.nonce) {
		return t.refuse(ctx, errNonce, "nonce")
	}
	if err := t.done(nil); err != nil {
		return err
	}
	d.rite.endRekey(int(b))
	return nil
}

// RekeyUpdate presents one of the old shares. When it was the last one needed, the new key is made and its shares are
// answered; they count at once, or after RekeyVerify when that was asked for.
func (d *Desk) RekeyUpdate(ctx context.Context, c auth.Caller, resource string, b Bunch, nonce string, share []byte) (RekeyStatus, *Rekeyed, error) {
	defer clear(share)
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("update"), Resource: resource, Capability: policy.Update})
	if err != nil {
		return RekeyStatus{}, nil, err
	}
	defer leave()
	a := d.rite.rekeyNow(b, d.now())
	switch {
	case a == nil:
		return RekeyStatus{}, nil, t.done(errNoRekey)
	case !same(nonce, a.nonce):
		return RekeyStatus{}, nil, t.refuse(ctx, errNonce, "nonce")
	case a.fresh != nil:
		return RekeyStatus{}, nil, t.done(auth.Tell(secret.ErrInvalid, "the new shares wait to be verified"))
	case a.set != setOf(b, s.config): // another node rekeyed meanwhile
		d.rite.endRekey(int(b))
		return RekeyStatus{}, nil, t.done(errNoRekey)
	}
	key, p, err := a.gather.Add(share)
	if err != nil {
		return RekeyStatus{}, nil, t.refuse(ctx, auth.Tell(secret.ErrInvalid, "rekey share refused: %v (%d refused so far)", err, p.Refused), "share")
	}
	t.link("progress", fmt.Sprintf("%d of %d", p.Have, p.Need))
	if key == nil {
		return a.status(b, s.config), nil, t.done(nil)
	}
	clear(key)
	t.event.Links[0].Value = fmt.Sprintf("%d of %d", p.Need, p.Need)
	made, err := d.makeShares(ctx, t, s, b, a)
	if err != nil {
		return RekeyStatus{}, nil, t.done(err)
	}
	if a.fresh == nil {
		d.rite.endRekey(int(b))
	}
	return RekeyStatus{}, made, t.done(nil)
}

// makeShares makes the new key. Unless it is to be verified, it is stored before its shares are answered.
func (d *Desk) makeShares(ctx context.Context, t *turn, s *sealRecord, b Bunch, a *rekeying) (made *Rekeyed, err error) {
	f := &fresh{nonce: newNonce()}
	defer func() {
		if err != nil && f.root != nil {
			f.root.Destroy()
		}
	}()
	var parts [][]byte
	n, threshold := a.wish.Split.Shares, a.wish.Split.Threshold
	config := *s.config
	if b == RecoveryKey {
		config.Recovery, parts, err = shamir.NewRecovery(n, threshold)
		f.config = &config
	} else {
		key := seal.NewKey()
		f.config, parts, err = shamir.NewSeal(ctx, key, n, threshold)
		f.root = locked.Take(key)
	}
	if err != nil {
		return nil, err
	}
	made = &Rekeyed{Nonce: a.nonce, Backup: a.wish.Backup, Verify: a.wish.Verify}
	if made.Parts, err = d.rite.hand(a.wish.Split, parts, d.now()); err != nil {
		return nil, err
	}
	backup, err := d.backupOps(t.o, b, a, made)
	if err != nil {
		return nil, err
	}
	if !a.wish.Verify {
		return made, d.replaceSeal(ctx, t, s, f, backup)
	}
	if f.gather, err = f.newShares(ctx, b, d.now); err != nil {
		return nil, err
	}
	if len(backup) > 0 {
		if _, err := t.commit(ctx, backup); err != nil {
			return nil, err
		}
	}
	a.fresh, made.VerifyNonce = f, f.nonce
	return made, nil
}

// replaceSeal stores a new seal, and the keyring under its root key, in one commit.
func (d *Desk) replaceSeal(ctx context.Context, t *turn, s *sealRecord, f *fresh, more []store.Op) error {
	root := f.root
	if root == nil {
		root = t.o.root
	}
	ops, err := d.sealOps(f.config, root, t.o.keys.Load())
	if err != nil {
		return err
	}
	ops[0].Expect, ops[1].Expect = store.Expect(s.rev), store.Expect(s.keyringRev)
	if f.root == nil {
		ops[1] = store.Op{Key: keyringKey, Check: true, Expect: store.Expect(s.keyringRev)}
	}
	t.event.Cipher = hashOps(ops[:2])
	if _, err := t.commit(ctx, append(ops, more...)); err != nil {
		if !errors.Is(err, store.ErrUnknown) || !d.stands(ctx, ops[0]) {
			return conflictBusy(err)
		}
	}
	if f.root != nil {
		t.o.root.Destroy()
		t.o.root = f.root
	}
	return nil
}

// stands says that what an op of unknown outcome wanted to store is stored.
func (d *Desk) stands(ctx context.Context, op store.Op) bool {
	entries, _, err := d.engine.Get(context.WithoutCancel(ctx), 0, op.Key)
	return err == nil && subtle.ConstantTimeCompare(entries[0].Value, op.Value) == 1
}

// conflictBusy is what losing a race for the seal or the keyring is answered with: another node changed it.
func conflictBusy(err error) error {
	if isConflict(err) {
		return fmt.Errorf("%w: the seal was changed meanwhile", secret.ErrBusy)
	}
	return err
}

// newShares gathers the shares of a seal that does not count yet.
func (f *fresh) newShares(ctx context.Context, b Bunch, now func() time.Time) (*shamir.Gather, error) {
	if b == RecoveryKey {
		return recoveryGather(&f.config.Recovery, now, 0)
	}
	return shamir.NewGather(shamir.Gathering{
		Shares: f.config.Shares, Threshold: f.config.Threshold, Knows: f.config.KnowsShare, Now: now,
		Try: func(key []byte) error {
			root, err := shamir.Unwrap(context.WithoutCancel(ctx), f.config, key)
			clear(root)
			return err
		},
	})
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// newNonce has the shape of a UUID (RFC 9562, version 4), as the vendor's has.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
