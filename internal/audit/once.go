package audit

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/keephold/keephold/internal/audit/segment"
)

// onceWindow is how many records with an id are remembered for AppendOnce.
const onceWindow = 100_000

// onceSet knows the keys of the last records that had an id.
type onceSet struct {
	mu     sync.Mutex
	stored int64                // bytes of the index that were there when the log was opened
	known  map[onceKey]struct{} // nil: not read yet
	order  []onceKey            // ring: the oldest is at next once it is full
	next   int
}

// recall reads the keys of the records that the log held when it was opened, when they are asked for the first time: who only
// reads secrets never asks. The caller holds once.mu.
func (l *Log) recall() error {
	if l.once.known != nil {
		return nil
	}
	l.tree.mu.Lock()
	defer l.tree.mu.Unlock()
	if l.tree.tree == nil {
		return l.down()
	}
	if err := l.once.load(l.tree.ids.f, l.once.stored); err != nil {
		l.fail(err)
		return l.Err()
	}
	return nil
}

func (s *onceSet) add(keys []onceKey) {
	for _, k := range keys {
		if _, ok := s.known[k]; ok {
			continue
		}
		s.known[k] = struct{}{}
		if len(s.order) < onceWindow {
			s.order = append(s.order, k)
			continue
		}
		delete(s.known, s.order[s.next])
		s.order[s.next] = k
		s.next = (s.next + 1) % onceWindow
	}
}

// remove forgets keys whose records were not written. Their places in the ring run out by themselves.
func (s *onceSet) remove(keys []onceKey) {
	for _, k := range keys {
		delete(s.known, k)
	}
}

// missing returns the frames of those parts of a record that are not known, and their keys.
func (s *onceSet) missing(r OutboxRecord) (frames []byte, keys []onceKey, err error) {
	id, part, ok := recordID(r.Data)
	if !ok || id != r.ID {
		return nil, nil, fmt.Errorf("outbox record %q: its data has the id %q", r.ID, id)
	}
	if len(r.Data) <= segment.MaxRecord {
		key := makeOnceKey(id, part)
		if _, ok := s.known[key]; ok {
			return nil, nil, nil
		}
		frames = segment.AppendFrame(nil, r.Data)
		if _, _, err := segment.Cut(frames); err != nil {
			return nil, nil, fmt.Errorf("outbox record %q: %w", r.ID, err)
		}
		return frames, []onceKey{key}, nil
	}
	e, err := DecodeEvent(r.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("outbox record %q: %w", r.ID, err)
	}
	all, _ := e.appendFrames(nil)
	for len(all) > 0 {
		rec, rest, err := segment.Cut(all)
		if err != nil {
			return nil, nil, fmt.Errorf("outbox record %q: %w", r.ID, err)
		}
		id, part, _ := recordID(rec)
		if key := makeOnceKey(id, part); !s.has(key) {
			frames = segment.AppendFrame(frames, rec)
			keys = append(keys, key)
		}
		all = rest
	}
	return frames, keys, nil
}

func (s *onceSet) has(k onceKey) bool {
	_, ok := s.known[k]
	return ok
}

// load reads the newest rows of once.idx, which ends at byte end.
func (s *onceSet) load(f *os.File, end int64) error {
	const row = len(onceKey{}) + 8
	from := max(0, end-onceWindow*int64(row))
	rows := make([]byte, end-from)
	if _, err := f.ReadAt(rows, from); err != nil && len(rows) > 0 {
		return fmt.Errorf("read audit index: %w", err)
	}
	s.known, s.order, s.next = make(map[onceKey]struct{}, len(rows)/row), make([]onceKey, 0, len(rows)/row), 0
	for ; len(rows) >= row; rows = rows[row:] {
		s.add([]onceKey{onceKey(rows[:len(onceKey{})])})
	}
	return nil
}

// bundleOffset reads where the nth bundle begins.
func bundleOffset(f *os.File, n uint64) (int64, error) {
	var b [8]byte
	if _, err := f.ReadAt(b[:], int64(n)*8); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b[:])), nil
}
