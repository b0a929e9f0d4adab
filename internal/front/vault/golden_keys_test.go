package vault_test

import (
	"context"
	"os"
	"testing"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/front/vault"
	"github.com/keephold/keephold/internal/store/mem"
)

// TestGoldenKeys replays the ceremony around the root key, which begins with a store that has no keys.
func TestGoldenKeys(t *testing.T) {
	const file = "testdata/keys/ceremony.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Config{Dir: t.TempDir() + "/audit", Origin: "test"})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := custody.Open(custody.Config{Engine: mem.New(), Log: log, Installation: "test", Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := desk.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	front, err := vault.New(vault.Config{Desk: desk, Version: "0.0.0-test", Node: "n1", Storage: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	k := &keep{t: t, desk: desk, front: front, vars: map[string]string{"ROOT": ""}}
	got := k.replay(string(want))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(want) {
		t.Errorf("%s: the answers differ, see what -update changes\n%s", file, firstDifference(got, string(want)))
	}
}
