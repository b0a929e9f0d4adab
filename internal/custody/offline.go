package custody

import (
	"context"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// How long values may be used that were read, without asking again: an environment, and a protected one.
const (
	offlineLease          = 24 * time.Hour
	offlineLeaseProtected = time.Hour
)

// OfflineRead says that a client used values that it had read before, while it could not ask.
type OfflineRead struct {
	ID       string // the client's; the same when it is told again because an answer was lost
	Space    string
	Versions map[string]uint64 // by name
	At       time.Time
	Fetched  time.Time // when the values were read here
	Doing    string    // the command
}

// The bounds of one account of offline reads.
const (
	maxOfflineReads = 100
	maxOfflineText  = 200
)

// RecordOffline puts reads into the log that happened out of its sight. They are the caller's word: nobody here saw them.
// Whoever is known may tell; what they tell is only about themselves.
func (d *Desk) RecordOffline(ctx context.Context, c auth.Caller, reads []OfflineRead) error {
	if len(reads) > maxOfflineReads {
		return auth.Tell(secret.ErrTooLarge, "at most %d reads at a time", maxOfflineReads)
	}
	for i := range reads {
		items, err := reads[i].items()
		if err != nil {
			return err
		}
		t, err := d.admit(ctx, c, record.Need{Action: "read.offline", Resource: "keephold/offline-reads", Capability: policy.Update, Known: true}, what{})
		if err != nil {
			return err
		}
		r := &reads[i]
		t.event.Kind = audit.Read // values were used, wherever that was
		t.event.What.Path = ""
		t.event.What.Namespace, t.event.What.Space = string(c.From().Namespace), r.Space
		t.event.Items = items
		t.link("offline-id", r.ID)
		t.link("read-at", r.At.UTC().Format(time.RFC3339))
		t.link("fetched", r.Fetched.UTC().Format(time.RFC3339))
		t.link("doing", r.Doing)
		if err := t.done(nil); err != nil {
			return err
		}
	}
	return nil
}

// items checks a read and names what was read.
func (r *OfflineRead) items() ([]audit.What, error) {
	for _, text := range []string{r.ID, r.Space, r.Doing} {
		if text == "" || len(text) > maxOfflineText || !utf8.ValidString(text) {
			return nil, auth.Tell(secret.ErrInvalid, "an offline read has an id, a Space and what was done, each of at most %d bytes", maxOfflineText)
		}
	}
	if r.At.IsZero() || r.Fetched.IsZero() || len(r.Versions) > MaxEnvironment {
		return nil, auth.Tell(secret.ErrInvalid, "an offline read has times, and at most %d names", MaxEnvironment)
	}
	if _, err := secret.ParsePath(r.Space); err != nil {
		return nil, auth.Tell(secret.ErrInvalid, "the Space of an offline read: %v", err)
	}
	items := make([]audit.What, 0, len(r.Versions))
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		p, err := secret.ParsePath(name)
		if err != nil {
			return nil, auth.Tell(secret.ErrInvalid, "a name of an offline read: %v", err)
		}
		items = append(items, audit.What{Space: r.Space, Path: p.String(), Version: r.Versions[name]})
	}
	return items, nil
}

// Lease is how long the caller may use what this reading answered without asking again: never longer than its token lives,
// and not at all with a token of limited uses.
func (d *Desk) Lease(c auth.Caller, ref secret.Ref) time.Duration {
	table := d.Table()
	if table == nil {
		return 0
	}
	lease := offlineLease
	if sp, _, ok := table.ResolveSpace(ref.Namespace, ref.Space); !ok || sp.Settings.Protected {
		lease = offlineLeaseProtected
	}
	tok := c.Token()
	switch {
	case tok == nil: // the owner, in process
		return lease
	case tok.Uses > 0:
		return 0
	}
	if left := tok.Left(d.now()); left > 0 {
		lease = min(lease, left)
	}
	return lease
}
