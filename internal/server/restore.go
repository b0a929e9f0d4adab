package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/snapshot"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
	"github.com/keephold/keephold/internal/store/mem"
)

// A restore fills a new file beside the store, and only when the snapshot was verified to its end puts it in the store's place,
// by one rename. Killed at any point it leaves the old store or the new one. The old file stays beside it. Whatever else
// a restore has to do is in the new store already, or is told there to whoever opens it next.
const (
	incomingSuffix = ".incoming"
	replacedSuffix = ".replaced"
)

// RestoreFile restores a snapshot into the stopped keep that cfg names, or into an empty directory. The audit log goes
// on where it was; the record that links both states is in the restored store and reaches the log at the next start.
func RestoreFile(ctx context.Context, cfg KeepConfig, r io.Reader, o custody.RestoreOptions) (meta snapshot.Meta, err error) {
	if cfg.Dir == "" {
		return meta, errors.New("restore: a keep in memory cannot be restored while it is not running")
	}
	k := &Keep{file: filepath.Join(cfg.Dir, storeName), cfg: cfg}
	var desk *custody.Desk
	if _, err := os.Lstat(k.file); !errors.Is(err, fs.ErrNotExist) {
		if k, err = OpenKeep(cfg); err != nil {
			return meta, fmt.Errorf("opening what is to be replaced (move it away to restore without it): %w", err)
		}
		desk = k.Desk
	} else if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return meta, fmt.Errorf("directory of the store: %w", err)
	}
	opened := desk != nil
	defer func() {
		if opened {
			err = errors.Join(err, k.Close(ctx))
		}
	}()
	rest, err := custody.NewRestoration(ctx, desk, o)
	if err != nil {
		return meta, err
	}
	defer rest.Close()
	in, err := k.receive(ctx, rest, r)
	if err != nil {
		return in.meta, err
	}
	opened = false // from here on takeDown has closed it
	if err := k.takeDown(ctx); err != nil {
		return in.meta, errors.Join(err, in.discard())
	}
	return in.meta, k.replaceFile(in, desk == nil)
}

// incoming is a verified state, ready to take the place of a keep's.
type incoming struct {
	meta   snapshot.Meta
	file   string       // "" in memory
	engine store.Engine // in memory only; a file is closed until it is in its place
}

// discard removes what will not be used.
func (in incoming) discard() error {
	if in.file == "" {
		return nil
	}
	return removeIncoming(in.file)
}

// removeIncoming removes what a restore or an upgrade made beside the store, also one that did not live to its end. The store is locked
// by whoever calls it, and a restore into nothing would find its file gone when it wanted to put it in place.
func removeIncoming(file string) error {
	unmade, err := filepath.Glob(globbed(file) + ".new-*")
	for _, f := range append(unmade, file, file+".holder") {
		if e := os.Remove(f); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// globbed is a path as a pattern that only it matches.
func globbed(path string) string {
	if runtime.GOOS == "windows" { // where a pattern knows no escape, and a name can hold no star
		return path
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// receive reads a snapshot to its end into a new engine beside the keep's own.
func (k *Keep) receive(ctx context.Context, rest *custody.Restoration, r io.Reader) (in incoming, err error) {
	s, err := custody.OpenSnapshot(r)
	if err != nil {
		return in, err
	}
	in.meta = s.Meta
	if err := rest.Check(s.Meta); err != nil {
		return in, err
	}
	if k.file == "" {
		in.engine = mem.New()
		return in, rest.Load(ctx, s, in.engine)
	}
	in.file = k.file + incomingSuffix
	if err := removeIncoming(in.file); err != nil {
		return in, fmt.Errorf("an earlier restore's file is in the way: %w", err)
	}
	k.at("receive")
	e, err := bolt.Open(in.file, bolt.Options{Installation: s.Meta.Installation})
	if err != nil {
		return in, err
	}
	k.at("make the file")
	err = rest.Load(ctx, s, e)
	k.at("load")
	if err = errors.Join(err, e.Close()); err != nil {
		return in, errors.Join(err, in.discard())
	}
	k.at("close the file")
	return in, nil
}

// takeDown closes a keep that nobody uses any more. Changes that were acknowledged are in its log afterwards, even if
// the one who made them never came to hand his record over.
func (k *Keep) takeDown(ctx context.Context) error {
	if k.Engine == nil {
		return nil
	}
	var errs []error
	if k.file == "" {
		errs = append(errs, k.Desk.Close(ctx), custody.DrainOutbox(ctx, k.Engine, k.Log), k.Engine.Close())
	} else {
		errs = append(errs, k.Engine.Close())
		k.at("close the store")
		errs = append(errs, k.Desk.Close(ctx), k.drainFile(ctx))
	}
	k.at("drain")
	errs = append(errs, k.Log.Close())
	k.Engine, k.Desk, k.Log = nil, nil, nil
	return errors.Join(errs...)
}

func (k *Keep) drainFile(ctx context.Context) error {
	e, err := bolt.Open(k.file, bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(custody.DrainOutbox(ctx, e, k.Log), e.Close())
}

// replaceFile puts a new store's file in the place of the old one, which stays as FILE.replaced. The rename is the moment at
// which the keep is another.
func (k *Keep) replaceFile(in incoming, fresh bool) error {
	old := k.file + replacedSuffix
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k.at("forget an earlier one")
	if fresh {
		if _, err := os.Lstat(k.file); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("somebody made a store here meanwhile; nothing was changed: %w", errors.Join(err, in.discard()))
		}
	} else if err := os.Link(k.file, old); err != nil {
		return fmt.Errorf("keeping the replaced store: %w", err)
	}
	k.at("keep the old one")
	if err := os.Rename(in.file, k.file); err != nil {
		return fmt.Errorf("putting the restored store in its place: %w", err)
	}
	k.at("rename")
	_ = os.Remove(in.file + ".holder")
	err := syncDir(filepath.Dir(k.file))
	k.at("sync the directory")
	return err
}

// reopen opens what stands in the keep's place now: the restored state, or the old one when the swap did not come to pass.
func (k *Keep) reopen(in incoming) error {
	installation := in.meta.Installation
	if k.file == "" {
		k.Engine = in.engine
	} else {
		e, err := bolt.Open(k.file, bolt.Options{})
		if err != nil {
			return err
		}
		k.Engine = e
		h, err := e.Header(context.Background())
		if err != nil {
			return err
		}
		installation = h.Installation
	}
	return k.openDesk(installation)
}
