package server_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/server"
)

// running is a development server on a directory, spoken to over HTTP.
type running struct {
	t     *testing.T
	dev   *server.Dev
	token string
	stop  func()
}

func start(t *testing.T, dir string) *running {
	t.Helper()
	dev, err := server.OpenDev(context.Background(), server.DevConfig{Dir: dir, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- dev.Run(ctx) }()
	stopped := false
	r := &running{t: t, dev: dev, token: tokenOf(dev)}
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

func (r *running) do(method, path, body string) (int, []byte) {
	r.t.Helper()
	rq, err := http.NewRequest(method, r.dev.Addr+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	rq.Header.Set("X-Vault-Token", r.token)
	resp, err := http.DefaultClient.Do(rq)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, b
}

func (r *running) must(method, path, body string) []byte {
	r.t.Helper()
	status, b := r.do(method, path, body)
	if status/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", method, path, status, b)
	}
	return b
}

func (r *running) put(name, value string) {
	r.t.Helper()
	r.must("POST", "secret/data/"+name, fmt.Sprintf(`{"data":{"v":%q}}`, value))
}

// get answers the value of v, or "" when there is no such secret.
func (r *running) get(name string) string {
	r.t.Helper()
	status, b := r.do("GET", "secret/data/"+name, "")
	if status == http.StatusNotFound {
		return ""
	}
	var a struct {
		Data struct{ Data struct{ V string } }
	}
	if err := json.Unmarshal(b, &a); err != nil || status != 200 {
		r.t.Fatalf("%s: %d %s", name, status, b)
	}
	return a.Data.Data.V
}

func TestRestoreOnline(t *testing.T) {
	for _, where := range []string{"memory", "disk"} {
		t.Run(where, func(t *testing.T) {
			dir := ""
			if where == "disk" {
				dir = t.TempDir()
			}
			testRestoreOnline(t, start(t, dir))
		})
	}
}

func testRestoreOnline(t *testing.T, r *running) {
	r.put("a", "old")
	r.put("gone-later", "1")
	login := fmt.Sprintf(`{"role_id":%q,"secret_id":%q}`, r.dev.RoleID, secretIDOf(r.dev))
	r.must("POST", "auth/approle/login", login)
	snap := r.must("GET", "sys/storage/raft/snapshot", "")
	checkContainer(t, snap)
	r.put("a", "new")
	r.put("b", "made after")
	r.must("DELETE", "secret/metadata/gone-later", "")

	for name, bad := range badSnapshots(t, snap) {
		status, b := r.do("POST", "sys/storage/raft/snapshot", string(bad))
		if status != http.StatusBadRequest {
			t.Errorf("%s: got %d %s", name, status, b)
		}
	}
	if got := r.get("a") + r.get("b"); got != "newmade after" {
		t.Fatalf("after refused restores: got %q", got)
	}
	r.must("POST", "sys/storage/raft/snapshot", string(snap))
	if status, b := r.do("GET", "secret/data/a", ""); status != http.StatusForbidden {
		t.Errorf("a token of the old epoch: got %d %s", status, b)
	}
	if status, b := r.do("POST", "auth/approle/login", login); status != http.StatusBadRequest {
		t.Errorf("a secret-id of the old epoch: got %d %s", status, b)
	}
	r.token = newRoot(t, r.dev)
	if got := r.get("a") + "," + r.get("b") + "," + r.get("gone-later"); got != "old,,1" {
		t.Errorf("after the restore: got %q", got)
	}
	r.put("a", "newer")
	if got := r.get("a"); got != "newer" {
		t.Errorf("after a write: got %q", got)
	}
	snap = r.must("GET", "sys/storage/raft/snapshot", "")
	r.put("a", "newest")
	r.must("POST", "sys/storage/raft/snapshot?keep_sessions=true", string(snap))
	if got := r.get("a"); got != "newer" {
		t.Errorf("after a restore that keeps sessions: got %q", got)
	}
}

// checkContainer reads a snapshot as the vendor's client does.
func checkContainer(t *testing.T, snap []byte) {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(snap))
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(gz)
	for {
		h, err := tr.Next()
		if err != nil {
			t.Fatalf("no SHA256SUMS.sealed: %v", err)
		}
		if h.Name == "SHA256SUMS.sealed" && h.Size > 0 {
			return
		}
	}
}

func badSnapshots(t *testing.T, snap []byte) map[string][]byte {
	t.Helper()
	flipped := bytes.Clone(snap)
	flipped[len(flipped)/2] ^= 1
	other := start(t, "")
	other.put("a", "foreign")
	return map[string][]byte{
		"empty":     nil,
		"text":      []byte("hello"),
		"truncated": snap[:len(snap)/2],
		"flipped":   flipped,
		"foreign":   other.must("GET", "sys/storage/raft/snapshot", ""),
		"newer":     rewritten(t, snap, `"format": 1`, `"format": 2`),
		"forged":    rewritten(t, snap, "", ""),
	}
}

// rewritten makes a snapshot anew, with another description and a seal of zeros, as somebody without the keys could.
func rewritten(t *testing.T, snap []byte, old, fresh string) []byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(snap))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	for tr := tar.NewReader(gz); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Name {
		case "meta.json":
			b = bytes.Replace(b, []byte(old), []byte(fresh), 1)
		case "SHA256SUMS.sealed":
			clear(b[8:])
		}
		h.Size = int64(len(b))
		if err := errors.Join(tw.WriteHeader(h), write(tw, b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// TestRestoreStopped restores on the same keep, on an empty directory, and refuses what is foreign.
func TestRestoreStopped(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	r := start(t, dir)
	r.put("a", "old")
	snap := r.must("GET", "sys/storage/raft/snapshot", "")
	r.put("a", "new")
	if _, err := server.RestoreFile(ctx, server.KeepConfig{Dir: dir}, bytes.NewReader(snap), custody.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("restore under a running server: got %v", err)
	}
	r.stop()
	for name, bad := range badSnapshots(t, snap) {
		if name == "forged" {
			continue // nobody without the keys can tell; the first unseal does, below
		}
		_, err := server.RestoreFile(ctx, server.KeepConfig{Dir: dir}, bytes.NewReader(bad), custody.RestoreOptions{})
		if !errors.Is(err, secret.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "newer" && server.FaultOf(err) != server.FaultBadData {
			t.Errorf("%s: %v is fault %d", name, err, server.FaultOf(err))
		}
	}
	r = start(t, dir)
	r.token = newRoot(t, r.dev)
	if got := r.get("a"); got != "new" {
		t.Fatalf("after refused restores: got %q", got)
	}
	r.stop()

	meta, err := server.RestoreFile(ctx, server.KeepConfig{Dir: dir}, bytes.NewReader(snap), custody.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	r.token = newRoot(t, r.dev)
	if got := r.get("a"); got != "old" {
		t.Errorf("after the restore: got %q", got)
	}
	r.stop()
	checkRestored(t, filepath.Join(dir, "audit"), meta.AuditRoot)

	fresh := filepath.Join(t.TempDir(), "fresh")
	if _, err := server.RestoreFile(ctx, server.KeepConfig{Dir: fresh}, bytes.NewReader(snap), custody.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(dir, "key"), filepath.Join(fresh, "key"))
	r = start(t, fresh)
	r.token = newRoot(t, r.dev)
	if got := r.get("a"); got != "old" {
		t.Errorf("on another machine: got %q", got)
	}
	r.stop()

	forged := filepath.Join(t.TempDir(), "forged")
	if _, err := server.RestoreFile(ctx, server.KeepConfig{Dir: forged}, bytes.NewReader(rewritten(t, snap, "", "")), custody.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(dir, "key"), filepath.Join(forged, "key"))
	if _, err := server.OpenDev(ctx, server.DevConfig{Dir: forged, Listen: []string{"127.0.0.1:0"}}); err == nil || !strings.Contains(err.Error(), "seal of the snapshot") {
		t.Errorf("unsealing what a forged snapshot left: got %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkRestored finds the record that links the two logs, in a log that verifies.
func checkRestored(t *testing.T, dir, root string) {
	t.Helper()
	if _, err := audit.Verify(context.Background(), dir, audit.VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	for e, err := range audit.Events(context.Background(), dir, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Action != "restored" {
			continue
		}
		links := map[string]string{}
		for _, l := range e.Event.Links {
			links[l.Name] = l.Value
		}
		if links["snapshot-audit-root"] == root && len(links["replaced-audit-root"]) == 64 {
			return
		}
	}
	t.Error("no record links the restored state to the log")
}

// TestRestoreUnderLoad: requests meanwhile are served or turned away, never answered wrongly, and none hangs.
func TestRestoreUnderLoad(t *testing.T) {
	r := start(t, t.TempDir())
	r.put("a", "old")
	snap := r.must("GET", "sys/storage/raft/snapshot", "")
	stop, ended := make(chan struct{}), make(chan map[int]int)
	for range 8 {
		go func() {
			seen := map[int]int{}
			defer func() { ended <- seen }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				rq, err := http.NewRequest(http.MethodPost, r.dev.Addr+"/v1/secret/data/a", strings.NewReader(`{"data":{"v":"x"}}`))
				if err != nil {
					return
				}
				rq.Header.Set("X-Vault-Token", r.token)
				resp, err := http.DefaultClient.Do(rq)
				if err != nil {
					seen[-1]++
					continue
				}
				_ = resp.Body.Close()
				seen[resp.StatusCode]++
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	for range 3 {
		r.must("POST", "sys/storage/raft/snapshot?keep_sessions=true", string(snap))
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	for range 8 {
		for status, n := range <-ended {
			if status != 200 && status != 503 && status != 403 {
				t.Errorf("%d answers of status %d", n, status)
			}
		}
	}
	r.put("b", "after")
	if r.get("b") != "after" {
		t.Error("the server does not serve after restores under load")
	}
}
