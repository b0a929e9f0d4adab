package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/audit"
)

func seed(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

// ringOf is the keys after the seeds up to n were in use, one after the other.
func ringOf(n byte) audit.Keys {
	k := audit.Keys{SigningSeed: seed(n), HMAC: func([]byte) [32]byte { return [32]byte{n} }}
	for b := byte(1); b < n; b++ {
		k.Earlier = append(k.Earlier, seed(b))
	}
	return k
}

func openAt(t *testing.T, dir string) *audit.Log {
	t.Helper()
	l, err := audit.Open(audit.Config{Dir: dir, Origin: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func recordSome(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.AppendSync(context.Background(), &audit.Event{Kind: audit.Read, Action: fmt.Sprint("read-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Checkpoint(context.Background()); err != nil && !errors.Is(err, audit.ErrLocked) {
		t.Fatal(err)
	}
}

func unlockWith(t *testing.T, l *audit.Log, n byte) {
	t.Helper()
	if err := l.Unlock(ringOf(n)); err != nil {
		t.Fatal(err)
	}
}

// TestKeysSucceed: the key that signs changes, while the log serves and between two starts. Whoever trusts the first verifies all
// of it, and whoever trusts the newest what it signed; a key that nobody announced is refused.
func TestKeysSucceed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := openAt(t, dir)
	unlockWith(t, l, 1)
	first := l.PublicKey()
	recordSome(t, l, 3)
	unlockWith(t, l, 2) // while it serves
	recordSome(t, l, 3)
	if err := errors.Join(l.Lock(), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	unlockWith(t, l, 4) // over two at once, at a start
	recordSome(t, l, 300)
	last := l.PublicKey()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rep, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{first}})
	if err != nil || rep.Covered != rep.Records || rep.Checkpoints < 5 {
		t.Errorf("with the first key: %+v, %v", rep, err)
	}
	if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{last, first}}); err != nil {
		t.Errorf("with both: %v", err)
	}
	other := openAt(t, filepath.Join(t.TempDir(), "other"))
	unlockWith(t, other, 9)
	if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{other.PublicKey()}}); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("with a stranger's key: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}

// TestUnannouncedKey: somebody with a key of their own goes on with the log. Nothing that the first key signed vouches for theirs,
// not even a record of theirs that says so.
func TestUnannouncedKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := openAt(t, dir)
	unlockWith(t, l, 1)
	first := l.PublicKey()
	recordSome(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openAt(t, dir)
	theirs := openAt(t, filepath.Join(t.TempDir(), "theirs"))
	unlockWith(t, theirs, 9)
	e := audit.Event{Kind: audit.SystemEvent, Action: "signing-key", Links: []audit.Pair{{Name: "key", Value: theirs.PublicKey()}}}
	if err := l.AppendSync(context.Background(), &e); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(audit.Keys{SigningSeed: seed(9), HMAC: func([]byte) [32]byte { return [32]byte{} }}); err != nil {
		t.Fatal(err)
	}
	recordSome(t, l, 3)
	if err := errors.Join(l.Close(), theirs.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{PublicKeys: []string{first}}); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("a log that a stranger went on with: %v", err)
	}
}

// TestKeysSucceedAfterACrash: the process died after the announcement, and after the last signature of the old key.
func TestKeysSucceedAfterACrash(t *testing.T) {
	for _, signed := range []bool{false, true} {
		t.Run(fmt.Sprint("signed ", signed), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			l := openAt(t, dir)
			unlockWith(t, l, 1)
			first := l.PublicKey()
			recordSome(t, l, 3)
			if !signed {
				if err := l.Lock(); err != nil {
					t.Fatal(err)
				}
			}
			next := openAt(t, filepath.Join(t.TempDir(), "next"))
			unlockWith(t, next, 2)
			e := audit.Event{Kind: audit.SystemEvent, Action: "signing-key", Links: []audit.Pair{{Name: "key", Value: next.PublicKey()}}}
			if err := l.AppendSync(context.Background(), &e); err != nil {
				t.Fatal(err)
			}
			if signed {
				recordSome(t, l, 0)
			}
			image := filepath.Join(t.TempDir(), "image")
			if err := os.CopyFS(image, os.DirFS(dir)); err != nil { // as the kill leaves it
				t.Fatal(err)
			}
			if err := errors.Join(l.Close(), next.Close(), os.Chmod(image, 0o700)); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(image, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files { // git and copies keep no modes
				if info, err := os.Lstat(f); err == nil && info.Mode().IsRegular() {
					if err := os.Chmod(f, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			l = openAt(t, image)
			unlockWith(t, l, 2)
			recordSome(t, l, 3)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			rep, err := audit.Verify(context.Background(), image, audit.VerifyOptions{PublicKeys: []string{first}})
			if err != nil || rep.Covered != rep.Records {
				t.Errorf("got %+v, %v", rep, err)
			}
		})
	}
}
