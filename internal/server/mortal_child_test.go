//go:build unix

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/store"
)

// mortalRole is a process that does one thing to a keep and kills itself by SIGKILL on the way, as a power cut would.
const mortalRole = "mortal"

// Errand is what a mortal process is to do, and after how many steps it dies; zero lives.
type Errand struct {
	What     string
	Dir      string
	Snapshot string // file to restore, or directory to put snapshots in
	Force    bool
	Die      int
}

// mortal counts the steps of a process towards its death.
type mortal struct{ left atomic.Int64 } // a server and its client may both take steps

func (m *mortal) step(string) {
	if m.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // no step after the death
	}
}

// readSteps is how many steps the reading of a snapshot counts for.
const readSteps = 6

// steppingReader takes a step each time another part of what is read has passed.
type steppingReader struct {
	r    io.Reader
	m    *mortal
	part int
	n    int
}

func (s *steppingReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), max(s.part-s.n, 1))])
	if s.n += n; s.n >= s.part {
		s.n = 0
		s.m.step("read")
	}
	return n, err
}

func beMortal(line []byte) error {
	var e Errand
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	m := new(mortal)
	m.left.Store(int64(e.Die))
	errands := map[string]func(Errand, *mortal) error{
		"restore": restoreMortally, "restore online": restoreOnlineMortally, "snapshot": snapshotMortally,
		"upgrade": upgradeMortally, "shred": shredMortally,
	}
	do := errands[e.What]
	if do == nil {
		return fmt.Errorf("no errand %q", e.What)
	}
	return do(e, m)
}

func (e Errand) snapshot(m *mortal) (io.Reader, error) {
	b, err := os.ReadFile(e.Snapshot)
	return &steppingReader{r: bytes.NewReader(b), m: m, part: len(b)/readSteps + 1}, err
}

func restoreMortally(e Errand, m *mortal) error {
	r, err := e.snapshot(m)
	if err != nil {
		return err
	}
	_, err = RestoreFile(context.Background(), KeepConfig{Dir: e.Dir, step: m.step}, r, custody.RestoreOptions{Force: e.Force})
	return err
}

func restoreOnlineMortally(e Errand, m *mortal) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	d, err := OpenDev(ctx, DevConfig{Dir: e.Dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		return err
	}
	d.cfg.Keep.cfg.step = m.step
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	r, err := e.snapshot(m)
	if err != nil {
		return err
	}
	path := "/v1/sys/storage/raft/snapshot"
	if e.Force {
		path += "-force"
	}
	rq, err := http.NewRequest(http.MethodPost, d.Addr+path, r)
	if err != nil {
		return err
	}
	rq.Header.Set("X-Vault-Token", string(d.Token.Reveal()))
	resp, err := http.DefaultClient.Do(rq)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("restore: %d %s", resp.StatusCode, b)
	}
	stop()
	return errors.Join(resp.Body.Close(), <-ended)
}

// snapshotMortally takes two scheduled snapshots, of which one may be kept.
func snapshotMortally(e Errand, m *mortal) error {
	ctx := context.Background()
	d, err := OpenDev(ctx, DevConfig{Dir: e.Dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		return err
	}
	d.cfg.Snapshot = SnapshotFile{Dir: e.Snapshot, Keep: 1}
	d.cfg.Keep.cfg.step = m.step
	if err := d.sweepUnfinished(); err != nil {
		return err
	}
	_, err = d.takeSnapshot(ctx)
	return errors.Join(err, d.cfg.Keep.Close(ctx))
}

// madeUp are two steps between formats that there never were: the first moves every record, the second rewrites each.
func madeUp() upgradePath {
	moved := func(e store.Entry) ([]store.Op, error) {
		name, ok := strings.CutPrefix(e.Key, "a/")
		if !ok {
			return nil, nil
		}
		return []store.Op{{Key: e.Key, Delete: true}, {Key: "b/" + name, Value: e.Value}}, nil
	}
	rewritten := func(e store.Entry) ([]store.Op, error) {
		if !strings.HasPrefix(e.Key, "b/") {
			return nil, nil
		}
		return []store.Op{{Key: e.Key, Value: bytes.ToUpper(e.Value)}}, nil
	}
	return upgradePath{to: 3, steps: []custody.UpgradeStep{
		{From: 1, What: "a is called b", Change: moved}, {From: 2, What: "values are upper case", Change: rewritten},
	}}
}

func shredMortally(e Errand, m *mortal) error {
	_, err := Shred(context.Background(), Shredding{Keep: KeepConfig{Dir: e.Dir, step: m.step}, KeyFile: filepath.Join(e.Dir, "key")})
	return err
}

func upgradeMortally(e Errand, m *mortal) error {
	_, err := upgrade(context.Background(), KeepConfig{Dir: e.Dir, step: m.step}, madeUp())
	return err
}

// UpgradeMadeUp is an upgrade that nobody kills.
func UpgradeMadeUp(ctx context.Context, dir string) error {
	_, err := upgrade(ctx, KeepConfig{Dir: dir}, madeUp())
	return err
}

// TestUpgradePath: the steps lead from the first format to the newest without a gap, each once.
func TestUpgradePath(t *testing.T) {
	path := upgrades()
	if path.to != store.Format || len(path.steps) != int(store.Format)-1 {
		t.Fatalf("%d steps to format %d, want %d to %d", len(path.steps), path.to, store.Format-1, store.Format)
	}
	for i, s := range path.steps {
		if s.From != uint32(i+1) || s.What == "" || s.Change == nil {
			t.Errorf("step %d: %+v", i, s)
		}
	}
}
