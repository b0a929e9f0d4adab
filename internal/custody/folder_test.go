package custody_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

func (k *keep) write(path, value string) error {
	_, err := k.desk.Write(k.t.Context(), k.local(), ref(k.t, path), custody.Put{Value: secret.NewValue([]byte(value)), Kind: secret.Text})
	return err
}

func (k *keep) putText(path, value string) {
	k.t.Helper()
	if err := k.write(path, value); err != nil {
		k.t.Fatal(err)
	}
}

// TestReadFolder: a folder of any size takes a handful of questions to the engine, whatever is cached, and holds the
// texts that can be read.
func TestReadFolder(t *testing.T) {
	k, parts := furnished(t)
	const many = 300
	for i := range many {
		k.putText(fmt.Sprintf("env/K%03d", i), fmt.Sprint("old ", i))
		k.putText(fmt.Sprintf("env/K%03d", i), fmt.Sprint("value ", i))
	}
	k.put("env/MAP", `{"a":"b"}`)
	k.putText("env/sub/KEY", "not a direct child")
	k.putText("env/GONE", "x")
	if err := k.desk.Delete(t.Context(), k.local(), ref(t, "env/GONE")); err != nil {
		t.Fatal(err)
	}
	read := func() (custody.FolderReading, error) {
		return k.desk.ReadFolder(t.Context(), k.local(), ref(t, "env"), many)
	}
	k.start(-1, false)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"nothing cached", "everything cached", "something cached"} {
		if state == "something cached" {
			k.putText("env/K007", "value 7")
		}
		before := k.mortal.asked
		r, err := read()
		if err != nil {
			t.Fatal(err)
		}
		if asked := k.mortal.asked - before; asked > 1+3*runtime.GOMAXPROCS(0) { // each processor asks for its part
			t.Errorf("%s: %d questions to the engine", state, asked)
		}
		if len(r.Children) != many {
			t.Fatalf("%s: %d children, want %d", state, len(r.Children), many)
		}
		for i, c := range r.Children {
			if c.Name != fmt.Sprintf("K%03d", i) || string(c.Value.Reveal()) != fmt.Sprint("value ", i) || c.Version < 2 {
				t.Fatalf("%s: child %d is %s@%d with another value", state, i, c.Name, c.Version)
			}
		}
	}
	if _, err := k.desk.ReadFolder(t.Context(), k.local(), ref(t, "env"), many-1); !errors.Is(err, secret.ErrTooLarge) {
		t.Errorf("one more than allowed: %v", err)
	}
	if _, err := k.desk.ReadFolder(t.Context(), k.local(), ref(t, "env"), 10); !errors.Is(err, secret.ErrTooLarge) {
		t.Errorf("more names than are looked at: %v", err)
	}
}

// TestReadFolderBesideWriters: what a folder read leaves in the cache is never older than a commit that came meanwhile.
func TestReadFolderBesideWriters(t *testing.T) {
	k, _ := furnished(t)
	for i := range 8 {
		k.putText(fmt.Sprint("env/", i), "0")
	}
	for round := range 200 {
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				if err := k.write(fmt.Sprint("env/", i), fmt.Sprint(round)); err != nil {
					t.Error(err)
				}
			})
		}
		if _, err := k.desk.ReadFolder(t.Context(), k.local(), ref(t, "env"), 10); err != nil {
			t.Fatal(err)
		}
		writers.Wait()
		r, err := k.desk.ReadFolder(t.Context(), k.local(), ref(t, "env"), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Children[:4] {
			if got := string(c.Value.Reveal()); got != fmt.Sprint(round) {
				t.Fatalf("round %d: %s is %s", round, c.Name, got)
			}
		}
	}
}

// TestFingerprints: the same text has the same fingerprint anywhere in the keep, another has another, also in another keep,
// and who may not read may not compare.
func TestFingerprints(t *testing.T) {
	k, _ := furnished(t)
	other, _ := furnished(t)
	for path, text := range map[string]string{"a/X": "same", "a/Y": "one", "b/X": "same", "b/Y": "two"} {
		k.putText(path, text)
		other.putText(path, text)
	}
	of := func(k *keep, folder string) map[string]string {
		all, err := k.desk.Fingerprints(t.Context(), k.local(), ref(t, folder), 10)
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		return map[string]string{all[0].Name: all[0].Text, all[1].Name: all[1].Text}
	}
	a, b := of(k, "a"), of(k, "b")
	if a["X"] != b["X"] || a["Y"] == b["Y"] || a["X"] == a["Y"] || len(a["X"]) != 32 {
		t.Errorf("got %v and %v", a, b)
	}
	if of(other, "a")["X"] == a["X"] {
		t.Error("another keep has the same fingerprint")
	}
	issued, err := custody.Do(t.Context(), k.desk, k.local(), auth.Create{OrphanPath: true, Policies: []string{"default"}, DisplayName: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.desk.Fingerprints(t.Context(), k.known(issued), ref(t, "a"), 10); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("without a grant: %v", err)
	}
}
