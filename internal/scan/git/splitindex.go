package git

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An index may be split: the "link" extension names a shared one, and says which of its entries are deleted or replaced by
// the first entries of this one; the others of this one are new (gitformat-index(5)).
//
//	link: id of the shared index, bitmap of the deleted, bitmap of the replaced; both may be left out

// join puts a split index together.
func (r *Repo) join(own *index, link []byte) error {
	if len(link) < r.size {
		return errCorrupt
	}
	base := makeID(link[:r.size])
	if base == (id{}) {
		return nil // nothing is shared
	}
	name := filepath.Join(r.dir, "sharedindex."+hex.EncodeToString(base[:r.size]))
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	shared, err := r.parseIndex(b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var deleted, replaced []uint64
	if rest := link[r.size:]; len(rest) > 0 {
		if deleted, rest, err = bitmap(rest, len(shared.entries)); err == nil {
			replaced, _, err = bitmap(rest, len(shared.entries))
		}
		if err != nil {
			return err
		}
	}
	var all []staged
	fresh := own.entries
	for i, e := range shared.entries {
		if set(replaced, i) {
			if len(fresh) == 0 {
				return errCorrupt
			}
			e.mode, e.id = fresh[0].mode, fresh[0].id // its path is left out
			fresh = fresh[1:]
		}
		if !set(deleted, i) {
			all = append(all, e)
		}
	}
	own.entries = append(all, fresh...)
	slices.SortStableFunc(own.entries, func(a, b staged) int { return strings.Compare(a.path, b.path) })
	return nil
}

func set(words []uint64, i int) bool { return i/64 < len(words) && words[i/64]>>(i%64)&1 == 1 }

var errBitmap = errors.New("bitmap that is not EWAH")

// bitmap reads a bitmap in EWAH, of at most n bits: counts of bits and words, the words, and the position of the last
// header. A header word has the bit of a run, the 32 bits of its length, and 31 of how many literal words follow.
func bitmap(b []byte, n int) (words []uint64, rest []byte, err error) {
	if len(b) < 8 {
		return nil, nil, errBitmap
	}
	count := uint64(binary.BigEndian.Uint32(b[4:]))
	b = b[8:]
	if uint64(len(b)) < 8*count+4 {
		return nil, nil, errBitmap
	}
	packed, rest := b[:8*count], b[8*count+4:]
	most := (n + 63) / 64
	for len(packed) > 0 {
		head := binary.BigEndian.Uint64(packed)
		packed = packed[8:]
		run, literal := head>>1&0xffffffff, head>>33
		if run > uint64(most-len(words)) || literal > uint64(most-len(words))-run || uint64(len(packed)) < 8*literal {
			return nil, nil, errBitmap
		}
		for range run {
			words = append(words, -(head & 1))
		}
		for range literal {
			words = append(words, binary.BigEndian.Uint64(packed))
			packed = packed[8:]
		}
	}
	return words, rest, nil
}
