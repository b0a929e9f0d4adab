package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// Dir is a private directory with one file per value, for pydantic-settings' secrets_dir, /run/secrets and *_FILE.
type Dir struct {
	path     string
	inMemory bool
}

// ErrNoMemoryDir says that this system offers no directory in memory.
var ErrNoMemoryDir = errors.New("no directory in memory (XDG_RUNTIME_DIR or /dev/shm) for files with secrets")

// dirPrefix begins the name of every directory; the process id follows.
const dirPrefix = "keephold-run-"

// NewDir makes a directory that only this user can enter, in memory, and removes those that dead processes left behind.
// getenv looks up XDG_RUNTIME_DIR. With onDisk a directory on a disk will do where there is none in memory.
func NewDir(getenv func(string) string, onDisk bool, vars []Variable) (*Dir, error) {
	for _, parent := range []string{getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		if parent == "" || !isMemory(parent) {
			continue
		}
		sweep(parent)
		if d, err := newDirIn(parent, true, vars); err == nil || !errors.Is(err, fs.ErrPermission) {
			return d, err
		}
	}
	if !onDisk {
		return nil, ErrNoMemoryDir
	}
	return newDirIn(os.TempDir(), false, vars)
}

func newDirIn(parent string, inMemory bool, vars []Variable) (*Dir, error) {
	path, err := os.MkdirTemp(parent, dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	d := &Dir{path, inMemory}
	if err := d.Write(vars); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// InMemory says whether the directory is lost with the power.
func (d *Dir) InMemory() bool { return d.inMemory }

// File is where the value of a name is.
func (d *Dir) File(name string) string { return filepath.Join(d.path, name) }

// Write makes the files hold exactly these values. Each file is replaced whole, so that a reader sees the old value or
// the new one; names that are no longer there are removed.
func (d *Dir) Write(vars []Variable) error {
	keep := map[string]bool{}
	for _, v := range vars {
		if v.Name == "" || v.Name == "." || v.Name == ".." || strings.ContainsAny(v.Name, "/\\\x00") || strings.HasPrefix(v.Name, ".new-") {
			return fmt.Errorf("%q cannot be the name of a file: %w", v.Name, secret.ErrInvalid)
		}
		keep[v.Name] = true
	}
	for _, v := range vars {
		if err := d.writeFile(v); err != nil {
			return fmt.Errorf("%s: %w", v.Name, withoutName(err))
		}
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := os.Remove(filepath.Join(d.path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dir) writeFile(v Variable) error {
	f, err := os.CreateTemp(d.path, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(v.Value.Reveal())
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o400)
	}
	if err == nil {
		err = os.Rename(f.Name(), d.File(v.Name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func withoutName(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Close removes the directory and everything in it.
func (d *Dir) Close() error { return os.RemoveAll(d.path) }

// sweep removes directories of processes that are gone. What belongs to others cannot be removed, and stays.
func sweep(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, dirPrefix+"*-*"))
	for _, path := range left {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), dirPrefix), "-")
		if pid, err := strconv.Atoi(text); err == nil && pid > 0 && !isAlive(pid) {
			_ = os.RemoveAll(path)
		}
	}
}
