//go:build unix

package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/server"
)

// run lets a process do an errand and says whether it died on the way.
func run(t *testing.T, e server.Errand) (died bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "KEEPHOLD_LOAD_ROLE=mortal")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(line, '\n')), &said, &said
	err = cmd.Run()
	if err == nil {
		return false
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true
	}
	t.Fatalf("%+v: %v: %s", e, err, said.String())
	return false
}

// clone is a copy of a directory that no process has open.
func clone(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "keep")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, "key"), 0o600); err != nil { // as the umask of a test may not leave it
		t.Fatal(err)
	}
	return to
}

const filled = 12 // secrets that have to be of one state

// stride is how many steps one kill is from the next: one, or several where time is short.
func stride() int {
	if testing.Short() {
		return 4
	}
	return 1
}

func (r *running) fill(value string) {
	r.t.Helper()
	for i := range filled {
		r.put(fmt.Sprintf("fill/%d", i), value+strings.Repeat(fmt.Sprintf("-%d%s", i, value), 8_000))
	}
	r.put("state", value)
}

// state answers which state the keep in dir is in, after it was opened as at any start: one state, of everything, with a log
// that verifies.
func state(t *testing.T, dir string) string {
	t.Helper()
	r := start(t, dir)
	r.token = newRoot(t, r.dev)
	value := r.get("state")
	for i := range filled {
		if got, _, _ := strings.Cut(r.get(fmt.Sprintf("fill/%d", i)), "-"); got != value {
			t.Errorf("fill/%d is of state %q, state of %q", i, got, value)
		}
	}
	r.stop()
	if _, err := audit.Verify(t.Context(), filepath.Join(dir, "audit"), audit.VerifyOptions{}); err != nil {
		t.Errorf("the audit log: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.incoming*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left beside the store: %q, %v", left, err)
	}
	return value
}

// furnished is a keep of state "new" and a snapshot of its state "old".
func furnished(t *testing.T) (dir, snap, token string) {
	t.Helper()
	dir, snap = t.TempDir(), filepath.Join(t.TempDir(), "snapshot")
	r := start(t, dir)
	r.fill("old")
	if err := os.WriteFile(snap, r.must("GET", "sys/storage/raft/snapshot", ""), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fill("new")
	r.stop()
	return dir, snap, r.token
}

// TestRestoreKilledAtEveryStep kills the process that restores, by SIGKILL, after each step of a restore: while the snapshot
// arrives, while the new store is filled, and between all that the swap consists of. What is found afterwards is the
// keep of before, with its sessions, or the restored one, with an epoch of its own; and asking again restores.
func TestRestoreKilledAtEveryStep(t *testing.T) {
	base, snap, token := furnished(t)
	for _, what := range []string{"restore", "restore online"} {
		t.Run(what, func(t *testing.T) {
			seen := map[string]int{}
			for step := 1; ; step += stride() {
				dir := clone(t, base)
				died := run(t, server.Errand{What: what, Dir: dir, Snapshot: snap, Die: step})
				found := state(t, dir)
				seen[found]++
				r := start(t, dir)
				r.token = token
				status, _ := r.do("GET", "secret/data/state", "")
				r.stop()
				if want := map[string]int{"new": 200, "old": 403}[found]; status != want {
					t.Errorf("killed after step %d: state %q, and a token of before gets %d, want %d", step, found, status, want)
				}
				if !died {
					if found != "old" || seen["new"]*stride() < 8 || seen["old"]*stride() < 3 {
						t.Errorf("a restore that nobody killed left %q; states seen: %v", found, seen)
					}
					return
				}
				if run(t, server.Errand{What: what, Dir: dir, Snapshot: snap}); state(t, dir) != "old" {
					t.Errorf("killed after step %d: asking again does not restore", step)
				}
			}
		})
	}
}

// TestForeignRestoreKilledAtEveryStep: the snapshot is of another installation, so the log of the one it replaces has to go
// aside, whenever the process dies. The old keep opens with its key, or the new one with its own.
func TestForeignRestoreKilledAtEveryStep(t *testing.T) {
	base, _, _ := furnished(t)
	foreign, snap, _ := furnished(t)
	for _, what := range []string{"restore", "restore online"} {
		t.Run(what, func(t *testing.T) {
			swapped := 0
			for step := 6 + 1; ; step += stride() { // the steps of reading are as above
				dir := clone(t, base)
				died := run(t, server.Errand{What: what, Dir: dir, Snapshot: snap, Force: true, Die: step})
				if !opens(t, dir) {
					copyFile(t, filepath.Join(foreign, "key"), filepath.Join(dir, "key"))
					swapped++
					if got := state(t, dir); got != "old" {
						t.Errorf("killed after step %d: state %q under the key of the snapshot", step, got)
					}
					if aside, _ := filepath.Glob(filepath.Join(dir, "audit.aside-*")); len(aside) != 1 {
						t.Errorf("killed after step %d: logs set aside: %q, want one", step, aside)
					}
				} else if got := state(t, dir); got != "new" {
					t.Errorf("killed after step %d: state %q under the key of before", step, got)
				}
				if !died {
					break
				}
			}
			if swapped*stride() < 3 {
				t.Errorf("the new store was found only %d times", swapped)
			}
		})
	}
}

// opens says whether the key file in dir is the key of the keep there.
func opens(t *testing.T, dir string) bool {
	t.Helper()
	k, err := server.OpenKeep(server.KeepConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	_, failed := k.UnsealByKeyFile(t.Context(), filepath.Join(dir, "key"))
	if err := k.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return failed == nil
}

// TestRestoreIntoNothingKilledAtEveryStep restores on a new machine: before the swap there is nothing, after it everything.
func TestRestoreIntoNothingKilledAtEveryStep(t *testing.T) {
	base, snap, _ := furnished(t)
	for step := 1; ; step += stride() {
		dir := filepath.Join(t.TempDir(), "keep")
		died := run(t, server.Errand{What: "restore", Dir: dir, Snapshot: snap, Die: step})
		if _, err := os.Stat(filepath.Join(dir, "keephold.db")); err != nil {
			if !died {
				t.Fatalf("nothing was restored: %v", err)
			}
			run(t, server.Errand{What: "restore", Dir: dir, Snapshot: snap})
		}
		copyFile(t, filepath.Join(base, "key"), filepath.Join(dir, "key"))
		if got := state(t, dir); got != "old" {
			t.Errorf("killed after step %d: state %q", step, got)
		}
		if !died {
			return
		}
	}
}

// TestSnapshotKilledAtEveryStep kills the process that takes a scheduled snapshot. A file that has a snapshot's name is whole and
// restores; the snapshot before it is there until the next one is; what was half written goes when the node is back.
func TestSnapshotKilledAtEveryStep(t *testing.T) {
	base, _, _ := furnished(t)
	for step := 1; ; step += stride() {
		dir, kept := clone(t, base), filepath.Join(t.TempDir(), "snapshots")
		earlier := filepath.Join(kept, "keephold-20260101T000000Z.snapshot")
		run(t, server.Errand{What: "snapshot", Dir: dir, Snapshot: kept})
		names, err := filepath.Glob(filepath.Join(kept, "*"))
		if err != nil || len(names) != 1 {
			t.Fatalf("a snapshot: %q, %v", names, err)
		}
		if err := os.Rename(names[0], earlier); err != nil {
			t.Fatal(err)
		}
		died := run(t, server.Errand{What: "snapshot", Dir: dir, Snapshot: kept, Die: step})
		names, err = filepath.Glob(filepath.Join(kept, "keephold-*.snapshot"))
		if err != nil || len(names) == 0 {
			t.Fatalf("killed after step %d: no snapshot is left: %v", step, err)
		}
		for _, name := range names {
			checkWhole(t, name)
		}
		again := run(t, server.Errand{What: "snapshot", Dir: dir, Snapshot: kept})
		all, err := os.ReadDir(kept)
		if err != nil || again || len(all) != 1 || all[0].Name() == filepath.Base(earlier) {
			t.Errorf("killed after step %d, then once more: %v, %v; want the newest alone", step, all, err)
		}
		if !died {
			if step < 5 {
				t.Errorf("a snapshot took only %d steps", step-1)
			}
			return
		}
	}
}

// checkWhole restores a snapshot into nothing.
func checkWhole(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := server.RestoreFile(t.Context(), server.KeepConfig{Dir: filepath.Join(t.TempDir(), "keep")}, f, custody.RestoreOptions{}); err != nil {
		t.Errorf("%s: %v", filepath.Base(name), err)
	}
}

// TestSnapshotOfAServerThatDies: what a client has of a snapshot when the server is killed is not taken for a whole one, by
// the client or by a restore.
func TestSnapshotOfAServerThatDies(t *testing.T) {
	_, snap, _ := furnished(t)
	whole, err := os.ReadFile(snap)
	if err != nil {
		t.Fatal(err)
	}
	for parts := range 16 {
		cut := whole[:len(whole)*parts/16]
		dir := filepath.Join(t.TempDir(), "keep")
		_, err := server.RestoreFile(t.Context(), server.KeepConfig{Dir: dir}, bytes.NewReader(cut), custody.RestoreOptions{})
		if err == nil {
			t.Errorf("%d of %d bytes were taken for a snapshot", len(cut), len(whole))
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "keephold.db*")); len(left) > 0 {
			t.Errorf("a refused snapshot left %q", left)
		}
	}
}

// TestShredKilledAtEveryStep: a shredding that died is taken up again and leaves nothing but the log, which verifies.
func TestShredKilledAtEveryStep(t *testing.T) {
	base, _, _ := furnished(t)
	for step := 1; ; step++ {
		dir := clone(t, base)
		died := run(t, server.Errand{What: "shred", Dir: dir, Die: step})
		if died {
			b, err := os.ReadFile(filepath.Join(dir, "key"))
			if keyed := err == nil && bytes.Contains(b, []byte("keephold-seal-key")); keyed && !opens(t, dir) {
				t.Errorf("killed after step %d: the store is destroyed before its key", step)
			}
			left, err := filepath.Glob(filepath.Join(dir, "[kn]*")) // key, keephold.db…, node
			if err != nil {
				t.Fatal(err)
			}
			if len(left) > 0 {
				run(t, server.Errand{What: "shred", Dir: dir})
			}
		}
		names, err := filepath.Glob(filepath.Join(dir, "keephold.db*"))
		if err != nil || len(names) > 0 {
			t.Errorf("killed after step %d: left %q, %v", step, names, err)
		}
		if _, err := audit.Verify(t.Context(), filepath.Join(dir, "audit"), audit.VerifyOptions{}); err != nil {
			t.Errorf("killed after step %d: the audit log: %v", step, err)
		}
		if !died {
			if step < 5 {
				t.Errorf("a shredding took only %d steps", step-1)
			}
			return
		}
	}
}
