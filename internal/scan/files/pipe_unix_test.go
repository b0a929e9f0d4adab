//go:build unix

package files_test

import (
	"syscall"
	"testing"
)

// makePipe makes what a scanner that opens it would wait at for ever.
func makePipe(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}
