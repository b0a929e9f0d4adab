package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"iter"
)

// The export stream. All integers are big-endian.
//
//	stream  = magic[8] "KHEXPRT1"  revision[8]  crc[4]  block*  trailer
//	block   = 'B'  length[4]  record*  crc[4]            length counts the records' bytes
//	record  = uvarint(len key)  key  uvarint(revision)  uvarint(len value)  value
//	trailer = 'T'  count[8]  sha256[32]  crc[4]
//
// Each crc is CRC-32C of everything in its part before it, type byte and length included: it finds the damaged place. The
// SHA-256 is of every byte before the trailer: it finds blocks lost, doubled or reordered. Neither is keyed; who wraps the
// stream adds what proves its origin. Keys ascend strictly. A writer closes a block at 64 KiB, so a reader needs room for one
// block and the largest record, however large the store is. Nothing after the trailer is read.
const (
	exportMagic = "KHEXPRT1"
	blockGoal   = 64 << 10
	maxRecord   = MaxKey + MaxValue + 3*binary.MaxVarintLen64
	maxBlock    = blockGoal + maxRecord

	blockMark   = 'B'
	trailerMark = 'T'
	headerSize  = len(exportMagic) + 8 + 4
	trailerSize = 1 + 8 + sha256.Size + 4
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // the same table each time

// ExportWriter writes an export stream. It is for engines.
type ExportWriter struct {
	w     io.Writer
	sum   hash.Hash
	block []byte // type byte, room for the length, records
	last  string
	count uint64
}

// NewExportWriter begins a stream of a store at a revision.
func NewExportWriter(w io.Writer, at Revision) (*ExportWriter, error) {
	x := &ExportWriter{w: w, sum: sha256.New(), block: make([]byte, 5, blockGoal+4096)}
	x.block[0] = blockMark
	head := make([]byte, 0, headerSize)
	head = append(head, exportMagic...)
	head = binary.BigEndian.AppendUint64(head, uint64(at))
	return x, x.write(sealed(head))
}

// Add writes one key. They must come in ascending order.
func (x *ExportWriter) Add(key string, rev Revision, value []byte) error {
	if x.count > 0 && key <= x.last {
		return fmt.Errorf("export out of order at %q: %w", key, ErrCorrupt)
	}
	x.last = key
	x.count++
	x.block = binary.AppendUvarint(x.block, uint64(len(key)))
	x.block = append(x.block, key...)
	x.block = binary.AppendUvarint(x.block, uint64(rev))
	x.block = binary.AppendUvarint(x.block, uint64(len(value)))
	x.block = append(x.block, value...)
	if len(x.block) >= blockGoal {
		return x.flush()
	}
	return nil
}

// Close writes what is left and the trailer. It does not close the writer below.
func (x *ExportWriter) Close() error {
	if err := x.flush(); err != nil {
		return err
	}
	t := make([]byte, 0, trailerSize)
	t = append(t, trailerMark)
	t = binary.BigEndian.AppendUint64(t, x.count)
	t = x.sum.Sum(t)
	return x.write(sealed(t))
}

func (x *ExportWriter) flush() error {
	if len(x.block) == 5 {
		return nil
	}
	binary.BigEndian.PutUint32(x.block[1:], uint32(len(x.block)-5))
	err := x.write(sealed(x.block))
	x.block = x.block[:5]
	return err
}

func (x *ExportWriter) write(b []byte) error {
	x.sum.Write(b)
	if _, err := x.w.Write(b); err != nil {
		return fmt.Errorf("writing export: %w", err)
	}
	return nil
}

func sealed(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

func unsealed(b []byte) ([]byte, bool) {
	body := b[:len(b)-4]
	return body, crc32.Checksum(body, castagnoli()) == binary.BigEndian.Uint32(b[len(b)-4:])
}

// ReadExport reads a stream that Export wrote: the revision of the store, then its entries in order, which the caller owns.
//
// Entries are yielded before the end of the stream has been seen. Only when the iteration ended without an error was the
// whole stream there and undamaged: read it once to verify before replacing anything by it. An error of the stream's
// content wraps ErrCorrupt, one of the reader below is itself. The iterator can be used once.
func ReadExport(r io.Reader) (Revision, iter.Seq2[Entry, error], error) {
	head := make([]byte, headerSize)
	if err := readFull(r, head); err != nil {
		return 0, nil, fmt.Errorf("export header: %w", err)
	}
	body, ok := unsealed(head)
	if !ok || !bytes.HasPrefix(body, []byte(exportMagic)) {
		return 0, nil, fmt.Errorf("not an export: %w", ErrCorrupt)
	}
	at := Revision(binary.BigEndian.Uint64(body[len(exportMagic):]))
	x := &exportReader{r: r, sum: sha256.New(), at: at}
	x.sum.Write(head)
	return at, x.entries, nil
}

type exportReader struct {
	r     io.Reader
	sum   hash.Hash
	at    Revision
	last  string
	count uint64
}

func (x *exportReader) entries(yield func(Entry, error) bool) {
	for {
		block, err := x.next()
		for err == nil && len(block) > 0 {
			var e Entry
			if e, block, err = x.record(block); err == nil && !yield(e, nil) {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("export after %d entries: %w", x.count, err))
			return
		}
	}
}

// next returns the records of the next block, or io.EOF after a good trailer.
func (x *exportReader) next() ([]byte, error) {
	var head [5]byte
	if err := readFull(x.r, head[:]); err != nil {
		return nil, err
	}
	if head[0] == trailerMark {
		return nil, x.trailer(head[:])
	}
	n := binary.BigEndian.Uint32(head[1:])
	if head[0] != blockMark || n == 0 || n > maxBlock {
		return nil, fmt.Errorf("block header: %w", ErrCorrupt)
	}
	b := make([]byte, 5+int(n)+4) // new each time: the entries' values stay in it
	copy(b, head[:])
	if err := readFull(x.r, b[5:]); err != nil {
		return nil, err
	}
	body, ok := unsealed(b)
	if !ok {
		return nil, fmt.Errorf("block checksum: %w", ErrCorrupt)
	}
	x.sum.Write(b)
	return body[5:], nil
}

func (x *exportReader) trailer(head []byte) error {
	t := make([]byte, trailerSize)
	copy(t, head)
	if err := readFull(x.r, t[len(head):]); err != nil {
		return err
	}
	body, ok := unsealed(t)
	switch {
	case !ok:
		return fmt.Errorf("trailer checksum: %w", ErrCorrupt)
	case binary.BigEndian.Uint64(body[1:]) != x.count:
		return fmt.Errorf("trailer counts other entries: %w", ErrCorrupt)
	case !bytes.Equal(body[9:], x.sum.Sum(nil)):
		return fmt.Errorf("trailer digest: %w", ErrCorrupt)
	}
	return io.EOF
}

// record takes one record off the front of a block.
func (x *exportReader) record(b []byte) (Entry, []byte, error) {
	key, b, ok := chunk(b, MaxKey)
	if !ok || len(key) == 0 {
		return Entry{}, nil, fmt.Errorf("key: %w", ErrCorrupt)
	}
	rev, n := uvarint(b)
	if n <= 0 || rev == 0 || Revision(rev) > x.at {
		return Entry{}, nil, fmt.Errorf("revision of %q: %w", key, ErrCorrupt)
	}
	value, b, ok := chunk(b[n:], MaxValue)
	if !ok {
		return Entry{}, nil, fmt.Errorf("value of %q: %w", key, ErrCorrupt)
	}
	if x.count > 0 && string(key) <= x.last {
		return Entry{}, nil, fmt.Errorf("%q out of order: %w", key, ErrCorrupt)
	}
	x.last = string(key)
	x.count++
	return Entry{Key: x.last, Value: value, Rev: Revision(rev)}, b, nil
}

// chunk takes a length and that many bytes off the front.
func chunk(b []byte, most uint64) (head, rest []byte, ok bool) {
	n, used := uvarint(b)
	if used <= 0 || n > most || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	b = b[used:]
	return b[:n:n], b[n:], true
}

// uvarint is binary.Uvarint without the longer forms of a number, which no writer uses.
func uvarint(b []byte) (n uint64, used int) {
	n, used = binary.Uvarint(b)
	if used > 1 && b[used-1] == 0 {
		return 0, -1
	}
	return n, used
}

// readFull is io.ReadFull for a stream whose end has its own mark: ending early is damage.
func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("cut short: %w", ErrCorrupt)
	}
	return err
}
