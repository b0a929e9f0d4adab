package custody

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

// How many children a folder that is read as one map may have: by the Vault dialect, and as a program's environment.
const (
	MaxFolder      = 1000
	MaxEnvironment = 20000
)

// FolderReading is a folder read as one map: its direct children that hold text.
type FolderReading struct {
	Children []FolderChild
	Revision uint64 // grows with every change of a child
	Updated  time.Time
	Partial  bool // there may be other children, which this caller may not read
}

// FolderChild is one of them.
type FolderChild struct {
	Name    string
	Value   secret.Value
	Version uint64
	Created time.Time // of the version
}

// ReadFolder reads the direct text children of a folder that the caller may read one by one. One record lists each uid
// and version. It is ErrNotFound when there is no such child, with a reading that still says whether it is Partial, and
// ErrTooLarge beyond most. Who may not read the folder itself gets the children that their grants name, and is refused when
// there is none of them.
func (d *Desk) ReadFolder(ctx context.Context, c auth.Caller, ref secret.Ref, most int) (FolderReading, error) {
	t, sp, err := d.enterFor(ctx, c, ref, verbRead, what{parts: true})
	if err != nil {
		return FolderReading{}, err
	}
	r, err := t.readFolder(ctx, sp, ref, most)
	return r, t.done(err)
}

// ReadFolderInstead is ReadFolder as the second half of a request whose Read found no secret: that one has spent the use of a
// limited token.
func (d *Desk) ReadFolderInstead(ctx context.Context, c auth.Caller, ref secret.Ref, most int) (FolderReading, error) {
	o := d.open.Load()
	if o == nil {
		return FolderReading{}, secret.ErrSealed
	}
	return d.ReadFolder(ctx, o.warrant.Spent(c), ref, most)
}

// Fingerprint stands for a text without telling it: two that are the same have the same. It is keyed, so that nobody can
// find the text by trying, and says nothing to another keep.
type Fingerprint struct {
	Name    string
	Text    string
	Version uint64
	Created time.Time
}

// Fingerprints is ReadFolder for a caller that only compares: no value leaves. It asks for the same of policy, because
// whoever can write a guess beside a secret could find it by its fingerprint; and for the whole folder, because two halves
// that are the same do not say that the wholes are.
func (d *Desk) Fingerprints(ctx context.Context, c auth.Caller, ref secret.Ref, most int) ([]Fingerprint, error) {
	t, sp, err := d.enter(ctx, c, ref, verbCompare)
	if err != nil {
		return nil, err
	}
	r, err := t.readFolder(ctx, sp, ref, most)
	if err != nil {
		return nil, t.done(err)
	}
	ring := t.o.keys.Load()
	out := make([]Fingerprint, len(r.Children))
	for i, child := range r.Children {
		out[i] = Fingerprint{child.Name, ring.Fingerprint(child.Value), child.Version, child.Created}
		child.Value.Wipe()
	}
	return out, t.done(nil)
}

func (t *turn) readFolder(ctx context.Context, sp *secret.Space, ref secret.Ref, most int) (FolderReading, error) {
	var r FolderReading
	tooLarge := fmt.Errorf("%w: %s has more than %d children", secret.ErrTooLarge, ref, most)
	names, err := t.d.names(ctx, sp, Folder{Path: ref.Path, Limit: 2*most + 1})
	if err != nil {
		return r, err
	}
	children, hidden, err := t.childrenOf(sp, ref, names)
	if err != nil {
		return r, err
	}
	if t.parts != nil && len(children) == 0 {
		return r, t.refuse(ctx, t.parts, "no part of it may be read")
	}
	if len(names) > 2*most { // with what the caller may not read, and sub-folders
		return r, tooLarge
	}
	r.Partial = hidden || t.parts != nil
	if err := t.fetch(ctx, sp, children); err != nil {
		return r, err
	}
	children = slices.DeleteFunc(children, func(c *child) bool { return !t.hasText(sp, c) })
	switch {
	case len(children) == 0:
		return r, fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
	case len(children) > most:
		return r, tooLarge
	}
	if err := t.openAll(ctx, sp, children); err != nil {
		return r, err
	}
	r.Children = make([]FolderChild, len(children))
	t.event.Items = make([]audit.What, len(children))
	for i, c := range children {
		head := c.entry.head
		r.Children[i] = FolderChild{c.name, c.value, c.version, head.Find(c.version).Created}
		r.Revision = max(r.Revision, uint64(c.entry.headRev))
		if head.Updated.After(r.Updated) {
			r.Updated = head.Updated
		}
		t.event.Items[i] = audit.What{Space: sp.Name, Path: c.ref.Path.String(), UID: string(head.UID), Version: c.version}
	}
	return r, nil
}

// child is one name in a folder on its way to a value.
type child struct {
	name    string
	ref     secret.Ref
	entry   *entry // nil: it went away meanwhile
	version uint64
	value   secret.Value
}

// childrenOf are those of the names in a folder that the caller may read; hidden says that there are others.
func (t *turn) childrenOf(sp *secret.Space, folder secret.Ref, names []string) (out []*child, hidden bool, err error) {
	all := make([]child, 0, len(names))
	out = make([]*child, 0, len(names))
	for _, name := range names {
		if strings.HasSuffix(name, "/") {
			continue
		}
		leaf, err := secret.ParsePath(name)
		if err != nil {
			return nil, false, err
		}
		ref := folder.Latest()
		if ref.Path, err = folder.Path.Join(leaf); err != nil {
			return nil, false, err
		}
		req := t.request(verbRead.on(sp, ref.Path), what{space: sp})
		req.Capability = policy.Read
		if !t.caller.Powers().Decide(req).Allowed {
			hidden = true
			continue
		}
		all = append(all, child{name: name, ref: ref})
		out = append(out, &all[len(all)-1])
	}
	return out, hidden, nil
}

// hasText chooses the child's version; it is false for what is left out of the map: a child without readable text.
func (t *turn) hasText(sp *secret.Space, c *child) bool {
	if c.entry == nil {
		return false
	}
	v, err := t.pick(sp, c.entry.head, c.ref)
	if err != nil || v.Kind != secret.Text || readable(c.ref, c.entry.head, v, t.event.Time) != nil {
		return false
	}
	c.version = v.Number
	return true
}

// openAll opens the children's values.
func (t *turn) openAll(ctx context.Context, sp *secret.Space, children []*child) error {
	return inParts(children, func(part []*child) error {
		for _, c := range part {
			if err := t.open(ctx, sp, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *turn) open(ctx context.Context, sp *secret.Space, c *child) (err error) {
	if c.entry.number == c.version {
		c.value, err = t.d.reveal(t.o, sp.Namespace, c.entry)
		return err
	}
	sealed, err := t.d.sealed(ctx, sp.Namespace, c.entry, c.version)
	if err != nil {
		return err
	}
	c.value, err = t.d.unseal(t.o, sp.Namespace, c.entry.head, c.version, sealed)
	return err
}

// refuseFolder refuses a write to a path that reads as a folder: the new secret would hide the map of its children.
func (t *turn) refuseFolder(ctx context.Context, sp *secret.Space, ref secret.Ref) error {
	if !sp.Settings.FolderRead {
		return nil
	}
	names, err := t.d.names(ctx, sp, Folder{Path: ref.Path, Limit: 1})
	if err != nil || len(names) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s is a folder that is read as one map; write to a name inside it", secret.ErrInvalid, ref)
}
