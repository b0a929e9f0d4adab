package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSnapshotBreaksOff: a server dies while its snapshot is on the way. The command says so, and leaves no file that could be
// taken for a snapshot.
func TestSnapshotBreaksOff(t *testing.T) {
	reached := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20)) // a client that is gone is no matter
		w.(http.Flusher).Flush()
		close(reached)
		panic(http.ErrAbortHandler) // as the connection of a killed process ends
	}))
	defer server.Close()
	p := keephold(t, "operator", "snapshot", "-o", "keep.snapshot")
	earlier := filepath.Join(p.cmd.Dir, "keep.snapshot")
	if err := os.WriteFile(earlier, []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cmd.Env = append(os.Environ(), "KEEPHOLD_ADDR="+server.URL, "KEEPHOLD_TOKEN=hvs.none")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	_ = p.cmd.Wait()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.ExitStatus() != 74 {
		t.Errorf("ended with %v: %s; want 74", p.cmd.ProcessState, p.talk)
	}
	names, err := filepath.Glob(filepath.Join(p.cmd.Dir, "*"))
	b, err2 := os.ReadFile(earlier)
	if err != nil || err2 != nil || len(names) != 1 || string(b) != "of yesterday" {
		t.Errorf("after it broke off: %q, %d bytes, %v %v; want the earlier file alone", names, len(b), err, err2)
	}
}
