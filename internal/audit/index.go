package audit

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
	"github.com/keephold/keephold/internal/audit/tile"
)

// indexName is derived from the log and may be removed at any time: the next Search makes it again. It holds one
// block for each full bundle of 256 records, integers big-endian:
//
//	 32 bytes  hash of the bundle, as in hash.1: a block of another log, or of another past, is not believed
//	  8 bytes  earliest time, nanoseconds since 1970
//	  8 bytes  latest time
//	  4 bytes  n, count of terms
//	4·n bytes  terms: hashes of what Search can ask for, ascending, each once
//	  4 bytes  CRC-32C of all before
const indexName = "search.idx"

const (
	blockHead = tlog.HashSize + 8 + 8 + 4
	maxTerms  = 1 << 20 // 256 records of at most 64 KiB cannot have more
)

// block says which terms occur in a bundle.
type block struct {
	hash     tlog.Hash
	min, max int64
	terms    []uint32
}

// makeTerm hashes one thing that can be asked for. Two may share a hash: it only says where to look.
func makeTerm(kind byte, parts ...string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte{kind})
	for _, p := range parts {
		_, _ = io.WriteString(h, p)
		_, _ = h.Write([]byte{0})
	}
	return h.Sum32()
}

func (w *What) terms(dst []uint32) []uint32 {
	if w.Path != "" {
		dst = append(dst, makeTerm('p', w.Space, w.Path))
	}
	if w.Space != "" {
		dst = append(dst, makeTerm('s', w.Space))
	}
	if w.UID != "" {
		dst = append(dst, makeTerm('u', w.UID))
	}
	return dst
}

func (b *block) add(e *Event) {
	t := e.Time.UnixNano()
	b.min, b.max = min(b.min, t), max(b.max, t)
	b.terms = e.What.terms(b.terms)
	for i := range e.Items {
		b.terms = e.Items[i].terms(b.terms)
	}
	for _, name := range []string{e.Who.ID, e.Who.Name, e.Who.Entity, e.Who.Accessor} {
		if name != "" {
			b.terms = append(b.terms, makeTerm('a', name))
		}
	}
	for _, v := range e.Values {
		b.terms = append(b.terms, makeTerm('v', v))
	}
}

func newBlock(h tlog.Hash) *block { return &block{hash: h, min: math.MaxInt64, max: math.MinInt64} }

func (b *block) encode() []byte {
	slices.Sort(b.terms)
	b.terms = slices.Compact(b.terms)
	out := append([]byte(nil), b.hash[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(b.min))
	out = binary.BigEndian.AppendUint64(out, uint64(b.max))
	out = binary.BigEndian.AppendUint32(out, uint32(len(b.terms)))
	for _, t := range b.terms {
		out = binary.BigEndian.AppendUint32(out, t)
	}
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out, crc32.MakeTable(crc32.Castagnoli)))
}

var errIndex = errors.New("not a block of the audit index")

// readBlock reads one block and the count of bytes it took.
func readBlock(r io.Reader) (*block, int64, error) {
	head := make([]byte, blockHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, err
	}
	n := binary.BigEndian.Uint32(head[blockHead-4:])
	if n > maxTerms {
		return nil, 0, errIndex
	}
	rest := make([]byte, 4*n+4)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil, 0, err
	}
	sum := crc32.Update(crc32.Checksum(head, crc32.MakeTable(crc32.Castagnoli)), crc32.MakeTable(crc32.Castagnoli), rest[:4*n])
	if binary.BigEndian.Uint32(rest[4*n:]) != sum {
		return nil, 0, errIndex
	}
	b := &block{hash: tlog.Hash(head[:tlog.HashSize]), terms: make([]uint32, n)}
	b.min = int64(binary.BigEndian.Uint64(head[tlog.HashSize:]))
	b.max = int64(binary.BigEndian.Uint64(head[tlog.HashSize+8:]))
	for i := range b.terms {
		b.terms[i] = binary.BigEndian.Uint32(rest[4*i:])
	}
	return b, int64(blockHead + len(rest)), nil
}

// Query asks the log. Empty fields do not matter; all others must match.
type Query struct {
	Namespace string // only together with others
	Space     string
	Path      string // in the escaped form; needs Space
	UID       string
	Version   uint64
	Actor     string   // id, name, entity or keyed accessor
	Value     string   // keyed, from Log.HMAC: was this string ever served or stored?
	OrActor   []string // also those; the keyed accessor under earlier keys, for instance
	OrValue   []string // also those
	Kinds     []Kind
	Since     time.Time
	Until     time.Time // exclusive
}

// terms are what a bundle must hold to be worth reading: one of each group.
func (q *Query) terms() [][]uint32 {
	var out [][]uint32
	add := func(kind byte, texts ...string) {
		var group []uint32
		for _, t := range texts {
			if t != "" {
				group = append(group, makeTerm(kind, t))
			}
		}
		if len(group) > 0 {
			out = append(out, group)
		}
	}
	if q.Path != "" {
		out = append(out, []uint32{makeTerm('p', q.Space, q.Path)})
	} else {
		add('s', q.Space)
	}
	add('u', q.UID)
	add('a', append([]string{q.Actor}, q.OrActor...)...)
	add('v', append([]string{q.Value}, q.OrValue...)...)
	return out
}

// mayHold reports whether the bundle of b can have an answer.
func (q *Query) mayHold(b *block, terms [][]uint32) bool {
	if !q.Since.IsZero() && b.max < q.Since.UnixNano() || !q.Until.IsZero() && b.min >= q.Until.UnixNano() {
		return false
	}
	for _, group := range terms {
		if !slices.ContainsFunc(group, func(t uint32) bool { _, found := slices.BinarySearch(b.terms, t); return found }) {
			return false
		}
	}
	return true
}

// Matches reports whether an event answers the query.
func (q *Query) Matches(e *Event) bool {
	switch {
	case !q.Since.IsZero() && e.Time.Before(q.Since),
		!q.Until.IsZero() && !e.Time.Before(q.Until),
		len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind),
		q.Value+first(q.OrValue) != "" && !slices.ContainsFunc(e.Values, func(v string) bool { return v != "" && (v == q.Value || slices.Contains(q.OrValue, v)) }),
		q.Actor+first(q.OrActor) != "" && !e.Who.isAny(q.Actor, q.OrActor):
		return false
	}
	return q.matchesWhat(&e.What) || slices.ContainsFunc(e.Items, func(w What) bool { return q.matchesWhat(&w) })
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// isAny says whether one of these names is a name of w.
func (w *Who) isAny(name string, more []string) bool {
	for _, n := range [...]string{w.ID, w.Name, w.Entity, w.Accessor} {
		if n != "" && (n == name || slices.Contains(more, n)) {
			return true
		}
	}
	return false
}

func (q *Query) matchesWhat(w *What) bool {
	return (q.Namespace == "" || q.Namespace == w.Namespace) && (q.Space == "" || q.Space == w.Space) &&
		(q.Path == "" || q.Path == w.Path) && (q.UID == "" || q.UID == w.UID) &&
		(q.Version == 0 || q.Version == w.Version)
}

// searchIndex is the index file of one directory, if this process may use it.
type searchIndex struct {
	f      *os.File
	end    int64 // of the last block that is believed
	blocks uint64
	writer bool // nobody else writes it now
	hashes *tile.Hashes
	have   uint64 // bundles that hash.1 knows
}

func openIndex(dir string) *searchIndex {
	x := &searchIndex{hashes: tile.NewHashes(dir)}
	if info, err := os.Lstat(filepath.Join(dir, tile.FileName(1))); err == nil {
		x.have = uint64(info.Size()) / tlog.HashSize
	}
	f, err := segment.OpenRegular(filepath.Join(dir, indexName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return x // read-only directory: everything is read then
	}
	x.f, x.writer = f, tryLock(f) == nil
	return x
}

func (x *searchIndex) close() {
	_ = x.hashes.Close()
	if x.f != nil {
		_ = x.f.Close()
	}
}

// each calls f for the blocks that can be believed, in order, until it returns false.
func (x *searchIndex) each(f func(n uint64, b *block) bool) bool {
	if x.f == nil {
		return true
	}
	r := bufio.NewReaderSize(io.NewSectionReader(x.f, 0, math.MaxInt64), 256<<10)
	for x.blocks < x.have {
		b, n, err := readBlock(r)
		if err != nil {
			break
		}
		if h, err := x.hashes.Read(1, x.blocks, 1); err != nil || !bytes.Equal(h[0][:], b.hash[:]) {
			break
		}
		if !f(x.blocks, b) {
			return false
		}
		x.end += n
		x.blocks++
	}
	return true
}

// append adds a block; an index that cannot be written is as good as none.
func (x *searchIndex) append(b *block) {
	if !x.writer {
		return
	}
	enc := b.encode()
	if _, err := x.f.WriteAt(enc, x.end); err != nil {
		x.writer = false
		return
	}
	x.end += int64(len(enc))
}

// DropIndex removes what Search derived.
func DropIndex(dir string) error {
	if err := os.Remove(filepath.Join(dir, indexName)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("audit index: %w", err)
	}
	return nil
}
