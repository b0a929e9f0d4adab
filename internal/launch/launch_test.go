package launch_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/launch"
	"github.com/keephold/keephold/internal/secret"
)

func value(name, v string) launch.Variable {
	return launch.Variable{Name: name, Value: secret.NewValue([]byte(v))}
}

func TestEnvironment(t *testing.T) {
	inherit := []string{"A=old", "PATH=/bin", "KEEPHOLD_TOKEN=t", "KEEPHOLD_TOKEN_FILE=f", "KEEPHOLD_ADDR=x", "EMPTY="}
	for _, c := range []struct {
		name  string
		merge launch.Merge
		want  []string
	}{
		{"values win", launch.Merge{Inherit: inherit, Set: []launch.Variable{value("A", "new"), value("B", "")}},
			[]string{"PATH=/bin", "KEEPHOLD_ADDR=x", "EMPTY=", "A=new", "B="}},
		{"nothing inherited", launch.Merge{Set: []launch.Variable{value("A", "1"), value("A", "2")}}, []string{"A=2"}},
		{"allowed", launch.Merge{Set: []launch.Variable{value("PATH", "/x")}, Allow: []string{"PATH"}}, []string{"PATH=/x"}},
	} {
		got, err := launch.Environment(c.merge)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	for _, name := range []string{"PATH", "LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "KEEPHOLD_TOKEN"} {
		_, err := launch.Environment(launch.Merge{Set: []launch.Variable{value(name, "x")}})
		var reserved *launch.ReservedError
		if !errors.As(err, &reserved) || reserved.Name != name {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	for _, v := range []launch.Variable{value("A", "x\x00y"), value("A=B", "x"), value("", "x"), value("A", strings.Repeat("x", 128<<10))} {
		_, err := launch.Environment(launch.Merge{Set: []launch.Variable{v}})
		var unfit *launch.UnfitError
		if !errors.As(err, &unfit) || !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%q: got %v, want a refusal", v.Name, err)
		}
	}
}

func TestExecOfWhatIsNotThere(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for program, code := range map[string]int{"no-such-program-here": 127, "/no/such/file": 127, plain: 126, t.TempDir(): 126} {
		var start *launch.StartError
		if err := launch.Exec([]string{program}, nil); !errors.As(err, &start) || start.Code != code {
			t.Errorf("%s: got %v, want %d", program, err, code)
		}
	}
}

func TestDir(t *testing.T) {
	getenv := func(string) string { return "" }
	d, err := launch.NewDir(getenv, true, []launch.Variable{value("A", "one\n"), value("B", "\x00\xff")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	info, err := os.Stat(d.Path())
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	if got, err := os.ReadFile(d.File("B")); err != nil || string(got) != "\x00\xff" {
		t.Errorf("got %q, %v", got, err)
	}
	if info, _ := os.Stat(d.File("A")); info.Mode().Perm() != 0o400 {
		t.Errorf("a file has mode %v", info.Mode())
	}
	if err := d.Write([]launch.Variable{value("A", "two")}); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(d.Path())
	if got, _ := os.ReadFile(d.File("A")); string(got) != "two" || len(entries) != 1 {
		t.Errorf("after the change: %q, %d files", got, len(entries))
	}
	for _, name := range []string{"", ".", "..", "a/b", "../x", "a\x00"} {
		if err := d.Write([]launch.Variable{value(name, "x")}); !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%q: got %v, want a refusal", name, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there")
	}
}

// TestDirSweepsTheDead: what a process that was killed left in memory goes with the next start.
func TestDirSweepsTheDead(t *testing.T) {
	if info, err := os.Stat("/dev/shm"); err != nil || !info.IsDir() {
		t.Skip("no /dev/shm")
	}
	parent := "/dev/shm/keephold-test-sweep"
	if err := os.MkdirAll(parent, 0o700); err != nil {
		t.Skip(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skip(err)
	}
	old := filepath.Join(parent, "keephold-run-"+strconv.Itoa(dead.Process.Pid)+"-1")
	mine := filepath.Join(parent, "keephold-run-"+strconv.Itoa(os.Getpid())+"-1")
	for _, d := range []string{old, mine} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d, err := launch.NewDir(func(string) string { return parent }, false, nil)
	if err != nil {
		t.Skip(err) // not a file system in memory
	}
	defer func() { _ = d.Close() }()
	if _, err := os.Stat(old); err == nil {
		t.Error("the directory of a dead process is still there")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("the directory of a living process is gone")
	}
}
