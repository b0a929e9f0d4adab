package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// Shredding says what is to be destroyed for good.
type Shredding struct {
	Keep    KeepConfig // Dir, and AuditDir where it is not Dir/audit
	KeyFile string     // of a seal that opens by itself; "": there is none
	Audit   bool       // the audit log too
}

// Shredded tells what was destroyed and what is still there.
type Shredded struct {
	Gone []string // files that were overwritten and removed
	Left []string // what remains in the directory of the keep and beside it
}

// Shred destroys a keep that nobody serves: its key file first, because without it the rest is noise, then every file that
// is or was the store. Each is overwritten, synced and removed. Interrupted, it is asked again and goes on with what is left.
// On flash and on file systems that copy on write the overwritten blocks may survive; they are ciphertext.
func Shred(ctx context.Context, s Shredding) (done Shredded, err error) {
	cfg := s.Keep
	if cfg.AuditDir == "" {
		cfg.AuditDir = filepath.Join(cfg.Dir, "audit")
	}
	file := filepath.Join(cfg.Dir, storeName)
	targets, err := shreddable(file, s.KeyFile)
	if err != nil {
		return done, err
	}
	if len(targets) == 0 && !s.Audit {
		return done, fmt.Errorf("%s: %w", file, fs.ErrNotExist)
	}
	if err := recordShredding(ctx, cfg, file); err != nil {
		return done, err
	}
	held, err := hold(file)
	if err != nil {
		return done, err
	}
	for _, t := range targets {
		if err := overwrite(t); err != nil {
			return done, errors.Join(err, held())
		}
		cfg.at("overwrite")
	}
	if err := held(); err != nil { // it only leaves now: on some systems an open file cannot be removed
		return done, err
	}
	for _, t := range targets {
		if err := os.Remove(t); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return done, err
		}
		done.Gone = append(done.Gone, t)
		cfg.at("remove")
	}
	if s.Audit {
		gone, err := shredTree(cfg.AuditDir)
		done.Gone = append(done.Gone, gone...)
		if err != nil {
			return done, err
		}
	}
	done.Left, err = remaining(cfg.Dir, cfg.AuditDir)
	return done, err
}

// shreddable lists the files to destroy, the key first.
func shreddable(file, key string) ([]string, error) {
	all := []string{key, file}
	beside, err := filepath.Glob(globbed(file) + ".*") // replaced, of earlier formats, unfinished, holder
	if err != nil {
		return nil, err
	}
	all = append(append(all, beside...), filepath.Join(filepath.Dir(file), "node"))
	return slices.DeleteFunc(all, func(name string) bool {
		info, err := os.Lstat(name)
		return name == "" || err != nil || info.IsDir()
	}), nil
}

// recordShredding writes the last record, as long as there is a log that can take it. A store that does not open any more is
// destroyed without; one that somebody uses is not destroyed.
func recordShredding(ctx context.Context, cfg KeepConfig, file string) error {
	if _, err := os.Stat(file); err != nil {
		return nil //nolint:nilerr // an earlier shredding has begun and was recorded
	}
	k, err := OpenKeep(cfg)
	switch {
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrReadOnly):
		return err
	case err != nil:
		return nil //nolint:nilerr // damaged, or of a newer format: there is nothing to record it in
	}
	return errors.Join(k.Desk.RecordShredding(ctx), k.takeDown(ctx))
}

// hold keeps other processes away from a store while it is overwritten.
func hold(file string) (release func() error, err error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil // and opening would make one
	}
	e, err := bolt.Open(file, bolt.Options{})
	if errors.Is(err, store.ErrLocked) {
		return nil, err
	}
	if err != nil {
		return func() error { return nil }, nil //nolint:nilerr // what does not open, nobody can serve
	}
	return e.Close, nil
}

// overwrite puts noise in the place of a file's bytes, and sees it on the disk.
func overwrite(name string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // the holder's file goes by itself, and so does what a link leads to
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, rand.Reader, info.Size()); err != nil {
		return fmt.Errorf("overwriting %s: %w", name, err)
	}
	return f.Sync()
}

// shredTree destroys all files in a directory, and the directory.
func shredTree(dir string) (gone []string, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		gone = append(gone, name)
		return overwrite(name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return gone, os.RemoveAll(dir)
}

// remaining lists what is still there. An empty directory goes.
func remaining(dir, auditDir string) (left []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		left = append(left, filepath.Join(dir, e.Name()))
	}
	if len(entries) == 0 {
		_ = os.Remove(dir) // it may be a mount point, and nobody minds an empty one
	}
	beside, err := filepath.Glob(globbed(auditDir) + "*")
	for _, name := range beside {
		if !slices.Contains(left, name) {
			left = append(left, name)
		}
	}
	return left, err
}
