//go:build unix

package launch

import (
	"os"

	"golang.org/x/sys/unix"
)

// Signal finds a signal by its name without SIG.
func Signal(name string) (os.Signal, bool) {
	s, ok := map[string]unix.Signal{"HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "USR2": unix.SIGUSR2, "INT": unix.SIGINT, "QUIT": unix.SIGQUIT,
		"TERM": unix.SIGTERM}[name]
	return s, ok
}
