//go:build unix

package launch

import "golang.org/x/sys/unix"

func isAlive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || err == unix.EPERM
}
