package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/bolt"
)

// The test binary is the victim of a kill when one of these is set.
const (
	childEnv = "KEEPHOLD_STORE_TEST_CHILD" // a store to write to
	makerEnv = "KEEPHOLD_STORE_TEST_MAKER" // a directory to make stores in
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := victim(path); err != nil {
			panic(err)
		}
		return
	}
	if dir := os.Getenv(makerEnv); dir != "" {
		if err := maker(dir); err != nil {
			panic(err)
		}
	}
	m.Run()
}

const killWriters = 64

func headKey(w int) string       { return fmt.Sprintf("head/%02d", w) }
func versionKey(w, n int) string { return fmt.Sprintf("version/%02d/%08d", w, n) }

// victim writes as fast as it can and says what was acknowledged, until it is killed. Each writer makes version after version of its
// own secret: the version and the head that names it, in one Apply.
func victim(path string) error {
	e, err := bolt.Open(path, bolt.Options{Command: "victim"})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for w := range killWriters {
		wg.Go(func() {
			n, rev, err := headOf(e, w)
			for err == nil {
				n++
				text := []byte(fmt.Sprint(n))
				rev, err = e.Apply(context.Background(), []store.Op{
					{Key: headKey(w), Value: text, Expect: store.Expect(rev)},
					{Key: versionKey(w, n), Value: append(text, strings.Repeat(".", 300)...), Expect: store.Expect(0)},
				})
				if err == nil {
					_, err = fmt.Printf("%d %d %d\n", w, n, rev) // one write to a pipe
				}
			}
			fmt.Println("error", err)
		})
	}
	wg.Wait()
	return errors.New("all writers ended")
}

func headOf(e *bolt.Engine, w int) (int, store.Revision, error) {
	entries, _, err := e.Get(context.Background(), 0, headKey(w))
	if err != nil || entries[0].Rev == 0 {
		return 0, 0, err
	}
	n := 0
	_, err = fmt.Sscan(string(entries[0].Value), &n)
	return n, entries[0].Rev, err
}

// TestTortureKill kills a process under 64 writers, again and again on one file: no acknowledged version is lost, none is half there, no
// number is used twice.
func TestTortureKill(t *testing.T) {
	type version struct{ w, n int }
	var path string
	var acked map[version]store.Revision
	for round := range rounds(t, 3) {
		if round%10 == 0 { // everything is looked at each time
			path, acked = filepath.Join(t.TempDir(), "store.db"), map[version]store.Revision{}
		}
		lines, locked := killOnce(t, path)
		for _, line := range lines {
			var v version
			var rev store.Revision
			if _, err := fmt.Sscan(line, &v.w, &v.n, &rev); err != nil {
				t.Fatalf("the victim says %q", line)
			}
			if _, twice := acked[v]; twice {
				t.Fatalf("version %v acknowledged twice", v)
			}
			acked[v] = rev
		}
		var held *store.LockedError
		if !errors.As(locked, &held) || held.PID == 0 || held.Command != "victim" {
			t.Errorf("while the victim had the file: got %v, want its name", locked)
		}
		e, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for v, rev := range acked {
			if entries, _, err := e.Get(t.Context(), 0, versionKey(v.w, v.n)); err != nil || entries[0].Rev != rev {
				t.Fatalf("round %d: acknowledged %v at revision %d, found %d, %v", round, v, rev, entries[0].Rev, err)
			}
		}
		for w := range killWriters {
			n, rev, err := headOf(e, w)
			versions, _, err2 := e.List(t.Context(), store.Query{Prefix: fmt.Sprintf("version/%02d/", w), KeysOnly: true})
			if err != nil || err2 != nil || len(versions) != n {
				t.Fatalf("round %d, writer %d: head %d, %d versions, %v %v", round, w, n, len(versions), err, err2)
			}
			if n > 0 && versions[n-1].Rev != rev {
				t.Errorf("round %d, writer %d: head of revision %d, its version of %d", round, w, rev, versions[n-1].Rev)
			}
		}
		if err := errors.Join(e.Check(t.Context()), e.Close()); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d versions acknowledged in the last store", len(acked))
}

// killOnce runs a victim for a while, kills it, and returns the acknowledgements, and what opening the file meanwhile answered.
func killOnce(t *testing.T, path string) (lines []string, locked error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	after := time.Duration(100+rand.IntN(300)) * time.Millisecond
	for in.Scan() {
		if len(lines) == 0 {
			_, locked = bolt.Open(path, bolt.Options{LockTimeout: -1})
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		lines = append(lines, in.Text())
	}
	_ = cmd.Wait()
	if len(lines) == 0 {
		t.Fatal("the victim acknowledged nothing")
	}
	return lines, locked
}

func storeName(dir string, n int) string { return filepath.Join(dir, "sub", fmt.Sprintf("%05d.db", n)) }

// maker makes store after store until it is killed.
func maker(dir string) error {
	for n := 0; ; n++ {
		e, err := bolt.Open(storeName(dir, n), bolt.Options{Installation: "made"})
		if err != nil {
			return err
		}
		fmt.Println(n)
		if err := e.Close(); err != nil {
			return err
		}
	}
}

// TestTortureKillWhileMaking: a process that is killed while it makes a store leaves a whole one or none.
func TestTortureKillWhileMaking(t *testing.T) {
	for range rounds(t, 5) {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), makerEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		made := 0
		for in := bufio.NewScanner(out); in.Scan(); made++ {
			if made == 0 {
				time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		if made == 0 {
			t.Fatal("no store was made")
		}
		for n := range made + 1 { // the last may be there or not: it can be made either way
			name := storeName(dir, n)
			if _, err := os.Stat(name); err != nil && n < made {
				t.Errorf("store %d of %d: %v", n, made, err)
			}
			e, err := bolt.Open(name, bolt.Options{Installation: "made"})
			if err != nil {
				t.Fatalf("store %d of %d: %v", n, made, err)
			}
			if h, err := e.Header(t.Context()); err != nil || h.Installation != "made" {
				t.Errorf("store %d of %d: header %+v, %v", n, made, h, err)
			}
			mustApply(t, e, one("a", "1")...)
			_ = e.Close()
		}
	}
}
