package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/audit/segment"
)

// Files of a log directory besides the segments and hash.0, hash.1, …
const (
	lockName       = "lock"
	checkpointName = "checkpoint"  // the last signed note
	keptName       = "checkpoints" // frames of older signed notes
	headName       = "head"        // size, offset and root up to which the derived files are durable
	bundleName     = "bundle.idx"  // offset of each 256th record, 8 bytes each
	onceName       = "once.idx"    // key and number of each record that has an id, 24 bytes each
)

// makeDir makes the directory, or checks the one that is there: whoever could swap it, or write into it, could
// make the log overwrite other files or hide records.
func makeDir(dir string) error {
	err := os.MkdirAll(filepath.Dir(dir), 0o700)
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: make directory: %w", ErrUnavailable, err)
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %s is a symbolic link, a real directory is wanted", ErrUnavailable, dir)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a directory", ErrUnavailable, dir)
	case info.Mode().Perm()&0o022 != 0 && checksModes:
		return fmt.Errorf("%w: %s may be written by others (mode %#o, 0700 is wanted)", ErrUnavailable, dir, info.Mode().Perm())
	}
	return nil
}

// dirLock keeps other processes out.
type dirLock struct{ f *os.File }

func lockDir(dir string, wait time.Duration) (*dirLock, error) {
	name := filepath.Join(dir, lockName)
	deadline := time.Now().Add(wait)
	for {
		f, err := segment.OpenRegular(name, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue // made by another process between look and open
		}
		if err == nil {
			if err = tryLock(f); err == nil {
				note := []byte(strconv.Itoa(os.Getpid()) + "\n")
				_ = f.Truncate(0) // the holder's number is a courtesy to people, nothing depends on it
				_, _ = f.WriteAt(note, 0)
				return &dirLock{f}, nil
			}
			_ = f.Close()
		}
		if !isBusy(err) {
			return nil, fmt.Errorf("%w: lock: %w", ErrUnavailable, err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %w%s", ErrUnavailable, ErrInUse, holder(name))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func holder(name string) string {
	b, err := os.ReadFile(name)
	if err != nil || len(b) == 0 || len(b) > 20 {
		return ""
	}
	return ": process " + strings.TrimSpace(string(b))
}

// renew takes the lock anew when its file, or the whole directory, was removed meanwhile.
func (d *dirLock) renew(dir string) error {
	if segment.SameFile(d.f, filepath.Join(dir, lockName)) == nil {
		return nil
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	fresh, err := lockDir(dir, time.Second)
	if err != nil {
		return err
	}
	_ = d.f.Close()
	d.f = fresh.f
	return nil
}

func (d *dirLock) release() error { return d.f.Close() }

// readSmall reads a regular file of at most limit bytes.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := segment.OpenRegular(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are expected", filepath.Base(name), info.Size(), limit)
	}
	b := make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if n < len(b) {
		return nil, err
	}
	return b, nil
}
