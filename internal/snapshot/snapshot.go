// Package snapshot is the container of a backup: a gzipped tar with a description, the state of a store in pieces, the
// digests of these, and a seal over the digests. Common tools unpack it and check the digests; only who holds the keys
// of the installation can make or check the seal.
//
//	meta.json              what this is, see Meta
//	state/000000000000 …   the state, cut into pieces of 1 MiB
//	SHA256SUMS             of all the above, as sha256sum -c reads them
//	SHA256SUMS.sealed      the SHA-256 of SHA256SUMS, sealed by the caller
//
// The names of the last two are those that the Vault API's clients look for at the end of a snapshot.
//
// A Writer streams: it needs to know neither the size of the state nor what it says before it begins. A Reader yields
// the state before it has seen the seal; nothing may be replaced by it before Finish has returned without an error and the seal
// was opened.
package snapshot

import (
	"errors"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// Format is the newest format of the container that this build reads, and the one it writes.
const Format uint32 = 1

// Meta describes a snapshot. It says nothing secret.
type Meta struct {
	Format       uint32    `json:"format"`
	Installation string    `json:"installation"` // whose it is
	Epoch        uint64    `json:"epoch"`        // of the installation when it was made
	Revision     uint64    `json:"revision"`     // of the store that the state is of
	Created      time.Time `json:"created"`
	AuditSize    uint64    `json:"audit_size"` // records in the audit log when the snapshot began
	AuditRoot    string    `json:"audit_root"` // the log's root over them, hex
}

const (
	metaName   = "meta.json"
	stateName  = "state/%012d"
	sumsName   = "SHA256SUMS"
	sealedName = "SHA256SUMS.sealed"

	piece     = 1 << 20
	maxMeta   = 64 << 10
	maxSealed = 4 << 10
	maxSums   = 1 << 30 // of a state of twelve million pieces
)

// ErrDamaged says that what was given is no snapshot, or not a whole and unchanged one.
var ErrDamaged = errors.New("snapshot is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w: "+format, append([]any{secret.ErrInvalid, ErrDamaged}, args...)...)
}
