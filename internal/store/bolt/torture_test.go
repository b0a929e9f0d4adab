package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// rounds is how often the crash tests repeat: a few in the daily loop, as many as the environment says for the long run.
func rounds(t *testing.T, daily int) int {
	t.Helper()
	text := os.Getenv("KEEPHOLD_TORTURE_ROUNDS")
	if text == "" {
		return daily
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KEEPHOLD_TORTURE_ROUNDS=%q", text)
	}
	return n
}

// event is a write to the file, or an acknowledgement to a caller.
type event struct {
	data []byte
	off  int64
	size int64 // of the file at that moment; its growth is synced before bbolt writes
	ack  *applied
}

// applied is an Apply that was acknowledged.
type applied struct {
	rev store.Revision
	ops []store.Op
}

// trace records what happens to a file.
type trace struct {
	mu     sync.Mutex
	events []event
}

func (tr *trace) add(e event) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.events = append(tr.events, e)
}

// TestTortureTornWrites records all writes of a busy store, then replays what a crash may leave at any point: everything up to the last
// completed sync, and any part of what was written since. Each such image must open, hold exactly the state after some
// revision, none older than the newest acknowledged one, be whole, and take writes.
func TestTortureTornWrites(t *testing.T) {
	for round := range rounds(t, 3) {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Logf("seed %d", seed)
			dir := t.TempDir()
			start, tr, page := record(t, filepath.Join(dir, "store.db"), seed)
			replay(t, filepath.Join(dir, "image.db"), start, tr, page, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

// record runs writers against a new store.
func record(t *testing.T, path string, seed uint64) (start []byte, tr *trace, page int64) {
	e := open(t, path, bolt.Options{})
	start, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tr, page = &trace{}, bolt.PageSize(e)
	bolt.HookWrites(e, func(next bolt.WriteAt) bolt.WriteAt {
		return func(p []byte, off int64) (int, error) {
			tr.add(event{data: bytes.Clone(p), off: off, size: bolt.FileSize(e)})
			return next(p, off)
		}
	})
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() { work(t, e, tr, rand.New(rand.NewPCG(seed, uint64(w)+100))) })
	}
	wg.Wait()
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	return start, tr, page
}

func work(t *testing.T, e *bolt.Engine, tr *trace, rnd *rand.Rand) {
	for range 40 {
		var ops []store.Op
		for _, k := range rnd.Perm(60)[:1+rnd.IntN(4)] {
			op := store.Op{Key: fmt.Sprintf("key/%02d", k)}
			switch rnd.IntN(4) {
			case 0:
				op.Delete = true
			case 1:
				op.Value = bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(20_000)) // several pages
			default:
				op.Value = bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(300))
			}
			ops = append(ops, op)
		}
		rev, err := e.Apply(context.Background(), ops)
		if err != nil {
			t.Error(err)
			return
		}
		tr.add(event{ack: &applied{rev, ops}})
	}
}

// replay makes crash images at many points of the trace.
func replay(t *testing.T, path string, start []byte, tr *trace, page int64, rnd *rand.Rand) {
	var all []*applied
	for _, ev := range tr.events {
		if ev.ack != nil {
			all = append(all, ev.ack)
		}
	}
	slices.SortFunc(all, func(a, b *applied) int { return int(a.rev) - int(b.rev) })

	disk := bytes.Clone(start) // what is surely there
	var since []event          // written after the last completed sync
	var acked store.Revision
	images, late := 0, 0
	sync := func() {
		for _, ev := range since {
			disk = put(disk, ev.size, ev.off, ev.data)
		}
		since = since[:0]
	}
	for _, ev := range tr.events {
		if ev.ack != nil {
			acked = max(acked, ev.ack.rev)
			continue
		}
		meta := func(ev event) bool { return ev.off < 2*page }
		if meta(ev) || (len(since) > 0 && meta(since[len(since)-1])) { // bbolt syncs before and after the meta page
			sync()
		}
		since = append(since, ev)
		if rnd.IntN(12) > 0 && !(meta(ev) && rnd.IntN(3) == 0) {
			continue
		}
		images++
		image := crash(bytes.Clone(disk), since, rnd)
		if rev := examine(t, path, image, all, acked); rev > acked {
			late++
		}
		if t.Failed() {
			t.Fatalf("image %d", images)
		}
	}
	t.Logf("%d writes and acknowledgements, %d images, %d of them newer than acknowledged", len(tr.events), images, late)
	if images < 20 {
		t.Errorf("only %d images", images)
	}
}

// put writes into an image, which is as long as the file was at that moment.
func put(disk []byte, size, off int64, data []byte) []byte {
	if grow := max(size, off+int64(len(data))) - int64(len(disk)); grow > 0 {
		disk = append(disk, make([]byte, grow)...)
	}
	copy(disk[off:], data)
	return disk
}

// crash lets any part of the writes reach the disk: pages in any combination, some torn between sectors or in the middle of one.
func crash(disk []byte, since []event, rnd *rand.Rand) []byte {
	const page = 4096
	keep := rnd.IntN(101) // percent
	for _, ev := range since {
		disk = put(disk, ev.size, ev.off, nil)
		for at := 0; at < len(ev.data); at += page {
			piece := ev.data[at:min(at+page, len(ev.data))]
			if rnd.IntN(100) >= keep {
				continue
			}
			switch rnd.IntN(5) {
			case 0: // torn
				piece = piece[:rnd.IntN(len(piece))]
			case 1: // the end of it only
				cut := 512 * rnd.IntN(len(piece)/512+1)
				disk = put(disk, ev.size, ev.off+int64(at+cut), piece[cut:])
				continue
			}
			disk = put(disk, ev.size, ev.off+int64(at), piece)
		}
	}
	return disk
}

// examine opens an image and returns the revision it stands at.
func examine(t *testing.T, path string, image []byte, all []*applied, acked store.Revision) store.Revision {
	t.Helper()
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Errorf("the image does not open: %v", err)
		return 0
	}
	defer func() { _ = e.Close() }()
	entries, rev, err := e.List(t.Context(), store.Query{})
	if err != nil {
		t.Errorf("list: %v", err)
		return 0
	}
	if rev < acked {
		t.Errorf("the image stands at revision %d, acknowledged was %d", rev, acked)
	}
	want := map[string]string{}
	for _, a := range all {
		if a.rev > rev {
			break
		}
		for _, op := range a.ops {
			if op.Delete {
				delete(want, op.Key)
			} else {
				want[op.Key] = string(op.Value)
			}
		}
	}
	got := map[string]string{}
	for _, e := range entries {
		got[e.Key] = string(e.Value)
	}
	if !maps.Equal(got, want) {
		t.Errorf("at revision %d: %d keys, want %d, or other values", rev, len(got), len(want))
	}
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
	next, err := e.Apply(t.Context(), []store.Op{{Key: "after", Value: binary.BigEndian.AppendUint64(nil, uint64(rev))}})
	if err != nil || next <= rev {
		t.Errorf("writing to the image: revision %d after %d, %v", next, rev, err)
	}
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("after writing to the image: %v", err)
	}
	return rev
}
