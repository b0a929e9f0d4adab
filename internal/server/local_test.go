package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/ownkey"
	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/recovery"
)

// localEnv is an environment without a keyring.
func localEnv(more map[string]string) func(string) string {
	return func(name string) string { return more[name] }
}

func askLocal(t *testing.T, l *Local, method, path, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, "http://local"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := l.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func closeLocal(t *testing.T, l *Local) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// fillLocal makes a keep with one value and answers its recovery key.
func fillLocal(t *testing.T, cfg LocalConfig) string {
	t.Helper()
	l, err := OpenLocal(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLocal(t, l)
	if status := askLocal(t, l, "PUT", "/v1/keephold/value/secret/A", `{"text":"hunter2"}`); status != http.StatusOK {
		t.Fatalf("write: %d", status)
	}
	key, err := l.RecoveryKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(key.Reveal())
}

func TestLocalSeals(t *testing.T) {
	phrase := filepath.Join(t.TempDir(), "phrase")
	if err := os.WriteFile(phrase, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env  map[string]string
		want string
		typd string
		kind string
	}{
		"a key file where there is no keyring":    {want: seal.KindKeyFile},
		"a passphrase where its file is named":    {env: map[string]string{ownkey.PassphraseFile: phrase}, want: seal.KindPassphrase},
		"a passphrase that is typed when wished":  {kind: seal.KindPassphrase, typd: "typed horse battery", want: seal.KindPassphrase},
		"a key file for a keyring that is a void": {env: map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}, want: seal.KindKeyFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere") // the library looks there, whatever was asked for
			cfg := LocalConfig{Dir: filepath.Join(t.TempDir(), "keep"), Version: "test", Getenv: localEnv(tt.env), Seal: tt.kind}
			asked := 0
			if tt.typd != "" {
				cfg.Passphrase = func(bool) ([]byte, error) { asked++; return []byte(tt.typd), nil }
			}
			text := fillLocal(t, cfg)
			l, err := OpenLocal(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if l.Seal().Kind != tt.want || askLocal(t, l, "GET", "/v1/keephold/value/secret/A", "") != http.StatusOK {
				t.Errorf("sealed by %s, want %s", l.Seal().Kind, tt.want)
			}
			again, err := l.RecoveryKey(t.Context())
			if err != nil || string(again.Reveal()) != text {
				t.Errorf("the recovery key changed: %v", err)
			}
			closeLocal(t, l)
			if tt.typd != "" && asked != 2 {
				t.Errorf("asked %d times, want 2", asked)
			}
			log, err := filepath.Glob(filepath.Join(cfg.Dir, "audit", "*"))
			if err != nil || len(log) == 0 {
				t.Fatalf("no audit log: %v", err)
			}
			if all := everything(t, filepath.Join(cfg.Dir, "audit")); !strings.Contains(all, "recovery.export") || strings.Contains(all, text) {
				t.Error("the export is not in the audit log, or the key is")
			}
		})
	}
}

func everything(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestLostKey(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	cfg := LocalConfig{Dir: filepath.Join(t.TempDir(), "keep"), Version: "test", Getenv: localEnv(nil)}
	text := fillLocal(t, cfg)
	key := filepath.Join(cfg.Dir, keyName)
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		harm func() error
		away bool
	}{
		"gone":               {harm: func() error { return os.Remove(key) }},
		"damaged":            {harm: func() error { return os.WriteFile(key, []byte("what is this\n"), 0o600) }},
		"of another keep":    {harm: func() error { return os.WriteFile(key, otherKey(t), 0o600) }},
		"readable by others": {harm: func() error { return os.Chmod(key, 0o644) }, away: true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.harm(); err != nil {
				t.Fatal(err)
			}
			_, err := OpenLocal(t.Context(), cfg)
			var lost *LostKeyError
			if !errors.As(err, &lost) || lost.Away != tt.away || !tt.away && lost.Secrets != 1 {
				t.Errorf("got %v (%+v)", err, lost)
			}
			_ = os.Remove(key) // it may be gone
			if err := os.WriteFile(key, good, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("and restored", func(t *testing.T) {
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		if _, err := RestoreLocal(t.Context(), cfg, []byte("nonsense")); !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("nonsense: %v", err)
		}
		if _, err := RestoreLocal(t.Context(), cfg, []byte(recovery.Format(seal.NewKey()))); err == nil {
			t.Error("another keep's recovery key was taken")
		}
		sealed, err := RestoreLocal(t.Context(), cfg, []byte(text))
		if err != nil || sealed.Kind != seal.KindKeyFile {
			t.Fatalf("restore: %+v, %v", sealed, err)
		}
		l, err := OpenLocal(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer closeLocal(t, l)
		if status := askLocal(t, l, "GET", "/v1/keephold/value/secret/A", ""); status != http.StatusOK {
			t.Errorf("after the restore: %d", status)
		}
		if again, err := l.RecoveryKey(t.Context()); err != nil || string(again.Reveal()) != text {
			t.Errorf("the recovery key changed: %v", err)
		}
	})
}

func otherKey(t *testing.T) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "other")
	fillLocal(t, LocalConfig{Dir: dir, Version: "test", Getenv: localEnv(nil)})
	b, err := os.ReadFile(filepath.Join(dir, keyName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A store that was removed is not made anew in silence: the loss would only be noticed later.
func TestLostStore(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	cfg := LocalConfig{Dir: filepath.Join(t.TempDir(), "keep"), Version: "test", Getenv: localEnv(nil)}
	text := fillLocal(t, cfg)
	if err := os.Remove(filepath.Join(cfg.Dir, storeName)); err != nil {
		t.Fatal(err)
	}
	var gone *LostStoreError
	if _, err := OpenLocal(t.Context(), cfg); !errors.As(err, &gone) {
		t.Errorf("got %v", err)
	}
	if _, err := RestoreLocal(t.Context(), cfg, []byte(text)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("restore without a store: %v", err)
	}
}
