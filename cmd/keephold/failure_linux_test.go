package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually asks until the status is the wanted one, and answers the last body.
func (p *process) eventually(want int, method, path, body string) string {
	p.t.Helper()
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		status, b, err := p.do(method, path, body)
		if err == nil && status == want {
			return string(b)
		}
		if time.Now().After(until) {
			p.t.Fatalf("%s %s: want %d, got %d %s %v\n%s", method, path, want, status, b, err, p.talk)
		}
	}
}

// TestAuditFileRemoved: without a log nothing is served, and it says so; when the log is back, so is the service.
func TestAuditFileRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keep")
	p := devProcess(t, dir)
	p.must(nil, "POST", "secret/data/a", `{"data":{"v":"1"}}`)
	logs, err := filepath.Glob(filepath.Join(dir, "audit", "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%q, %v", logs, err)
	}
	aside := filepath.Join(dir, "aside")
	if err := os.Rename(logs[0], aside); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "POST"} {
		said := p.eventually(http.StatusServiceUnavailable, method, "secret/data/a", `{"data":{"v":"2"}}`)
		if !strings.Contains(said, "audit log") {
			t.Errorf("%s: the refusal does not say why: %s", method, said)
		}
	}
	if err := os.Rename(aside, logs[0]); err != nil {
		t.Fatal(err)
	}
	p.eventually(http.StatusOK, "GET", "secret/data/a", "")
	p.eventually(http.StatusOK, "POST", "secret/data/a", `{"data":{"v":"3"}}`)
}

// TestOpenedTwice: the second process names the first and ends with the code of "busy".
func TestOpenedTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keep")
	first := devProcess(t, dir)
	second := keephold(t, "dev", "--listen", "127.0.0.1:0", "--store", dir)
	if err := second.cmd.Run(); err == nil || second.cmd.ProcessState.ExitCode() != 75 {
		t.Errorf("got %v, want exit code 75", err)
	}
	said := second.talk.String()
	if !strings.Contains(said, "pid "+strconv.Itoa(first.cmd.Process.Pid)) || !strings.Contains(said, "keephold") {
		t.Errorf("the holder is not named: %s", said)
	}
	first.must(nil, "POST", "secret/data/a", `{"data":{"v":"1"}}`)
}

// TestDiskFull fills the disk under a server: writes are refused with 503 and nothing that was acknowledged is lost; with
// room again, it goes on. The disk is a small tmpfs, which takes a root to mount.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk takes root; store/bolt and audit inject the same error everywhere")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("mounting a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "keep")
	p := devProcess(t, dir)
	p.must(nil, "POST", "secret/data/kept", `{"data":{"v":"1"}}`)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	acknowledged, refused := 0, ""
	body := fmt.Sprintf(`{"data":{"v":%q}}`, strings.Repeat("x", 20_000))
	for i := 0; i < 200 && refused == ""; i++ {
		status, b, err := p.do("POST", fmt.Sprintf("secret/data/n/%d", i), body)
		switch {
		case err != nil:
			t.Fatalf("%v\n%s", err, p.talk)
		case status == http.StatusOK:
			acknowledged++
		case status == http.StatusServiceUnavailable:
			refused = string(b)
		default:
			t.Fatalf("write %d: %d %s", i, status, b)
		}
	}
	if !strings.Contains(refused, "no space") {
		t.Errorf("the refusal does not say why: %q", refused)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.eventually(http.StatusOK, "POST", "secret/data/after", `{"data":{"v":"2"}}`)
	for i := range acknowledged {
		p.must(nil, "GET", fmt.Sprintf("secret/data/n/%d", i), "")
	}
	p.must(nil, "GET", "secret/data/kept", "")
	p.kill(syscall.SIGINT)
	p = devProcess(t, dir)
	p.must(nil, "GET", "secret/data/after", "")
}

// fill takes what is left of a disk.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if cerr := f.Close(); cerr != nil {
		t.Fatal(cerr)
	}
}

// TestReadOnlyDisk: a store that cannot be written is refused at the start, by name and with its own exit code.
func TestReadOnlyDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a disk read-only takes root; store/bolt tests what the engine answers")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("mounting a disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "keep")
	devProcess(t, dir).kill(syscall.SIGINT)
	if out, err := exec.Command("mount", "-o", "remount,ro", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := keephold(t, "dev", "--listen", "127.0.0.1:0", "--store", dir)
	if err := p.cmd.Run(); err == nil || p.cmd.ProcessState.ExitCode() != 73 || !strings.Contains(p.talk.String(), "read-only") {
		t.Errorf("got %v, want exit code 73: %s", err, p.talk)
	}
}
