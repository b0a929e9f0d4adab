// Package offline keeps what a server answered, encrypted and for a while, so that a program starts when the server cannot be
// reached; and remembers each such use until the server was told.
//
// A Lease is one environment's values with the time they were fetched and the time they end, which the server sets. It opens
// only for the place it was fetched from. Reads are remembered on disk before the values are handed out: no record, no values.
//
// What is promised: without the user's own key a copied directory shows names of servers to nobody and values to nobody; an
// ended lease is not handed out; a dropped one is gone from the directory. What is not: the user's own processes can read
// what the user can, a clock that is set back lengthens a lease, and the record of reads is the user's word.
package offline

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/seal"
)

var (
	// ErrNone: nothing is kept of that place, or nothing that opens.
	ErrNone = errors.New("nothing is kept of it")
	// ErrOver: what was kept is older than allowed.
	ErrOver = errors.New("what is kept of it is too old")
)

// Place is where values come from.
type Place struct{ Addr, Namespace, Space string }

// Lease is what a server answered.
type Lease struct {
	Values   map[string]string `json:"values"`
	Versions map[string]uint64 `json:"versions"`
	Fetched  time.Time         `json:"fetched"`
	Ends     time.Time         `json:"ends"`
	Partial  bool              `json:"partial,omitempty"` // these are single values that the caller may read, and no more
	Refused  bool              `json:"refused,omitempty"` // the caller may read nothing of it, which others that inherit from it have to know
}

// Config of a Store. All fields are needed but Now.
type Config struct {
	Leases string // directory of the leases and their key; it may be removed at any time
	Reads  string // directory of the reads that no server knows of yet
	// Key answers what protects the leases' key: a new one for the kind "", or the one of a kind that Key answered before.
	Key func(ctx context.Context, kind string) (w seal.Wrapper, chosen string, err error)
	Now func() time.Time
}

// Store keeps leases and reads in two directories. Several processes may use them at once.
type Store struct {
	cfg  Config
	keys *barrier.Keyring // once it was needed
}

// New touches nothing yet.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Store{cfg: cfg}
}

// skew is how far the clock may have gone back since a lease was fetched.
const skew = 5 * time.Minute

// Keep stores a lease in the place of what was kept. One that has ended is not stored.
func (s *Store) Keep(ctx context.Context, at Place, l Lease) error {
	if !l.Ends.After(s.cfg.Now()) {
		return s.Drop(at)
	}
	plain, err := json.Marshal(l)
	if err != nil {
		return err
	}
	defer clear(plain)
	if err := s.open(ctx, true); err != nil {
		return err
	}
	sealed, err := s.keys.Seal(at.context(), plain)
	if err != nil {
		return err
	}
	return replace(s.file(at), sealed)
}

// Find answers the lease of a place that has not ended and is at most most old; a most of 0 is no bound.
func (s *Store) Find(ctx context.Context, at Place, most time.Duration) (Lease, error) {
	sealed, err := os.ReadFile(s.file(at))
	if errors.Is(err, fs.ErrNotExist) {
		return Lease{}, ErrNone
	}
	if err == nil {
		err = s.open(ctx, false)
	}
	if err != nil {
		return Lease{}, err
	}
	plain, err := s.keys.Open(at.context(), sealed)
	if err != nil {
		return Lease{}, fmt.Errorf("%w: %w", ErrNone, err)
	}
	defer clear(plain)
	var l Lease
	if json.Unmarshal(plain, &l) != nil {
		return Lease{}, fmt.Errorf("%w: it is damaged", ErrNone)
	}
	now := s.cfg.Now()
	age := now.Sub(l.Fetched)
	switch {
	case !l.Ends.After(now), age < -skew:
		return Lease{}, errors.Join(fmt.Errorf("%w: its lease ended at %s", ErrOver, l.Ends.Format(time.RFC3339)), s.Drop(at))
	case most > 0 && age > most:
		return Lease{}, fmt.Errorf("%w: it was fetched at %s", ErrOver, l.Fetched.Format(time.RFC3339))
	}
	return l, nil
}

// Drop forgets a place.
func (s *Store) Drop(at Place) error {
	if err := os.Remove(s.file(at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (p Place) context() barrier.Context {
	return barrier.Context{Installation: p.Addr, Namespace: p.Namespace, UID: p.Space, Kind: "offline lease", Generation: 1}
}

// file is named by a hash, so that the directory's listing does not name servers and projects.
func (s *Store) file(p Place) string {
	sum := sha256.Sum256([]byte(p.Addr + "\x00" + p.Namespace + "\x00" + p.Space))
	return filepath.Join(s.cfg.Leases, hex.EncodeToString(sum[:16])+".lease")
}

// keyFile holds the leases' keys under a key of the user's own: {"kind": "keyfile", "key": BASE64, "ring": BASE64}.
const keyFile = "keys.json"

type keyRecord struct {
	Kind string `json:"kind"`
	Key  []byte `json:"key"`  // 32 bytes, wrapped
	Ring []byte `json:"ring"` // the keyring, sealed under them
}

// ringLabel takes the place of an installation's id.
const ringLabel = "offline leases"

// open reads the keys; with fresh it makes them when there are none, or none that opens. Leases of lost keys are dropped.
func (s *Store) open(ctx context.Context, fresh bool) error {
	if s.keys != nil {
		return nil
	}
	path := filepath.Join(s.cfg.Leases, keyFile)
	err := s.load(ctx, path)
	if err == nil || !fresh || !errors.Is(err, ErrNone) {
		return err
	}
	if _, there := os.Lstat(path); there == nil {
		if err := s.forgetAll(); err != nil {
			return err
		}
	}
	if err := s.make(ctx, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.load(ctx, path) // another process may have been faster
}

func (s *Store) load(ctx context.Context, path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return err
	}
	var r keyRecord
	if json.Unmarshal(b, &r) != nil || r.Kind == "" {
		return fmt.Errorf("%w: %s is damaged", ErrNone, path)
	}
	w, _, err := s.cfg.Key(ctx, r.Kind)
	if err != nil {
		return err
	}
	root, err := w.Unwrap(ctx, r.Key)
	if err != nil {
		if errors.Is(err, seal.ErrWrongKey) || errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrNone, err)
		}
		return err
	}
	defer clear(root)
	if s.keys, err = barrier.OpenKeyring(root, ringLabel, r.Ring); err != nil {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	return nil
}

func (s *Store) make(ctx context.Context, path string) error {
	w, kind, err := s.cfg.Key(ctx, "")
	if err != nil {
		return err
	}
	root := seal.NewKey()
	defer clear(root)
	ring, err := barrier.NewKeyring(rand.Reader, s.cfg.Now())
	if err != nil {
		return err
	}
	r := keyRecord{Kind: kind}
	if r.Ring, err = barrier.SealKeyring(root, ringLabel, ring); err != nil {
		return err
	}
	if r.Key, err = w.Wrap(ctx, root); err != nil {
		return err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return create(path, b)
}

// forgetAll removes what lost keys had sealed, and their record. Two processes that do so at once can remove what the faster
// one has just made; that costs a lease, which the next answer brings back.
func (s *Store) forgetAll() error {
	old, err := filepath.Glob(filepath.Join(s.cfg.Leases, "*.lease"))
	if err != nil {
		return err
	}
	for _, name := range append(old, filepath.Join(s.cfg.Leases, keyFile)) {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// replace puts a whole new file in the old one's place.
func replace(path string, b []byte) error { return write(path, b, os.Rename) }

// create makes a file that is not there; another's is left alone, with an error that wraps fs.ErrExist.
func create(path string, b []byte) error {
	return write(path, b, func(from, to string) error {
		err := os.Link(from, to)
		return errors.Join(err, os.Remove(from))
	})
}

func write(path string, b []byte, place func(from, to string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = place(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is answered
	}
	return err
}
