package git

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Seen remembers the blobs in which an earlier scan with the same rules found nothing, so that the next scan looks only
// at what is new. Blobs with findings are not remembered: they must be reported again.
//
// The file is a header (magic, a hash of the rules' version) and sorted eight-byte beginnings of ids.
type Seen struct {
	path string
	tag  [16]byte
	old  []uint64 // sorted

	mu  sync.Mutex
	new []uint64 // guarded by mu
}

var seenMagic = []byte("keephold seen 1\n")

// OpenSeen reads the file at path; one that is missing, damaged or of other rules is as good as empty.
func OpenSeen(path, rules string) (*Seen, error) {
	s := &Seen{path: path}
	sum := sha256.Sum256([]byte(rules))
	copy(s.tag[:], sum[:])
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	head := len(seenMagic) + len(s.tag)
	if len(b) < head || !bytes.HasPrefix(b, seenMagic) || !bytes.Equal(b[len(seenMagic):head], s.tag[:]) {
		return s, nil
	}
	for b = b[head:]; len(b) >= 8; b = b[8:] {
		s.old = append(s.old, short(b))
	}
	slices.Sort(s.old)
	return s, nil
}

func short(x []byte) uint64 {
	v := uint64(0)
	for _, c := range x[:8] {
		v = v<<8 | uint64(c)
	}
	return v
}

func (s *Seen) has(x []byte) bool {
	if s == nil {
		return false
	}
	_, ok := slices.BinarySearch(s.old, short(x))
	return ok
}

func (s *Seen) add(x []byte) {
	if s == nil {
		return
	}
	s.mu.Lock()
	s.new = append(s.new, short(x))
	s.mu.Unlock()
}

// Save writes the file anew. It may be called after a scan that was interrupted: a blob is added only when all of it was
// looked at, or its changes against one that was.
func (s *Seen) Save() error {
	all := slices.Concat(s.old, s.new)
	slices.Sort(all)
	all = slices.Compact(all)
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.path), ".seen-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	err = s.write(w, all)
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return os.Rename(f.Name(), s.path)
}

func (s *Seen) write(w io.Writer, all []uint64) error {
	if _, err := w.Write(slices.Concat(seenMagic, s.tag[:])); err != nil {
		return err
	}
	var b [8]byte
	for _, v := range all {
		for i := range b {
			b[i] = byte(v >> (56 - 8*i))
		}
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}
