package custody

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// A janitor walks over what sign-in methods keep and removes what expired, without being asked. What it removes is refused
// already: it gives back space, so it may take its time.
//
// A round looks at so many pages and no more, however much there is, and the next round goes on where it ended. A pass over everything is
// followed by a rest. Where it is stands in memory only: a restart begins a new pass.
type janitor struct {
	mount  string // id of the mount it is in; "" before the first
	cursor string
	rest   time.Time // not before
}

// Tidier is an act of a sign-in method that looks at one page of what a mount keeps, behind a cursor, removes what has expired, and
// answers the next cursor, "" at the end.
type Tidier func(m auth.Mount, cursor string) Act[string]

const (
	janitorPages = 20 // a round
	janitorRest  = 10 * time.Minute
)

// runJanitor does one round. A page with nothing to remove leaves no record.
func (d *Desk) runJanitor(ctx context.Context, o *opened) error {
	j := &d.janitor
	if d.now().Before(j.rest) || len(d.cfg.Tidiers) == 0 {
		return nil
	}
	for range janitorPages {
		m, ns, tidy := d.janitorAt(o)
		if tidy == nil {
			*j = janitor{rest: d.now().Add(janitorRest)}
			return nil
		}
		self := o.self.In(ns)
		next, changes, err := tidy(m, j.cursor).Plan(ctx, self, o.view)
		if err == nil && len(changes) > 0 {
			next, err = Do(ctx, d, self, tidy(m, j.cursor))
		}
		if err != nil {
			return err
		}
		j.cursor = next
		if next == "" {
			j.mount += "\x00" // behind it; ids hold no such byte
		}
	}
	return nil
}

// janitorAt is the mount that the janitor is in, or the next one that has something to tidy.
func (d *Desk) janitorAt(o *opened) (auth.Mount, secret.NamespaceID, func(auth.Mount, string) Act[string]) {
	m := o.table.Load().MountFrom(d.janitor.mount, func(kind string) bool { return d.cfg.Tidiers[kind] != nil })
	if m == nil {
		return auth.Mount{}, "", nil
	}
	if m.ID != d.janitor.mount {
		d.janitor.mount, d.janitor.cursor = m.ID, ""
	}
	return auth.Mount{Path: m.Name, Accessor: m.Accessor, Namespace: m.Namespace}, m.Namespace, d.cfg.Tidiers[m.Type]
}
