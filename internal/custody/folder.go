package custody

import (
	"context"
	"fmt"
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
}

// FolderChild is one of them.
type FolderChild struct {
	Name    string
	Value   secret.Value
	Version uint64
}

// ReadFolder reads the direct text children of a folder that the caller may read one by one. One record lists each uid
// and version. It is ErrNotFound when there is no such child, and ErrTooLarge beyond most.
func (d *Desk) ReadFolder(ctx context.Context, c auth.Caller, ref secret.Ref, most int) (FolderReading, error) {
	t, sp, err := d.enter(ctx, c, ref, verbRead)
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

func (t *turn) readFolder(ctx context.Context, sp *secret.Space, ref secret.Ref, most int) (FolderReading, error) {
	var r FolderReading
	names, err := t.d.names(ctx, sp, Folder{Path: ref.Path, Limit: 2*most + 1})
	if err != nil {
		return r, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "/") {
			continue
		}
		leaf, err := secret.ParsePath(name)
		if err != nil {
			return r, err
		}
		child := ref.Latest()
		if child.Path, err = ref.Path.Join(leaf); err != nil {
			return r, err
		}
		if err := t.readChild(ctx, sp, child, name, &r); err != nil {
			return r, err
		}
		if len(r.Children) > most {
			return r, fmt.Errorf("%w: %s has more than %d children", secret.ErrTooLarge, ref, most)
		}
	}
	if len(r.Children) == 0 {
		return r, fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
	}
	return r, nil
}

// readChild adds one child when the caller may read it and it holds readable text.
func (t *turn) readChild(ctx context.Context, sp *secret.Space, child secret.Ref, name string, r *FolderReading) error {
	need := verbRead.on(sp, child.Path)
	req := t.request(need, what{space: sp})
	req.Capability = policy.Read
	if !t.caller.Powers().Decide(req).Allowed {
		return nil
	}
	e, err := t.d.find(ctx, t.o, sp, child.Path)
	if err != nil || e == nil {
		return err
	}
	v, err := t.pick(sp, e.head, child)
	if err != nil || v.Kind != secret.Text || readable(child, e.head, v, t.d.now()) != nil {
		return nil //nolint:nilerr // a child without readable text is left out
	}
	sealed, err := t.d.sealed(ctx, sp.Namespace, e, v.Number)
	if err != nil {
		return err
	}
	value, err := t.d.unseal(t.o, sp.Namespace, e.head, v.Number, sealed)
	if err != nil {
		return err
	}
	r.Children = append(r.Children, FolderChild{name, value, v.Number})
	r.Revision = max(r.Revision, uint64(e.headRev))
	if e.head.Updated.After(r.Updated) {
		r.Updated = e.head.Updated
	}
	t.event.Items = append(t.event.Items, audit.What{Space: sp.Name, Path: child.Path.String(), UID: string(e.head.UID), Version: v.Number})
	return nil
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
