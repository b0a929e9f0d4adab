package audit

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
	"github.com/keephold/keephold/internal/audit/tile"
)

// load brings the log's state in memory in line with its files. The caller holds all locks, or is Open.
func (l *Log) load() error {
	if err := l.loadFiles(); err != nil {
		_ = l.tree.closeLocked()
		if l.out.file != nil {
			_ = l.out.file.Close() // a Reopen closed it already, or loadFiles opened it
			l.out.file = nil
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (l *Log) loadFiles() error {
	files, err := segment.List(l.cfg.Dir)
	if err != nil {
		return err
	}
	signed, _, err := readCheckpoint(l.path(checkpointName))
	if err != nil {
		return err
	}
	if err := l.loadDerived(files); err != nil {
		return err
	}
	torn, err := l.readTail(files, signed.size)
	if err != nil {
		return err
	}
	l.once.known, l.once.stored = nil, l.tree.ids.end
	l.tree.signed = signed
	if err := errors.Join(l.compare(signed), l.compare(l.tree.known)); err != nil {
		return err
	}
	pos := l.tree.reader.Pos()
	if was := l.out.written.Load(); pos.Offset < was { // only a Reopen knows of any
		return fmt.Errorf("%w: %d bytes are there, this process wrote %d", ErrTruncated, pos.Offset, was)
	}
	start := pos
	if len(files) > 0 {
		start = files[len(files)-1].Start
	}
	if l.out.file, err = l.openSegment(start); err != nil {
		return err
	}
	l.out.start = start
	if torn > 0 {
		if pos, err = l.noteRepair(torn); err != nil {
			return err
		}
	}
	if pos.Seq > l.tree.head0 { // the head counts records that were durable already
		if err := datasync(l.out.file); err != nil {
			return &syncError{err}
		}
	}
	l.in.buf, l.in.count, l.in.end = l.in.buf[:0], 0, pos.Offset
	l.out.written.Store(pos.Offset)
	l.out.size.Store(pos.Seq)
	l.dur.synced.Store(pos.Offset)
	l.tree.hashed.Store(l.tree.tree.Size())
	l.dur.dirty.Store(false)
	return nil
}

// loadDerived opens the derived files at the last head, or empty when they do not fit together.
func (l *Log) loadDerived(files []segment.File) error {
	s := &l.tree
	head, root := l.readHead()
	err := l.openDerivedAt(head)
	if err == nil && s.tree.Root() != root {
		err = fmt.Errorf("%w: %s and %s do not agree", ErrTampered, headName, tile.FileName(0))
	}
	if err != nil {
		if len(files) > 0 && files[0].Start.Seq > 0 {
			return fmt.Errorf("rebuild audit tree: the first %d records are not here: %w", files[0].Start.Seq, err)
		}
		_ = s.closeLocked()
		head = headFile{}
		if err := l.openDerivedAt(head); err != nil {
			return err
		}
	}
	end := int64(0)
	if len(files) > 0 {
		end = files[len(files)-1].Start.Offset + files[len(files)-1].Size
	}
	if end < head.Offset {
		return fmt.Errorf("%w: %d bytes are there, %d were", ErrTruncated, end, head.Offset)
	}
	s.head0 = head.Size
	s.reader = segment.NewReader(l.cfg.Dir, segment.Position{Seq: head.Size, Offset: head.Offset})
	return nil
}

// readHead returns the zero head when there is none that can be used.
func (l *Log) readHead() (headFile, tlog.Hash) {
	var h headFile
	b, err := readSmall(l.path(headName), 4096)
	if err != nil || json.Unmarshal(b, &h) != nil || h.Offset < 0 || h.Bundle < 0 || h.Once < 0 {
		h = headFile{}
	}
	root, err := base64.StdEncoding.DecodeString(h.Root)
	if err != nil || len(root) != tlog.HashSize {
		h = headFile{}
		empty, _ := tlog.TreeHash(0, nil)
		return h, empty
	}
	return h, tlog.Hash(root)
}

func (l *Log) openDerivedAt(h headFile) (err error) {
	s := &l.tree
	s.bundles, s.ids = derived{}, derived{}
	s.reader = segment.NewReader(l.cfg.Dir, segment.Position{})
	s.tree, err = tile.Open(l.cfg.Dir, h.Size)
	if err != nil {
		return err
	}
	if s.bundles, err = openDerived(l.path(bundleName), h.Bundle); err != nil {
		return err
	}
	s.ids, err = openDerived(l.path(onceName), h.Once)
	return err
}

// readTail takes the records behind the head into the tree. A record that a crash left torn is cut off, unless
// a checkpoint covers it: then it was durable, and somebody changed the file. It returns the bytes cut off.
func (l *Log) readTail(files []segment.File, covered uint64) (torn int64, err error) {
	s := &l.tree
	for {
		at := s.reader.Pos()
		rec, err := s.reader.Next()
		if errors.Is(err, io.EOF) {
			return 0, s.flush()
		}
		if err == nil && !json.Valid(rec) {
			err = fmt.Errorf("audit record %d at byte %d: %w", at.Seq, at.Offset, segment.ErrFrame)
		}
		if err == nil {
			if err := s.take(at, rec); err != nil {
				return 0, err
			}
			continue
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, segment.ErrFrame) {
			return 0, err
		}
		last := files[len(files)-1]
		if at.Seq < covered || at.Offset < last.Start.Offset {
			return 0, fmt.Errorf("%w: record %d is damaged", ErrTampered, at.Seq)
		}
		_ = s.reader.Close()
		s.reader = segment.NewReader(l.cfg.Dir, at)
		if err := s.flush(); err != nil {
			return 0, err
		}
		return last.Start.Offset + last.Size - at.Offset, l.cutTail(last, at)
	}
}

// cutTail moves what stands behind at into a file of its own.
func (l *Log) cutTail(last segment.File, at segment.Position) error {
	name := l.path(last.Start.Name())
	f, err := segment.OpenRegular(name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cut audit log: %w", err)
	}
	defer f.Close()
	keep := at.Offset - last.Start.Offset
	aside := l.path(fmt.Sprintf("torn-%012d-%d", at.Seq, l.cfg.Now().UnixNano()))
	out, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cut audit log: %w", err)
	}
	_, err = io.Copy(out, io.NewSectionReader(f, keep, last.Size-keep))
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil {
		err = f.Truncate(keep)
	}
	if err != nil {
		return fmt.Errorf("cut audit log: %w", err)
	}
	return f.Sync()
}

// noteRepair writes the record that speaks of a cut.
func (l *Log) noteRepair(torn int64) (segment.Position, error) {
	e := Event{Time: l.cfg.Now(), Kind: SystemEvent, Action: "tail-repaired",
		Links: []Pair{{"bytes", fmt.Sprint(torn)}}}
	frame, _ := e.appendFrames(nil)
	pos := l.tree.reader.Pos()
	if _, err := l.cfg.write(l.out.file, frame); err != nil {
		return pos, fmt.Errorf("write audit log: %w", err)
	}
	pos.Seq++
	pos.Offset += int64(len(frame))
	return pos, nil
}

// compare checks the tree against a smaller one: the stored checkpoint, or what it was before a Reopen.
func (l *Log) compare(c checkpoint) error {
	s := &l.tree
	if have := s.tree.Size(); have < c.size {
		return fmt.Errorf("%w: it holds %d records, there were %d", ErrTruncated, have, c.size)
	}
	if c.size == 0 {
		return nil
	}
	hashes := tile.NewHashes(l.cfg.Dir)
	defer hashes.Close()
	root, err := tlog.TreeHash(int64(c.size), hashes)
	if err != nil {
		return err
	}
	if root != c.root {
		return fmt.Errorf("%w: the first %d records are not what they were", ErrTampered, c.size)
	}
	return nil
}

// SetAside moves the files of a damaged log into a directory of its own beside it, so that Open can begin
// a new one. Nothing is deleted: keep the old directory and its checkpoints, they are the evidence.
func SetAside(dir string) (moved string, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	lock, err := lockDir(dir, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.release() }() // the directory it locked is no longer there
	moved = fmt.Sprintf("%s.aside-%d", dir, time.Now().UnixNano())
	if err := os.Rename(dir, moved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("set audit log aside: %w", err)
	}
	return moved, nil
}
