package keyfile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/keyfile"
	"github.com/keephold/keephold/internal/seal/sealtest"
)

func noEnv(string) string { return "" }

func create(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seal.key")
	if err := keyfile.Create(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *keyfile.Wrapper {
	t.Helper()
	w, err := keyfile.New(path, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestContract(t *testing.T) {
	sealtest.TestWrapper(t, func(t *testing.T) (w, same, other seal.Wrapper) {
		path := create(t)
		return open(t, path), open(t, path), open(t, create(t))
	})
}

func TestCreate(t *testing.T) {
	path := create(t)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyfile.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	dangling := path + ".link"
	if err := os.Symlink(path+".nowhere", dangling); err == nil {
		if err := keyfile.Create(dangling); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over a dangling link: %v", err)
		}
		os.Remove(dangling)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}
	if err := keyfile.Create(filepath.Join(filepath.Dir(path), "no", "such", "dir")); err == nil {
		t.Error("created in a directory that does not exist")
	}
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("%d files are left, want 1", len(left))
	}
}

// Of many that create one path at once exactly one does, and its key stays.
func TestCreateRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch err := keyfile.Create(path); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("%d created it, want 1", made.Load())
	}
	if _, err := open(t, path).Wrap(t.Context(), seal.NewKey()); err != nil {
		t.Error(err)
	}
}

func TestUnsafeFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permission bits are Unix's")
	}
	for name, spoil := range map[string]func(t *testing.T, path string) string{
		"group may read":  func(t *testing.T, path string) string { return chmod(t, path, 0o640) },
		"world may read":  func(t *testing.T, path string) string { return chmod(t, path, 0o604) },
		"group may write": func(t *testing.T, path string) string { return chmod(t, path, 0o620) },
		"others may replace it": func(t *testing.T, path string) string {
			chmod(t, filepath.Dir(path), 0o777)
			return path
		},
		"symbolic link": func(t *testing.T, path string) string {
			link := path + ".link"
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			return link
		},
		"directory": func(t *testing.T, path string) string { return filepath.Dir(path) },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, spoil(t, create(t)))
			if _, err := w.Wrap(t.Context(), seal.NewKey()); !errors.Is(err, keyfile.ErrUnsafe) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("sticky directory is fine", func(t *testing.T) {
		path := create(t)
		if err := os.Chmod(filepath.Dir(path), 0o777|fs.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, path).Wrap(t.Context(), seal.NewKey()); err != nil {
			t.Error(err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		_, err := open(t, create(t)+".nowhere").Wrap(t.Context(), seal.NewKey())
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("got %v", err)
		}
	})
}

func chmod(t *testing.T, path string, mode fs.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredential(t *testing.T) {
	path := create(t)
	env := func(name string) string {
		if name == "CREDENTIALS_DIRECTORY" {
			return filepath.Dir(path)
		}
		return ""
	}
	// As systemd shows it to a service with a user of its own.
	chmod(t, path, 0o440)
	for _, name := range []string{"credential:seal.key", path} {
		w, err := keyfile.New(name, env)
		if err != nil || w.Path() != path {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := w.Wrap(t.Context(), seal.NewKey()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if runtime.GOOS != "windows" {
		w, _ := keyfile.New(path, noEnv)
		if _, err := w.Wrap(t.Context(), seal.NewKey()); !errors.Is(err, keyfile.ErrUnsafe) {
			t.Errorf("the same outside of the directory: %v", err)
		}
		chmod(t, path, 0o444)
		w, _ = keyfile.New(path, env)
		if _, err := w.Wrap(t.Context(), seal.NewKey()); !errors.Is(err, keyfile.ErrUnsafe) {
			t.Errorf("a credential the world may read: %v", err)
		}
	}
	for _, name := range []string{"credential:", "credential:../seal.key", "credential:a/b", "credential:..", ""} {
		if _, err := keyfile.New(name, env); err == nil {
			t.Errorf("took %q", name)
		}
	}
	if _, err := keyfile.New("credential:seal.key", noEnv); err == nil || !strings.Contains(err.Error(), "CREDENTIALS_DIRECTORY") {
		t.Errorf("without systemd: %v", err)
	}
}

func TestParse(t *testing.T) {
	key := bytes.Repeat([]byte{0xab}, 32)
	good := keyfile.Format(key)
	const line = "keephold-seal-key-1:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6u"
	if !bytes.Contains(good, []byte(line)) {
		t.Errorf("the format changed: %s", good)
	}
	for name, text := range map[string]string{
		"as written":    string(good),
		"Windows lines": strings.ReplaceAll(string(good), "\n", "\r\n"),
		"no line end":   strings.TrimSpace(string(good)),
	} {
		if got, err := keyfile.Parse([]byte(text)); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"empty":        "",
		"comments":     "# nothing\n",
		"raw bytes":    string(key),
		"twice":        string(good) + string(good),
		"cut":          string(good[:len(good)-3]),
		"changed":      strings.Replace(string(good), "q6ur", "q6us", 1),
		"other prefix": strings.Replace(string(good), "key-1", "key-2", 1),
		"too long":     "#" + strings.Repeat(" ", 4096) + "\n" + string(good),
	} {
		if _, err := keyfile.Parse([]byte(text)); !errors.Is(err, keyfile.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(keyfile.Format(make([]byte, 32)))
	f.Add([]byte("keephold-seal-key-1:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := keyfile.Parse(b)
		if err != nil {
			if !errors.Is(err, keyfile.ErrMalformed) {
				t.Errorf("got %v", err)
			}
			return
		}
		again, err := keyfile.Parse(keyfile.Format(key))
		if err != nil || !bytes.Equal(again, key) {
			t.Errorf("came back different, %v", err)
		}
	})
}
