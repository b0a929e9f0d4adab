package offline

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Read is one use of a lease, as the server will be told of it. It holds names and no values.
type Read struct {
	ID        string            `json:"id"`
	Addr      string            `json:"addr"`
	Namespace string            `json:"namespace"`
	Space     string            `json:"space"`
	Versions  map[string]uint64 `json:"versions"`
	At        time.Time         `json:"at"`
	Fetched   time.Time         `json:"fetched"`
	Doing     string            `json:"doing"`
}

// A read lies in a file of its own, so that processes need no lock between them.
const readSuffix = ".read"

// Record remembers a use of a lease, durably, before its values are handed out.
func (s *Store) Record(at Place, l *Lease, doing string) error {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	r := Read{
		ID: hex.EncodeToString(id[:]), Addr: at.Addr, Namespace: at.Namespace, Space: at.Space, Versions: l.Versions,
		At: s.cfg.Now().UTC().Truncate(time.Second), Fetched: l.Fetched.UTC().Truncate(time.Second), Doing: doing,
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return replace(filepath.Join(s.cfg.Reads, r.ID+readSuffix), b)
}

// most is how many reads are answered at once.
const most = 100

// Pending are reads that a server does not know of yet, oldest first, at most 100.
func (s *Store) Pending(addr, namespace string) ([]Read, error) {
	entries, err := os.ReadDir(s.cfg.Reads)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Read
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), readSuffix) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.cfg.Reads, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process told of it
		}
		if err != nil {
			return nil, err
		}
		r, ok := decodeRead(b)
		if ok && r.Addr == addr && r.Namespace == namespace {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Read) int { return a.At.Compare(b.At) })
	return all[:min(len(all), most)], nil
}

// decodeRead reads a file of Record. One that is damaged is left where it lies and told to nobody.
func decodeRead(b []byte) (r Read, ok bool) {
	if json.Unmarshal(b, &r) != nil || r.Space == "" || r.At.IsZero() {
		return Read{}, false
	}
	raw, err := hex.DecodeString(r.ID) // it becomes a file's name in Told
	return r, err == nil && len(raw) == 16 && r.ID == hex.EncodeToString(raw)
}

// Told forgets reads that a server knows of now.
func (s *Store) Told(reads []Read) error {
	for _, r := range reads {
		if err := os.Remove(filepath.Join(s.cfg.Reads, r.ID+readSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
