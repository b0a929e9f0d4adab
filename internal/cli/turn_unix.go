//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// turnTime bounds how long a command stands in line; then it tries its luck, and the store says who holds it.
const turnTime = 60 * time.Second

// takeTurn stands in line for the local keep with the other commands of this user. The store's own lock is asked for every
// 50 ms, by all at once: with twenty commands some starve, and most of the time nobody holds it. This one is handed
// over when it is let go.
func takeTurn(dir string) (leave func() error) {
	nothing := func() error { return nil }
	f, err := os.OpenFile(filepath.Join(dir, "turn"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nothing // a keep that is not there yet, or cannot be written to: opening it says so
	}
	got := make(chan error, 1)
	go func() { // it ends when the lock comes, at the latest with the process
		for {
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
				got <- err
				return
			}
		}
	}()
	select {
	case <-got: //nolint:errcheck // an error too: whoever cannot stand in line asks for the keep at once
		return f.Close
	case <-time.After(turnTime):
		return nothing // the file stays open: its number must not become another file's under the goroutine
	}
}
