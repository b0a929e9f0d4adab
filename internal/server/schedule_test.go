package server_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/server"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// TestScheduledSnapshots: they come, older ones go, foreign files stay, and the newest restores.
func TestScheduledSnapshots(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	home, dir := t.TempDir(), filepath.Join(t.TempDir(), "snapshots")
	k, err := server.OpenKeep(server.KeepConfig{Dir: home})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.UnsealByKeyFile(ctx, filepath.Join(home, "key")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{
		Keep: k, Listeners: []net.Listener{l}, Snapshot: server.SnapshotFile{Every: server.Duration(1100 * time.Millisecond), Keep: 2, Dir: dir},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	first := ""
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		names, err := filepath.Glob(filepath.Join(dir, "keephold-*.snapshot"))
		if err != nil || time.Now().After(until) {
			t.Fatalf("snapshots did not come: %q, %v", names, err)
		}
		if first == "" && len(names) > 0 {
			first = names[0]
		}
		if len(names) == 2 && names[0] != first {
			break
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) != 3 {
		t.Errorf("got %q, want two snapshots and the notes", names)
	}
	b, err := os.ReadFile(names[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.RestoreFile(t.Context(), server.KeepConfig{Dir: home}, bytes.NewReader(b), custody.RestoreOptions{}); err != nil {
		t.Error(err)
	}
}

// TestNewerFormat: a store of a newer format is refused with what to do, and stays as it is.
func TestNewerFormat(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keephold.db")
	e, err := bolt.Open(file, bolt.Options{Installation: "x"})
	if err == nil {
		err = e.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { // as a newer release would have left it
		return tx.Bucket([]byte("meta")).Put([]byte("header"), []byte(`{"installation":"x","min_reader":2,"min_writer":2,"new":true}`))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"open":    func() error { _, err := server.OpenKeep(server.KeepConfig{Dir: dir}); return err },
		"upgrade": func() error { _, err := server.Upgrade(t.Context(), server.KeepConfig{Dir: dir}); return err },
	} {
		err := open()
		var format *store.FormatError
		if !errors.As(err, &format) || format.Want != store.Format+1 || server.FaultOf(err) != server.FaultBadData {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestFormat1 opens, for ever, what the first release wrote: a store with its key file and audit log, and a snapshot of it.
// In it are secret/app (two versions, the first destroyed), secret/team/db, and a removed secret.
func TestFormat1(t *testing.T) {
	stored := filepath.Join(t.TempDir(), "keep")
	if err := os.CopyFS(stored, os.DirFS(filepath.Join("testdata", "format-1", "keep"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(stored, "key"), 0o600); err != nil { // git keeps no modes
		t.Fatal(err)
	}
	restored := t.TempDir()
	snap, err := os.Open(filepath.Join("testdata", "format-1", "keephold.snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if _, err := server.RestoreFile(t.Context(), server.KeepConfig{Dir: restored}, snap, custody.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(stored, "key"), filepath.Join(restored, "key"))
	for name, dir := range map[string]string{"store": stored, "snapshot": restored} {
		t.Run(name, func(t *testing.T) {
			if up, err := server.Upgrade(t.Context(), server.KeepConfig{Dir: dir}); err != nil || up.From != 1 {
				t.Errorf("upgrade: got %+v, %v", up, err)
			}
			r := start(t, dir)
			r.token = newRoot(t, r.dev)
			if got := r.get("app") + " " + r.get("team/db") + " " + r.get("removed"); got != "second other " {
				t.Errorf("got %q", got)
			}
			desk := server.DeskOf(r.dev.Server)
			local, err := desk.Local()
			if err != nil {
				t.Fatal(err)
			}
			report, err := desk.Verify(t.Context(), local, nil)
			if err != nil || len(report.Damage) != 0 || report.Heads != 2 {
				t.Errorf("verify: got %+v, %v", report, err)
			}
		})
	}
}
