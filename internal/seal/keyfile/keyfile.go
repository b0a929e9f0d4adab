// Package keyfile wraps the root key under a key in a file, so that a server
// unseals without a person: a file of its own beside the store, or a systemd
// credential.
//
// Whoever can read the file and the store can read every secret. The file is
// therefore refused when others may read it, when it is not where its name
// says (a symbolic link), or when others may replace it.
package keyfile

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/keephold/keephold/internal/seal"
)

var (
	// ErrUnsafe: the file's place or permissions let others at it.
	ErrUnsafe = errors.New("key file is not safe to use")
	// ErrMalformed: the file holds something other than a key.
	ErrMalformed = errors.New("not a key file")
)

// The file is text: comment lines that begin with #, and one line of the
// prefix and 36 bytes in unpadded URL-safe base64:
//
//	keephold-seal-key-1:   32   4
//	                       key  first bytes of SHA-256("keephold key file 1" | key)
const (
	prefix   = "keephold-seal-key-1:"
	sumSize  = 4
	maxBytes = 4096
	notice   = "# The key that unseals a Keephold store. Whoever has this file and the store\n" +
		"# can read every secret in it: keep it out of the store's backups.\n"
)

// credential is the prefix of a path that names a systemd credential.
const credential = "credential:"

// Resolve turns what a configuration says into a path: "credential:NAME" is
// the systemd credential of that name, anything else is a path.
func Resolve(name string, getenv func(string) string) (string, error) {
	cred, ok := strings.CutPrefix(name, credential)
	if !ok {
		if name == "" {
			return "", errors.New("no key file is configured")
		}
		return filepath.Clean(name), nil
	}
	dir := getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("credential %q: $CREDENTIALS_DIRECTORY is not set; add LoadCredential= or LoadCredentialEncrypted= to the unit", cred)
	}
	if cred == "" || cred == "." || cred == ".." || strings.ContainsAny(cred, `/\`) {
		return "", fmt.Errorf("credential %q: not a name", cred)
	}
	return filepath.Join(dir, cred), nil
}

// Wrapper reads the file each time, and holds no key in between.
type Wrapper struct {
	path       string
	credential bool // lies in $CREDENTIALS_DIRECTORY
}

var _ seal.Wrapper = (*Wrapper)(nil)

// New takes a path, or "credential:NAME". It does not touch the file.
func New(name string, getenv func(string) string) (*Wrapper, error) {
	path, err := Resolve(name, getenv)
	if err != nil {
		return nil, err
	}
	dir := getenv("CREDENTIALS_DIRECTORY")
	return &Wrapper{path: path, credential: dir != "" && filepath.Dir(path) == filepath.Clean(dir)}, nil
}

// Path of the file.
func (w *Wrapper) Path() string { return w.path }

// Wrap wraps under the key in the file.
func (w *Wrapper) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	if err := seal.CheckArguments(ctx, key); err != nil {
		return nil, err
	}
	k, err := w.open()
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	return k.Wrap(ctx, key)
}

// Unwrap unwraps with the key in the file.
func (w *Wrapper) Unwrap(ctx context.Context, blob []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k, err := w.open()
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	key, err := k.Unwrap(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	return key, nil
}

func (w *Wrapper) open() (*seal.KeyWrap, error) {
	b, err := w.read()
	if err != nil {
		return nil, err
	}
	defer clear(b)
	key, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.path, err)
	}
	defer clear(key)
	return seal.NewKeyWrap(key, seal.KindKeyFile)
}

// read checks the name first, then that what was opened is what was checked.
func (w *Wrapper) read() ([]byte, error) {
	named, err := os.Lstat(w.path)
	if err != nil {
		return nil, err
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is a symbolic link; name the file itself: %w", w.path, ErrUnsafe)
	}
	if !named.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %w", w.path, ErrUnsafe)
	}
	f, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(named, opened) {
		return nil, fmt.Errorf("%s was replaced while it was opened: %w", w.path, ErrUnsafe)
	}
	if err := w.checkAccess(opened); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		clear(b)
		return nil, err
	}
	return b, nil
}

// checkAccess is about Unix permission bits; on Windows the file inherits
// the access list of its directory, and nothing here looks at that.
func (w *Wrapper) checkAccess(info fs.FileInfo) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	// systemd grants a service's user its credentials by an access list,
	// whose mask shows as the group's read bit.
	forbidden := fs.FileMode(0o077)
	if w.credential {
		forbidden = 0o037
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("%s has mode %#o and others may read or change it; run chmod 600 on it: %w", w.path, mode, ErrUnsafe)
	}
	if err := checkOwner(info); err != nil {
		return fmt.Errorf("%s: %w: %w", w.path, err, ErrUnsafe)
	}
	dir := filepath.Dir(w.path)
	parent, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := parent.Mode(); mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0 {
		return fmt.Errorf("directory %s has mode %#o and others may replace files in it: %w", dir, mode.Perm(), ErrUnsafe)
	}
	return nil
}

// Parse reads the contents of a key file. The caller clears what it returns.
func Parse(b []byte) ([]byte, error) {
	if len(b) > maxBytes {
		return nil, fmt.Errorf("longer than %d bytes: %w", maxBytes, ErrMalformed)
	}
	var found []byte
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("more than one line that is not a comment: %w", ErrMalformed)
		}
		found = line
	}
	text, ok := bytes.CutPrefix(found, []byte(prefix))
	if !ok {
		return nil, fmt.Errorf("no line that begins with %q: %w", prefix, ErrMalformed)
	}
	enc := base64.RawURLEncoding.Strict()
	if enc.DecodedLen(len(text)) != seal.KeySize+sumSize {
		return nil, fmt.Errorf("key of the wrong length: %w", ErrMalformed)
	}
	raw := make([]byte, seal.KeySize+sumSize)
	if n, err := enc.Decode(raw, text); err != nil || n != len(raw) {
		clear(raw)
		return nil, fmt.Errorf("key is not base64: %w", ErrMalformed)
	}
	sum := checksum(raw[:seal.KeySize])
	if subtle.ConstantTimeCompare(sum[:sumSize], raw[seal.KeySize:]) != 1 {
		clear(raw)
		return nil, fmt.Errorf("key was changed or cut (its checksum differs): %w", ErrMalformed)
	}
	return raw[:seal.KeySize:seal.KeySize], nil
}

// Format writes the contents of a key file.
func Format(key []byte) []byte {
	sum := checksum(key)
	b := append(make([]byte, 0, 256), notice+prefix...)
	b = base64.RawURLEncoding.AppendEncode(b, append(append(make([]byte, 0, seal.KeySize+sumSize), key...), sum[:sumSize]...))
	return append(b, '\n')
}

func checksum(key []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("keephold key file 1"), key...))
}

// Create makes a file with a new key, mode 0600. It never overwrites: when
// the path exists in any form, the error wraps fs.ErrExist. The file appears
// whole or not at all, and is durable on return.
func Create(path string) error {
	key := seal.NewKey()
	defer clear(key)
	b := Format(key)
	defer clear(b)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("create key file %s: %w", path, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var tag [8]byte
	rand.Read(tag[:])
	temp := fmt.Sprintf("%s.%x.tmp", path, tag)
	if err := writeNew(temp, b); err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	// A link, unlike a rename, fails when the name exists.
	err := os.Link(temp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links: exclusive creation instead, where
		// a crash can leave a cut file, which Parse refuses by its checksum.
		err = writeNew(path, b)
	}
	if removeErr := os.Remove(temp); err == nil {
		err = removeErr
	}
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func writeNew(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if syncErr := f.Sync(); err == nil {
		err = syncErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
