package custody

import (
	"context"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Folder asks for the names below a folder of a Space.
type Folder struct {
	Namespace secret.NamespaceID
	Space     string
	Path      secret.Path // the folder; zero is the Space itself
	After     string      // names after this one, as answered before; "" from the start
	Limit     int         // 0: all
	Deep      bool        // whole paths below the folder instead of one level; needs scan instead of list
}

// List answers names relative to the folder, in byte order; a sub-folder ends in '/'.
func (d *Desk) List(ctx context.Context, c auth.Caller, f Folder) ([]string, error) {
	v := verbList
	if f.Deep {
		v = verbScan
	}
	t, sp, err := d.enter(ctx, c, secret.Ref{Namespace: f.Namespace, Space: f.Space, Path: f.Path}, v)
	if err != nil {
		return nil, err
	}
	names, err := d.names(ctx, sp, f)
	return names, t.done(err)
}

func (d *Desk) names(ctx context.Context, sp *secret.Space, f Folder) ([]string, error) {
	prefix := nameKey(sp, f.Path)
	if !f.Path.IsRoot() {
		prefix += "/"
	}
	if f.After == "" && f.Limit == 0 && !f.Deep {
		names, err := d.engine.names(ctx, prefix)
		return names, storeError(err)
	}
	q := store.Query{Prefix: prefix, Limit: f.Limit, KeysOnly: true, OneLevel: !f.Deep}
	if f.After != "" {
		q.After = prefix + f.After
	}
	entries, _, err := d.engine.List(ctx, q)
	if err != nil {
		return nil, storeError(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Key[len(prefix):]
	}
	return names, nil
}
