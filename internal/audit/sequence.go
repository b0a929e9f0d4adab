package audit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/audit/segment"
	"github.com/keephold/keephold/internal/audit/tile"
)

const (
	bundleSize = 256             // records of a C2SP entry bundle
	signEvery  = time.Second     // a checkpoint at most this often
	keepEvery  = time.Minute     // one of them is kept for ever, this often
	headEvery  = 5 * time.Second // the derived files are made durable this often; Open hashes the rest again
)

// sequencer reads durable records back, off the path of any request, and derives from them: the tree, the
// places of the bundles, and the keys of records with an id.
type sequencer struct {
	due chan struct{} // more records are durable

	hashed atomic.Uint64 // records that are durable and in the tree

	mu      sync.Mutex // guards what follows
	tree    *tile.Tree
	reader  *segment.Reader
	bundles derived
	ids     derived
	headAt  time.Time
	head0   uint64 // size in the head file
	signed  checkpoint
	signer  string     // public key of who signed it; "": whoever signs now
	known   checkpoint // what the tree was before a Reopen
	signAt  time.Time
	keptAt  time.Time
}

// derived is an append-only file of fixed-size rows that Open can make again.
type derived struct {
	f     *os.File
	end   int64
	dirty []byte
	moved bool
}

// headFile is the content of the file "head".
type headFile struct {
	Size   uint64 `json:"size"`
	Offset int64  `json:"offset"`
	Root   string `json:"root"`
	Bundle int64  `json:"bundle"` // bytes of bundle.idx
	Once   int64  `json:"once"`   // bytes of once.idx
}

func (l *Log) sequenceLoop(ctx context.Context) {
	timer := time.NewTimer(signEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.tree.due:
		case <-timer.C:
		}
		if l.Err() == nil {
			if err := l.tree.advance(l, l.dur.synced.Load()); err == nil {
				_ = l.tree.seal(l, false) // a failure is kept in l.failed
			}
		}
		timer.Reset(signEvery)
	}
}

// advance takes the records before offset into the tree.
func (s *sequencer) advance(l *Log, offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tree == nil {
		return l.down()
	}
	for s.reader.Pos().Offset < offset {
		at := s.reader.Pos()
		rec, err := s.reader.Next()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w: %d bytes were written, %d are there", ErrTruncated, offset, at.Offset)
			}
			l.fail(err)
			return l.Err()
		}
		if err := s.take(at, rec); err != nil {
			l.fail(err)
			return l.Err()
		}
	}
	if err := s.flush(); err != nil {
		l.fail(err)
		return l.Err()
	}
	s.hashed.Store(s.tree.Size())
	return nil
}

func (s *sequencer) take(at segment.Position, rec []byte) error {
	if at.Seq%bundleSize == 0 {
		s.bundles.dirty = binary.BigEndian.AppendUint64(s.bundles.dirty, uint64(at.Offset))
	}
	if id, part, ok := recordID(rec); ok {
		key := makeOnceKey(id, part)
		s.ids.dirty = append(s.ids.dirty, key[:]...)
		s.ids.dirty = binary.BigEndian.AppendUint64(s.ids.dirty, at.Seq)
	}
	return s.tree.Append(rec)
}

func (s *sequencer) flush() error {
	return errors.Join(s.bundles.flush(), s.ids.flush(), s.tree.Flush())
}

// head is the size and the root of the tree as it is.
func (s *sequencer) head(l *Log) (uint64, tlog.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tree == nil {
		return 0, tlog.Hash{}, l.down()
	}
	return s.tree.Size(), s.tree.Root(), nil
}

// seal signs a checkpoint and makes the derived files durable, when it is time or when forced.
func (s *sequencer) seal(l *Log, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tree == nil {
		return l.down()
	}
	now := l.cfg.Now()
	var g errgroup.Group // both wait for the disk, and neither needs the other
	if s.head0 != s.tree.Size() && (force || now.Sub(s.headAt) >= headEvery) {
		s.headAt = now
		g.Go(func() error { return s.writeHead(l) })
	}
	err := s.sign(l, now, force)
	if err = errors.Join(err, g.Wait()); err != nil {
		l.fail(err)
		return l.Err()
	}
	return nil
}

func (s *sequencer) sign(l *Log, now time.Time, force bool) error {
	ring := l.keys.Load()
	size := s.tree.Size()
	if ring == nil || size == 0 || (size == s.signed.size && s.signed.origin == l.cfg.Origin && (s.signer == "" || s.signer == ring.public)) {
		return nil
	}
	if !force && now.Sub(s.signAt) < signEvery {
		return nil
	}
	c := checkpoint{l.cfg.Origin, size, s.tree.Root()}
	signed, err := c.sign(ring.signer)
	if err != nil {
		return err
	}
	if err := segment.ReplaceFile(l.path(checkpointName), signed); err != nil {
		return fmt.Errorf("write audit checkpoint: %w", err)
	}
	s.signed, s.signer, s.signAt = c, ring.public, now
	if !force && now.Sub(s.keptAt) < keepEvery {
		return nil
	}
	s.keptAt = now
	return appendKept(l.path(keptName), signed)
}

// appendKept adds a checkpoint to those that Verify compares with.
func appendKept(name string, signed []byte) error {
	f, err := segment.OpenRegular(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep audit checkpoint: %w", err)
	}
	_, err = f.Write(segment.AppendBytes(nil, signed))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("keep audit checkpoint: %w", err)
	}
	return nil
}

func (s *sequencer) writeHead(l *Log) error {
	if err := errors.Join(s.bundles.sync(), s.ids.sync(), s.tree.Sync()); err != nil {
		return err
	}
	root := s.tree.Root()
	b, err := json.Marshal(headFile{s.tree.Size(), s.reader.Pos().Offset,
		base64.StdEncoding.EncodeToString(root[:]), s.bundles.end, s.ids.end})
	if err != nil {
		return err
	}
	if err := segment.ReplaceFile(l.path(headName), append(b, '\n')); err != nil {
		return fmt.Errorf("write audit head: %w", err)
	}
	s.head0 = s.tree.Size()
	return nil
}

// signedBy compares the stored checkpoint's signature with a key, and answers that key when it is its, foreignKey when it is
// another's: of an earlier term, or of a later one than a restored keyring knows. Verify is given all of them. Where there
// is no checkpoint yet it answers "".
func (s *sequencer) signedBy(l *Log, public string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, signed, err := readCheckpoint(l.path(checkpointName))
	if err != nil || signed == nil {
		return "", err
	}
	_, err = openCheckpoint(signed, []string{public})
	var other *note.UnverifiedNoteError
	if errors.As(err, &other) {
		return foreignKey, nil
	}
	return public, err
}

// resign lets the next checkpoint be signed even when nothing was added, if another key signed the last one.
func (s *sequencer) resign(last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signer = last
}

func (s *sequencer) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeLocked()
}

func (s *sequencer) closeLocked() error {
	if s.tree == nil {
		return nil
	}
	err := errors.Join(s.tree.Close(), s.reader.Close(), s.bundles.f.Close(), s.ids.f.Close())
	s.tree = nil
	return err
}

func openDerived(name string, size int64) (derived, error) {
	f, err := segment.OpenRegular(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return derived{}, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("%s: %w", info.Name(), segment.ErrGap)
	}
	if err == nil && info.Size() > size {
		err = f.Truncate(size)
	}
	if err != nil {
		_ = f.Close()
		return derived{}, err
	}
	return derived{f: f, end: size}, nil
}

func (d *derived) flush() error {
	if len(d.dirty) == 0 {
		return nil
	}
	if _, err := d.f.WriteAt(d.dirty, d.end); err != nil {
		return fmt.Errorf("write audit index: %w", err)
	}
	d.end += int64(len(d.dirty))
	d.dirty, d.moved = d.dirty[:0], true
	return nil
}

func (d *derived) sync() error {
	if err := d.flush(); err != nil || !d.moved {
		return err
	}
	d.moved = false
	return d.f.Sync()
}
