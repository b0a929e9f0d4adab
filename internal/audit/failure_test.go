package audit_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
)

// patience bounds what is waited for; nothing waits longer than it must.
const patience = 2 * time.Minute

// refusal appends until the log says no.
func refusal(t *testing.T, l *audit.Log) error {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := l.Append(context.Background(), event(1)); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the log goes on")
	return nil
}

func TestLostFileIsNoticedAndRecovered(t *testing.T) {
	tests := []struct {
		name       string
		break_     func(t *testing.T, file string)
		mend       func(t *testing.T, file string) // nil: Reopen must go on refusing
		stillWants error
	}{
		{"removed", func(t *testing.T, file string) { must(t, os.Remove(file)) }, nil, audit.ErrTruncated},
		{"moved away and back",
			func(t *testing.T, file string) { must(t, os.Rename(file, file+".old")) },
			func(t *testing.T, file string) { must(t, os.Rename(file+".old", file)) }, nil},
		{"replaced by an empty file",
			func(t *testing.T, file string) {
				must(t, os.Remove(file))
				must(t, os.WriteFile(file, nil, 0o600))
			}, nil, audit.ErrTruncated},
		{"replaced by a copy",
			func(t *testing.T, file string) {
				b, err := os.ReadFile(file)
				must(t, err)
				must(t, os.Rename(file, file+".old"))
				must(t, os.WriteFile(file, b, 0o600))
			},
			func(t *testing.T, file string) { must(t, os.Rename(file+".old", file)) }, nil},
		{"truncated", func(t *testing.T, file string) { must(t, os.Truncate(file, 1000)) }, nil, audit.ErrTruncated},
		{"truncated to nothing", func(t *testing.T, file string) { must(t, os.Truncate(file, 0)) }, nil, audit.ErrTruncated},
		{"directory removed", func(t *testing.T, file string) { must(t, os.RemoveAll(filepath.Dir(file))) }, nil, audit.ErrTruncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			cfg := config(dir)
			told := make(chan error, 1)
			cfg.OnError = func(err error) { told <- err }
			l := open(t, cfg)
			unlock(t, l)
			appendN(t, l, 0, 20)
			if _, err := l.Checkpoint(context.Background()); err != nil {
				t.Fatal(err)
			}
			file := firstSegment(t, dir)
			time.Sleep(5 * time.Millisecond) // idle: the very next append must notice
			tt.break_(t, file)
			err := l.Append(context.Background(), event(20))
			if !errors.Is(err, audit.ErrUnavailable) {
				t.Fatalf("append: got %v, want ErrUnavailable", err)
			}
			if err := l.AppendSync(context.Background(), event(20)); !errors.Is(err, audit.ErrUnavailable) {
				t.Fatalf("append and sync: got %v, want ErrUnavailable", err)
			}
			if err := <-told; !errors.Is(err, audit.ErrUnavailable) {
				t.Fatalf("told: %v", err)
			}
			if tt.mend == nil {
				if err := l.Reopen(); !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, tt.stillWants) {
					t.Fatalf("reopen: got %v, want %v", err, tt.stillWants)
				}
				for name, err := range everyCall(l) {
					if !errors.Is(err, audit.ErrUnavailable) {
						t.Errorf("%s on a log that is down: got %v, want ErrUnavailable", name, err)
					}
				}
				must(t, l.Close())
				for name, err := range everyCall(l) {
					if !errors.Is(err, audit.ErrClosed) {
						t.Errorf("%s on a closed log: got %v, want ErrClosed", name, err)
					}
				}
				return
			}
			tt.mend(t, file)
			if err := l.Reopen(); err != nil {
				t.Fatalf("reopen: %v", err)
			}
			if err := l.AppendSync(context.Background(), event(20)); err != nil {
				t.Fatalf("append after reopen: %v", err)
			}
		})
	}
}

func everyCall(l *audit.Log) map[string]error {
	ctx := context.Background()
	e := event(1)
	e.ID = "once"
	_, rootErr := l.Root()
	_, _, headErr := l.Head(ctx)
	_, checkpointErr := l.Checkpoint(ctx)
	return map[string]error{
		"Root": rootErr, "Head": headErr, "Checkpoint": checkpointErr,
		"Append": l.Append(ctx, e), "AppendSync": l.AppendSync(ctx, e),
		"AppendOnce": l.AppendOnce(ctx, []audit.OutboxRecord{{ID: "once", Data: e.AppendJSON(nil)}}),
		"Reopen":     l.Reopen(),
	}
}

func TestLostFileIsNoticedUnderLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	appendN(t, l, 0, 20)
	must(t, os.Remove(firstSegment(t, dir)))
	err := refusal(t, l) // from the writer, or from the reader behind it: whoever comes first
	if !strings.Contains(err.Error(), "removed or replaced") && !errors.Is(err, audit.ErrTruncated) {
		t.Fatalf("got %v", err)
	}
}

func TestLogComesBackByItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := config(dir)
	cfg.ReopenEvery = 5 * time.Millisecond
	l := open(t, cfg)
	appendN(t, l, 0, 20)
	file := firstSegment(t, dir)
	must(t, os.Rename(file, file+".old"))
	_ = refusal(t, l)
	time.Sleep(30 * time.Millisecond)
	if err := l.Append(context.Background(), event(20)); !errors.Is(err, audit.ErrUnavailable) {
		t.Fatalf("it came back without its file: %v", err)
	}
	must(t, os.Rename(file+".old", file))
	for end := time.Now().Add(patience); l.Append(context.Background(), event(20)) != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come back: %v", l.Err())
		}
	}
	must(t, l.Close())
}

func TestSetAsideBeginsANewLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	unlock(t, l)
	appendN(t, l, 0, 20)
	must(t, l.Close())
	must(t, os.Truncate(firstSegment(t, dir), 1000))
	if _, err := audit.Open(config(dir)); !errors.Is(err, audit.ErrTruncated) {
		t.Fatalf("open: got %v, want ErrTruncated", err)
	}
	moved, err := audit.SetAside(dir)
	must(t, err)
	if _, err := os.Stat(filepath.Join(moved, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if l := open(t, config(dir)); l.Size() != 0 {
		t.Fatalf("got %d records in the new log", l.Size())
	}
}

func TestTornTailIsCutAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, config(dir))
	appendN(t, l, 0, 50)
	must(t, l.Close())
	file := firstSegment(t, dir)
	whole, err := os.ReadFile(file)
	must(t, err)
	last := frameAt(whole, 49)
	junk := map[string][]byte{
		"half a record":    whole[last : last+100],
		"one byte":         {1},
		"zeros":            make([]byte, 5000),
		"a record of junk": append([]byte{0, 8}, "{\"a\":x}\n"...),
	}
	for name, tail := range junk {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			must(t, os.CopyFS(dir, os.DirFS(filepath.Dir(file))))
			edit(t, filepath.Join(dir, filepath.Base(file)), func(b []byte) []byte { return append(b, tail...) })
			l := open(t, config(dir))
			unlock(t, l)
			if l.Size() != 51 {
				t.Fatalf("got %d records, want 50 and one about the repair", l.Size())
			}
			for e, err := range l.Events(context.Background(), 50) {
				if err != nil || e.Event.Action != "tail-repaired" || e.Event.Kind != audit.SystemEvent {
					t.Fatalf("got %+v, %v", e, err)
				}
			}
			kept, err := filepath.Glob(filepath.Join(dir, "torn-*"))
			if err != nil || len(kept) != 1 {
				t.Fatalf("got %v, %v, want one file", kept, err)
			}
			if b, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(b, tail) {
				t.Fatalf("kept %q, %v", b, err)
			}
			appendN(t, l, 50, 60)
			public := l.PublicKey()
			must(t, l.Close())
			if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{public}}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What a checkpoint covers was durable: damage there is no crash.
func TestDamageUnderTheCheckpointIsNotRepaired(t *testing.T) {
	dir, _, _ := signedLog(t)
	must(t, os.Remove(filepath.Join(dir, "head"))) // all records are read again
	edit(t, firstSegment(t, dir), func(b []byte) []byte { b[frameAt(b, 650)+2] = 'x'; return b })
	if _, err := audit.Open(config(dir)); !errors.Is(err, audit.ErrTampered) || !errors.Is(err, audit.ErrUnavailable) {
		t.Fatalf("got %v, want ErrTampered", err)
	}
}

func TestFullDiskRefusesAndComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := config(dir)
	room := 10_000
	audit.SetWrite(&cfg, func(f *os.File, b []byte) (int, error) {
		if len(b) > room {
			n, _ := f.Write(b[:room]) // a part fits, as on a real disk
			room = 0
			return n, syscall.ENOSPC
		}
		room -= len(b)
		return f.Write(b)
	})
	l := open(t, cfg)
	unlock(t, l)
	err := refusal(t, l)
	if !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want ErrUnavailable with ENOSPC", err)
	}
	size := l.Size()
	if err := l.Append(context.Background(), event(1)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the next append: got %v", err)
	}
	room = 1 << 20
	must(t, l.Reopen())
	if l.Size() != size {
		t.Fatalf("got %d records after reopen, want %d", l.Size(), size)
	}
	appendN(t, l, 0, 10)
	public := l.PublicKey()
	must(t, l.Close())
	rep, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{public}})
	if err != nil || rep.Records != size+10 {
		t.Fatalf("got %d records, %v, want %d", rep.Records, err, size+10)
	}
}

// Advisory class "audit file as a weapon": the log must not be steered into writing somewhere else, or with
// modes that let others read it or run it.
func TestAuditFileIsNoWeapon(t *testing.T) {
	t.Run("directory is a link", func(t *testing.T) {
		target, link := t.TempDir(), filepath.Join(t.TempDir(), "audit")
		must(t, os.Symlink(target, link))
		if _, err := audit.Open(config(link)); !errors.Is(err, audit.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
	})
	t.Run("directory is open to others", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "audit")
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chmod(dir, 0o777))
		if _, err := audit.Open(config(dir)); !errors.Is(err, audit.ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
	})
	for _, name := range []string{"000000000000-00000000000000.log", "hash.0", "bundle.idx", "once.idx", "lock", "checkpoint"} {
		t.Run("file is a link: "+name, func(t *testing.T) {
			dir, victim := filepath.Join(t.TempDir(), "audit"), filepath.Join(t.TempDir(), "victim")
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.WriteFile(victim, []byte("precious"), 0o600))
			must(t, os.Symlink(victim, filepath.Join(dir, name)))
			if _, err := audit.Open(config(dir)); !errors.Is(err, audit.ErrUnavailable) {
				t.Fatalf("got %v, want ErrUnavailable", err)
			}
			if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
				t.Fatalf("the file behind the link holds %q, %v", b, err)
			}
		})
	}
	t.Run("modes", func(t *testing.T) {
		dir, _, _ := signedLog(t)
		info, err := os.Stat(dir)
		must(t, err)
		if info.Mode().Perm() != 0o700 {
			t.Errorf("directory: mode %#o", info.Mode().Perm())
		}
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			info, err := e.Info()
			must(t, err)
			if info.Mode() != 0o600 {
				t.Errorf("%s: mode %v", e.Name(), info.Mode())
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
