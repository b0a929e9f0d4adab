package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// Upgraded tells what Upgrade did.
type Upgraded struct {
	From, To uint32 // equal: the store is of the newest format already
	Copy     string // the store as it was; "" when nothing was changed
}

const upgradingSuffix = ".upgrading"

// upgradePath is how a store comes from each earlier format to the newest.
type upgradePath struct {
	to    uint32
	steps []custody.UpgradeStep
}

// upgrades holds one step for each format before the newest. Format 1 is the first: nothing precedes it.
func upgrades() upgradePath {
	return upgradePath{to: store.Format, steps: []custody.UpgradeStep{}}
}

// Upgrade brings a stopped keep to the newest format of this build. Opening never does: a release writes the older format
// until it is told, so that the one before can still take over.
//
// The steps run on a copy beside the store, which takes the store's place by one rename when all of them are done: killed at any
// point there is the old store or the new one, and to ask again begins anew. The store as it was stays beside it; it needs no
// keys, and to go back is to put it in the store's place.
func Upgrade(ctx context.Context, cfg KeepConfig) (up Upgraded, err error) {
	return upgrade(ctx, cfg, upgrades())
}

func upgrade(ctx context.Context, cfg KeepConfig, path upgradePath) (up Upgraded, err error) {
	file := filepath.Join(cfg.Dir, storeName)
	if _, err := os.Lstat(file); err != nil {
		return up, fmt.Errorf("upgrade: %w", err)
	}
	e, err := bolt.Open(file, bolt.Options{Format: path.to})
	if err != nil {
		return up, err
	}
	defer func() { err = errors.Join(err, e.Close()) }() // only after the swap: nobody else may write to what is replaced
	h, err := e.Header(ctx)
	if err != nil {
		return up, err
	}
	up.From, up.To = h.MinWriter, path.to
	if up.From >= up.To {
		return up, nil
	}
	kept := fmt.Sprintf("%s.format-%d", file, up.From)
	if err := makeRoom(file, kept); err != nil {
		return up, err
	}
	fresh := file + upgradingSuffix
	if err := path.build(ctx, e, fresh, &cfg); err != nil {
		return up, errors.Join(err, removeIncoming(fresh))
	}
	if err := os.Link(file, kept); err != nil {
		return up, errors.Join(fmt.Errorf("keeping the store as it was: %w", err), removeIncoming(fresh))
	}
	cfg.at("keep the old one")
	if runtime.GOOS == "windows" { // where an open file cannot be replaced
		if err := e.Close(); err != nil {
			return up, err
		}
	}
	if err := os.Rename(fresh, file); err != nil {
		return up, fmt.Errorf("putting the upgraded store in its place: %w", err)
	}
	cfg.at("rename")
	up.Copy = kept
	err = syncDir(cfg.Dir)
	cfg.at("sync the directory")
	return up, err
}

// makeRoom sees to it that the store of before can be kept. A link to the store itself is what an interrupted upgrade left;
// anything else is somebody's copy, which is not ours to remove.
func makeRoom(file, kept string) error {
	mine, err := os.Stat(file)
	if err != nil {
		return err
	}
	there, err := os.Stat(kept)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !os.SameFile(mine, there):
		return fmt.Errorf("%s is there already, from an earlier upgrade: move it away first (nothing was changed): %w", kept, fs.ErrExist)
	}
	return os.Remove(kept)
}

// build makes the store of the newest format beside the one that is open, and reads every page of it before it is used.
func (p upgradePath) build(ctx context.Context, old *bolt.Engine, fresh string, cfg *KeepConfig) error {
	if err := removeIncoming(fresh); err != nil {
		return fmt.Errorf("an earlier upgrade's file is in the way: %w", err)
	}
	cfg.at("begin")
	if _, err := old.Compact(ctx, fresh); err != nil {
		return err
	}
	cfg.at("copy")
	e, err := bolt.Open(fresh, bolt.Options{Format: p.to})
	if err != nil {
		return err
	}
	err = custody.Upgrade(ctx, e, p.steps, p.to, time.Now(), cfg.at)
	if err == nil {
		err = e.Check(ctx)
	}
	cfg.at("check")
	err = errors.Join(err, e.Close())
	cfg.at("close the file")
	return err
}
