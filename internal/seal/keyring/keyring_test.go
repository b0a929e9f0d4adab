package keyring_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	lib "github.com/zalando/go-keyring"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyring"
	"github.com/keephold/keephold/internal/seal/sealtest"
)

func session(string) string { return "somewhere" }

func made(t *testing.T, account string) *keyring.Wrapper {
	t.Helper()
	w := keyring.New(account, session)
	if err := w.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func contract(t *testing.T) {
	t.Helper()
	sealtest.TestWrapper(t, func(t *testing.T) (w, same, other seal.Wrapper) {
		one := made(t, "one")
		return one, keyring.New("one", session), made(t, "two")
	})
}

// The contract on the library's keyring in memory; TestSecretService runs it on a real one.
func TestWrapper(t *testing.T) {
	lib.MockInit()
	contract(t)
	if _, err := keyring.New("never made", session).Unwrap(t.Context(), []byte("blob")); !errors.Is(err, keyring.ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	if err := lib.Set("keephold", "junk", "no key at all"); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.New("junk", session).Wrap(t.Context(), bytes.Repeat([]byte{1}, 32)); !errors.Is(err, seal.ErrWrongKey) || strings.Contains(err.Error(), "at all") {
		t.Errorf("with junk in the keyring: %v", err)
	}
}

func TestNoKeyring(t *testing.T) {
	lib.MockInitWithError(errors.New("locked, and nobody to ask"))
	w := keyring.New("one", session)
	if err := w.Create(t.Context()); !errors.Is(err, keyring.ErrAbsent) {
		t.Errorf("create: %v", err)
	}
	if _, err := w.Unwrap(t.Context(), []byte("blob")); !errors.Is(err, keyring.ErrAbsent) {
		t.Errorf("unwrap: %v", err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := w.Create(ended); err == nil {
		t.Error("create after the end of its context")
	}
	if runtime.GOOS == "linux" {
		if err := keyring.New("one", func(string) string { return "" }).Create(t.Context()); !errors.Is(err, keyring.ErrAbsent) {
			t.Errorf("without a session: %v", err)
		}
	}
}

// TestSecretService runs the contract on GNOME Keyring over a D-Bus session of its own.
func TestSecretService(t *testing.T) {
	if os.Getenv("KEEPHOLD_TEST_INNER") != "" {
		contract(t)
		w := keyring.New("one", os.Getenv)
		if err := w.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Unwrap(t.Context(), []byte("blob")); !errors.Is(err, keyring.ErrNoKey) {
			t.Errorf("after Forget: %v", err)
		}
		return
	}
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := t.TempDir()
	script := `eval "$(printf pw | gnome-keyring-daemon --unlock --components=secrets)" && "$0" -test.run='^TestSecretService$' -test.v`
	cmd := exec.CommandContext(t.Context(), "dbus-run-session", "--", "sh", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), "KEEPHOLD_TEST_INNER=1", "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "XDG_DATA_HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestSecretService")) {
		t.Errorf("%v\n%s", err, out)
	}
}
