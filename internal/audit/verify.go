package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"sort"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
	"github.com/keephold/keephold/internal/audit/tile"
)

// VerifyOptions says what a log is checked against.
type VerifyOptions struct {
	PublicKeys []string                // verifier keys; each checkpoint must be signed by one of them, or by one that they announced
	Old        [][]byte                // checkpoints that were kept elsewhere
	Progress   func(done, total int64) // bytes; called now and then
}

// Report is what Verify found.
type Report struct {
	Records     uint64
	Bytes       int64
	Root        [32]byte // over all records
	Covered     uint64   // records covered by a checkpoint that was checked
	Checkpoints int      // checkpoints that the records agree with
	Torn        int64    // bytes of an unfinished record at the end that no checkpoint covers
	FirstBad    uint64   // the first record that cannot be trusted, when Verify returns an error about the records
}

// verifier walks over the records once.
type verifier struct {
	opts   VerifyOptions
	dir    string
	marks  []checkpoint // by size
	trust  chain
	leaves []tlog.Hash // stored hashes from number leaf0 on
	leaf0  uint64
	stored *tile.Hashes
	nleaf  uint64
	stack  []tlog.Hash // roots of perfect subtrees, largest first
	report Report
	bad    int64 // first record whose stored hash differs, or -1
}

// Verify reads all records of a directory again, and checks them against its checkpoints, those that it kept,
// and those that the caller kept. It finds a changed, missing or misplaced record, a missing tail, a log that was
// rolled back or written anew, and a checkpoint signed by another key; the error wraps ErrTampered or
// ErrTruncated and names the first bad record. Without public keys, signatures are not looked at.
func Verify(ctx context.Context, dir string, opts VerifyOptions) (Report, error) {
	v := &verifier{opts: opts, dir: dir, stored: tile.NewHashes(dir), bad: -1}
	defer v.stored.Close()
	if err := v.collect(); err != nil {
		return v.report, err
	}
	files, err := segment.List(dir)
	if err != nil {
		return v.report, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	if len(files) > 0 && files[0].Start.Seq > 0 {
		return v.report, fmt.Errorf("%w: the first record here is %d; put the archived segments back", ErrTruncated, files[0].Start.Seq)
	}
	if info, err := os.Lstat(filepath.Join(dir, tile.FileName(0))); err == nil {
		v.nleaf = uint64(info.Size()) / tlog.HashSize
	}
	for _, f := range files {
		v.report.Bytes += f.Size
	}
	if err := v.walk(ctx); err != nil {
		return v.report, err
	}
	return v.report, v.finish()
}

// collect gathers the checkpoints and checks their signatures.
func (v *verifier) collect() error {
	_, last, err := readCheckpoint(filepath.Join(v.dir, checkpointName))
	if err != nil {
		return err
	}
	if last == nil && len(v.opts.PublicKeys) > 0 {
		return fmt.Errorf("%w: there is no checkpoint; a log that was never unsealed has none", ErrTampered)
	}
	all := append([][]byte(nil), v.opts.Old...)
	kept, err := readKept(filepath.Join(v.dir, keptName))
	if err != nil {
		return err
	}
	all = append(all, kept...)
	if last != nil {
		all = append(all, last)
	}
	origin := ""
	for i, signed := range all {
		c, err := parseCheckpoint(signed)
		if err == nil && len(v.opts.PublicKeys) > 0 {
			c, err = openCheckpoint(signed, v.opts.PublicKeys)
		}
		var other *note.UnverifiedNoteError
		if errors.As(err, &other) {
			v.trust.later = append(v.trust.later, later{signed, fmt.Errorf("checkpoint %d of %d: %w", i+1, len(all), err)})
			c, err = parseCheckpoint(signed)
		} else if err == nil {
			v.marks = append(v.marks, c)
		}
		if err != nil {
			return fmt.Errorf("checkpoint %d of %d: %w", i+1, len(all), err)
		}
		if i > 0 && c.origin != origin {
			return fmt.Errorf("%w: checkpoints of two logs, %q and %q", ErrTampered, origin, c.origin)
		}
		origin = c.origin
	}
	sort.SliceStable(v.marks, func(i, j int) bool { return v.marks[i].size < v.marks[j].size })
	return nil
}

// readKept reads the checkpoints that a log kept of itself. A frame torn by a crash at the end is left out.
func readKept(name string) ([][]byte, error) {
	f, err := segment.OpenRegular(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kept checkpoints: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("kept checkpoints: %w", err)
	}
	return segment.CutBytes(b), nil
}

func (v *verifier) walk(ctx context.Context) error {
	r := segment.NewReader(v.dir, segment.Position{})
	defer r.Close()
	if err := v.compare(); err != nil {
		return err
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			v.report.Torn = v.report.Bytes - r.Pos().Offset
			break
		}
		if err != nil {
			v.report.FirstBad = v.report.Records
			return fmt.Errorf("%w: %w", ErrTampered, err)
		}
		if err := v.take(rec); err != nil {
			return err
		}
		if v.report.Records%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if v.opts.Progress != nil {
				v.opts.Progress(r.Pos().Offset, v.report.Bytes)
			}
		}
	}
	if v.opts.Progress != nil {
		v.opts.Progress(r.Pos().Offset, v.report.Bytes)
	}
	return nil
}

func (v *verifier) take(rec []byte) error {
	seq := v.report.Records
	v.trust.read(rec)
	h := tile.RecordHash(rec)
	if v.bad < 0 && seq < v.nleaf {
		stored, err := v.leaf(seq)
		if err != nil {
			return err
		}
		if stored != h {
			v.bad = int64(seq)
		}
	}
	for n := seq; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(v.stack[len(v.stack)-1], h)
		v.stack = v.stack[:len(v.stack)-1]
	}
	v.stack = append(v.stack, h)
	v.report.Records++
	return v.compare()
}

// leaf reads a stored record hash, many at a time.
func (v *verifier) leaf(seq uint64) (tlog.Hash, error) {
	if v.leaves == nil || seq >= v.leaf0+uint64(len(v.leaves)) {
		var err error
		v.leaf0 = seq
		if v.leaves, err = v.stored.Read(0, seq, int(min(4096, v.nleaf-seq))); err != nil {
			return tlog.Hash{}, err
		}
	}
	return v.leaves[seq-v.leaf0], nil
}

// compare checks the checkpoints over as many records as were read so far.
func (v *verifier) compare() error {
	for len(v.marks) > 0 && v.marks[0].size == v.report.Records {
		if root := v.root(); root != v.marks[0].root {
			return v.blame(fmt.Sprintf("the first %d records do not match the checkpoint over them", v.marks[0].size))
		}
		v.report.Covered = v.marks[0].size
		v.report.Checkpoints++
		v.marks = v.marks[1:]
		if err := v.believe(); err != nil {
			return err
		}
	}
	return nil
}

// blame names the first record that cannot be trusted.
func (v *verifier) blame(what string) error {
	v.report.FirstBad = v.report.Covered
	where := fmt.Sprintf("a record from %d on", v.report.Covered)
	if v.bad >= 0 {
		v.report.FirstBad = uint64(v.bad)
		where = fmt.Sprintf("record %d", v.bad)
	}
	return fmt.Errorf("%w: %s was changed, moved or removed: %s", ErrTampered, where, what)
}

// root folds the stack; with no records it is the hash of nothing.
func (v *verifier) root() tlog.Hash {
	if len(v.stack) == 0 {
		empty, _ := tlog.TreeHash(0, nil)
		return empty
	}
	if want := bits.OnesCount64(v.report.Records); want != len(v.stack) {
		panic("audit: internal error: subtree stack out of step")
	}
	h := v.stack[len(v.stack)-1]
	for i := len(v.stack) - 2; i >= 0; i-- {
		h = tlog.NodeHash(v.stack[i], h)
	}
	return h
}

func (v *verifier) finish() error {
	v.report.Root = [32]byte(v.root())
	n := v.report.Records
	switch {
	case len(v.trust.later) > 0:
		return v.trust.later[0].err
	case v.bad >= 0:
		return v.blame(fmt.Sprintf("its stored hash in %s differs", tile.FileName(0)))
	case len(v.marks) > 0:
		v.report.FirstBad = n
		return fmt.Errorf("%w: record %d is missing: %d are here, a checkpoint covers %d",
			ErrTruncated, n, n, v.marks[len(v.marks)-1].size)
	case v.nleaf > n:
		v.report.FirstBad = n
		return fmt.Errorf("%w: record %d is missing: %d are here, %s has the hashes of %d",
			ErrTruncated, n, n, tile.FileName(0), v.nleaf)
	}
	return nil
}
