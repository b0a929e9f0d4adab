package custody

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// epochKey holds what a restore leaves for those who open the store after it; a store that never was restored has none.
const epochKey = "sys/epoch"

// epochState is stored in the clear: whoever could change it could as well put an old file in the store's place.
type epochState struct {
	Epoch uint64 `json:"epoch"`           // of the installation; tokens of another one are refused
	Proof *proof `json:"proof,omitempty"` // set while nobody with the keys has looked at the snapshot's seal

	// Replaces is the installation whose place a snapshot of another one took, until that one's audit log is set aside.
	Replaces string `json:"replaces,omitempty"`
}

// proof is the seal of a snapshot that was restored while the keys were not at hand.
type proof struct {
	Revision uint64 `json:"revision"`
	Digest   []byte `json:"digest"`
	Sealed   []byte `json:"sealed"`
}

func readEpoch(ctx context.Context, e store.Engine) (epochState, store.Revision, error) {
	var s epochState
	entries, _, err := e.Get(ctx, 0, epochKey)
	if err != nil || entries[0].Rev == 0 {
		return s, 0, storeError(err)
	}
	if err := json.Unmarshal(entries[0].Value, &s); err != nil {
		return s, 0, fmt.Errorf("record %s: %w", epochKey, secret.ErrDamaged)
	}
	return s, entries[0].Rev, nil
}

func (s epochState) op(expect *store.Revision) (store.Op, error) {
	b, err := json.Marshal(s)
	return store.Op{Key: epochKey, Value: b, Expect: expect}, err
}

// Arrive is for whoever opens a store and its audit log: when the store came in the place of another installation's, aside
// is called to put that one's log out of the way, which this one cannot continue. It is called at least once, also when
// the process that swapped the stores did not live to do it.
func Arrive(ctx context.Context, e store.Engine, aside func() error) error {
	s, rev, err := readEpoch(ctx, e)
	if err != nil || s.Replaces == "" {
		return err
	}
	if err := aside(); err != nil {
		return err
	}
	s.Replaces = ""
	op, err := s.op(store.Expect(rev))
	if err != nil {
		return err
	}
	_, err = e.Apply(ctx, []store.Op{op})
	return storeError(err)
}

// prove checks, once the keys are there, that the snapshot this store was restored from was made by the holder of
// these keys. Until that holds nothing is served.
func (d *Desk) prove(ctx context.Context, keys *barrier.Keyring) error {
	s, rev, err := readEpoch(ctx, d.engine)
	if err != nil || s.Proof == nil {
		return err
	}
	if err := checkSeal(keys, d.cfg.Installation, s.Proof); err != nil {
		return fmt.Errorf("the store was restored: %w", err)
	}
	s.Proof = nil
	op, err := s.op(store.Expect(rev))
	if err != nil {
		return err
	}
	_, err = d.engine.Apply(ctx, []store.Op{op})
	return storeError(err)
}

const snapshotPlace = "snapshot"

func sealPlace(installation string, revision uint64) barrier.Context {
	return barrier.Context{Installation: installation, UID: "SHA256SUMS", Kind: snapshotPlace, Generation: revision}
}

func checkSeal(keys *barrier.Keyring, installation string, p *proof) error {
	plain, err := keys.Open(sealPlace(installation, p.Revision), p.Sealed)
	if err != nil || !bytes.Equal(plain, p.Digest) {
		return fmt.Errorf("%w: the seal of the snapshot does not open: it was not made by this installation, or was changed", secret.ErrInvalid)
	}
	return nil
}
