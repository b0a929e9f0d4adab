package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// Upgraded tells what Upgrade did.
type Upgraded struct {
	From, To uint32 // equal: the store is of the newest format already
	Copy     string // the store as it was; "" when nothing was changed
}

// Upgrade brings a stopped keep to the newest format of this build. Opening never does: a release writes the older format
// until it is told, so that the one before can still take over. A whole copy is made first, durable before anything
// is changed; it needs no keys, and to go back is to put it in the store's place.
func Upgrade(ctx context.Context, cfg KeepConfig) (up Upgraded, err error) {
	path := filepath.Join(cfg.Dir, storeName)
	if _, err := os.Lstat(path); err != nil {
		return up, fmt.Errorf("upgrade: %w", err)
	}
	e, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return up, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	h, err := e.Header(ctx)
	if err != nil {
		return up, err
	}
	up.From, up.To = h.MinWriter, store.Format
	if up.From >= up.To {
		return up, nil
	}
	up.Copy = fmt.Sprintf("%s.format-%d", path, up.From)
	if _, err := e.Compact(ctx, up.Copy); err != nil {
		return up, err
	}
	// There is no older format yet. Each step to come changes records in resumable commits, and the header last.
	return up, fmt.Errorf("upgrade from format %d: %w", up.From, store.ErrFormat)
}
