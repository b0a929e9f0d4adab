package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"

	"github.com/keephold/keephold/internal/store"
)

// create makes the file when it does not exist. Of several processes that try at once, one file stays.
func create(path string, o Options) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // opening it will say what is wrong, if anything is
	}
	err := build(path, func(db *bbolt.DB) error {
		h := store.Header{Installation: o.Installation, MinReader: store.Format, MinWriter: store.Format}
		return initialize(db, h)
	})
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return nil
	}
	return err
}

// build makes a database under another name, syncs it, and puts it in place. It replaces nothing: fs.ErrExist.
func build(path string, fill func(*bbolt.DB) error) error {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	if err := makeDir(dir); err != nil {
		return openError(err)
	}
	f, err := os.CreateTemp(dir, base+".new-*") // mode 0600
	if err != nil {
		return openError(err)
	}
	name := f.Name()
	defer func() { _ = os.Remove(name) }()
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(name, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return openError(err)
	}
	if err := errors.Join(fill(db), db.Close()); err != nil {
		return openError(err)
	}
	if err := place(name, path); err != nil {
		return err
	}
	return syncDir(dir)
}

// makeDir makes the directory for a store, for its owner only.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// place links instead of renaming, which could replace a file that another process just made.
func place(name, path string) error {
	err := os.Link(name, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(name, path) // a file system without hard links
}

// initialize writes an empty store.
func initialize(db *bbolt.DB, h store.Header) error {
	b, err := h.Encode()
	if err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket(dataBucket()); err != nil {
			return err
		}
		meta, err := tx.CreateBucket(metaBucket())
		if err != nil {
			return err
		}
		return meta.Put(headerKey(), b)
	})
}

// syncDir makes a new name durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be synced there, and need not be
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}

// mapSize chooses how much address space to reserve. Growing a map waits for all readers, an export among them, so there is
// much to grow into. It costs nothing but addresses, except where those are scarce or, on Windows, the file is made that
// long at once.
func mapSize(path string) int {
	const gib = 1 << 30
	if runtime.GOOS == "windows" || ^uint(0)>>32 == 0 {
		return 0
	}
	size := int64(16 * gib)
	if info, err := os.Stat(path); err == nil {
		size = max(size, 4*info.Size())
	}
	return int(size)
}
