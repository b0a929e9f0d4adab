package custody

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// VerifyStatus is how far the verification of new shares has come.
type VerifyStatus struct {
	Nonce     string
	Started   bool
	Shares    int
	Threshold int
	Progress  int
	Complete  bool
}

func (a *rekeying) verifyStatus() VerifyStatus {
	v := VerifyStatus{Shares: a.wish.Split.Shares, Threshold: a.wish.Split.Threshold}
	if a.fresh != nil {
		v.Started, v.Nonce, v.Progress = true, a.fresh.nonce, a.fresh.gather.Progress().Have
	}
	return v
}

// RekeyVerifyStatus tells how far the verification has come.
func (d *Desk) RekeyVerifyStatus(ctx context.Context, c auth.Caller, resource string, b Bunch) (VerifyStatus, error) {
	t, _, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("verify.status"), Resource: resource, Capability: policy.Read})
	if err != nil {
		return VerifyStatus{}, err
	}
	defer leave()
	a := d.rite.rekeyNow(b, d.now())
	if a == nil {
		return VerifyStatus{}, t.done(auth.Tell(secret.ErrInvalid, "no rekey configuration found"))
	}
	return a.verifyStatus(), t.done(nil)
}

// RekeyVerify presents one of the new shares. The last one needed makes the new shares count and the old ones void, in
// one commit; until then the old ones stand, whatever happens.
func (d *Desk) RekeyVerify(ctx context.Context, c auth.Caller, resource string, b Bunch, nonce string, share []byte) (VerifyStatus, error) {
	defer clear(share)
	t, s, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("verify"), Resource: resource, Capability: policy.Update})
	if err != nil {
		return VerifyStatus{}, err
	}
	defer leave()
	a := d.rite.rekeyNow(b, d.now())
	switch {
	case a == nil || a.fresh == nil:
		return VerifyStatus{}, t.done(errNoVerify)
	case !same(nonce, a.fresh.nonce):
		return VerifyStatus{}, t.refuse(ctx, errNonce, "nonce")
	case a.set != setOf(b, s.config):
		d.rite.endRekey(int(b))
		return VerifyStatus{}, t.done(errNoVerify)
	}
	key, p, err := a.fresh.gather.Add(share)
	if err != nil {
		return VerifyStatus{}, t.refuse(ctx, auth.Tell(secret.ErrInvalid, "new share refused: %v", err), "share")
	}
	if key == nil {
		t.link("progress", fmt.Sprintf("%d of %d", p.Have, p.Need))
		return a.verifyStatus(), t.done(nil)
	}
	clear(key)
	if err := d.replaceSeal(ctx, t, s, a.fresh, nil); err != nil {
		return VerifyStatus{}, t.done(err)
	}
	done := VerifyStatus{Nonce: a.fresh.nonce, Complete: true}
	a.fresh.root = nil // it is the Desk's now
	d.rite.endRekey(int(b))
	return done, t.done(nil)
}

// RekeyVerifyRestart drops the new shares presented so far and gives the verification a new nonce.
func (d *Desk) RekeyVerifyRestart(ctx context.Context, c auth.Caller, resource string, b Bunch, nonce string) (VerifyStatus, error) {
	t, _, leave, err := d.enterRite(ctx, c, record.Need{Action: b.action("verify.restart"), Resource: resource, Capability: policy.Delete})
	if err != nil {
		return VerifyStatus{}, err
	}
	defer leave()
	a := d.rite.rekeyNow(b, d.now())
	if a == nil || a.fresh == nil {
		return VerifyStatus{}, t.done(errNoVerify)
	}
	own := nonce == "" && a.starter != "" && a.starter == c.Identity().ID
	if !own && !same(nonce, a.fresh.nonce) {
		return VerifyStatus{}, t.refuse(ctx, errNonce, "nonce")
	}
	if err := t.done(nil); err != nil {
		return VerifyStatus{}, err
	}
	a.fresh.gather.Reset()
	a.fresh.nonce = newNonce()
	return a.verifyStatus(), nil
}

// Backup is the encrypted shares of a rekey, kept until somebody removes them.
type Backup struct {
	Nonce string
	Keys  map[string][]string // by fingerprint, in hexadecimal
}

func backupKey(b Bunch) string {
	if b == RecoveryKey {
		return "rekey/backup/recovery"
	}
	return "rekey/backup/unseal"
}

// backupOps stores the encrypted shares, when that was asked for. They are messages to their holders, and the record
// is sealed besides.
func (d *Desk) backupOps(o *opened, b Bunch, a *rekeying, made *Rekeyed) ([]store.Op, error) {
	if !a.wish.Backup {
		return nil, nil
	}
	keep := Backup{Nonce: a.nonce, Keys: map[string][]string{}}
	for i, m := range made.Parts.Messages {
		f := made.Parts.Fingerprints[i]
		keep.Keys[f] = append(keep.Keys[f], hex.EncodeToString(m))
	}
	return d.sealChanges(o, []record.Change{{Key: backupKey(b), Value: record.Encode(keep)}})
}

// RekeyBackup answers the encrypted shares that the last rekey with a backup kept.
func (d *Desk) RekeyBackup(ctx context.Context, c auth.Caller, resource string, b Bunch) (Backup, error) {
	t, err := d.admit(ctx, c, record.Need{Action: b.action("backup"), Resource: resource, Capability: policy.Read, Sudo: true}, what{})
	if err != nil {
		return Backup{}, err
	}
	var keep Backup
	r, err := record.Get1(ctx, t.o.view, backupKey(b))
	switch {
	case err != nil:
		return keep, t.done(err)
	case !r.Found():
		return keep, t.done(errNoBackup)
	}
	if err := json.Unmarshal(r.Value, &keep); err != nil {
		return Backup{}, t.done(d.damage(r.Key, err))
	}
	return keep, t.done(nil)
}

// RekeyBackupRemove removes them.
func (d *Desk) RekeyBackupRemove(ctx context.Context, c auth.Caller, resource string, b Bunch) error {
	t, err := d.admit(ctx, c, record.Need{Action: b.action("backup.remove"), Resource: resource, Capability: policy.Delete, Sudo: true}, what{})
	if err != nil {
		return err
	}
	return t.done(t.change(ctx, []record.Change{{Key: backupKey(b), Delete: true}}))
}
