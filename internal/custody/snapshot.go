package custody

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/snapshot"
	"github.com/keephold/keephold/internal/store"
)

// snapshotResource is what policies name to let somebody take or put back everything.
const snapshotResource = "sys/storage/raft/snapshot"

// Snapshot writes the whole store as it is at one revision, while it serves. What is written is ciphertext, but whoever
// has it and the keys has everything. The act is recorded before the first byte leaves.
func (d *Desk) Snapshot(ctx context.Context, c auth.Caller, w io.Writer) (snapshot.Meta, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "snapshot", Resource: snapshotResource, Capability: policy.Read}, what{})
	if err != nil {
		return snapshot.Meta{}, err
	}
	size, root, err := d.log.Head(ctx)
	if err != nil {
		return snapshot.Meta{}, unavailable(err)
	}
	meta := snapshot.Meta{
		Installation: d.cfg.Installation, Epoch: d.cfg.Epoch, Created: d.now().UTC(),
		AuditSize: size, AuditRoot: hex.EncodeToString(root[:]),
	}
	t.link("audit-size", strconv.FormatUint(size, 10))
	t.link("audit-root", meta.AuditRoot)
	if err := t.done(nil); err != nil {
		return snapshot.Meta{}, err
	}
	s := snapshot.NewWriter(w, func(state []byte) (snapshot.Meta, error) {
		at, err := exportRevision(state)
		meta.Revision, meta.Format = uint64(at), snapshot.Format
		return meta, err
	}, func(digest []byte) ([]byte, error) {
		return t.o.keys.Load().Seal(sealPlace(meta.Installation, meta.Revision), digest)
	})
	if _, err := d.engine.Export(ctx, s); err != nil {
		return meta, storeError(err)
	}
	return meta, s.Close()
}

// exportRevision reads the revision off the front of an export stream: "KHEXPRT1", then 8 bytes.
func exportRevision(state []byte) (store.Revision, error) {
	if len(state) < 16 {
		return 0, errors.New("custody: internal error: an export without a header")
	}
	return store.Revision(binary.BigEndian.Uint64(state[8:])), nil
}

// OpenSnapshot reads the description of a snapshot, and refuses one of a newer format.
func OpenSnapshot(r io.Reader) (*snapshot.Reader, error) {
	s, err := snapshot.NewReader(r)
	if err != nil {
		return nil, err
	}
	if s.Meta.Format > snapshot.Format {
		return nil, fmt.Errorf("%w: %w", secret.ErrInvalid, &store.FormatError{Path: "snapshot", Want: s.Meta.Format, Know: snapshot.Format})
	}
	return s, nil
}
