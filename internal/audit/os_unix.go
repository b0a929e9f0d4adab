//go:build unix

package audit

import (
	"errors"
	"os"
	"syscall"
)

// checksModes: permission bits mean something here.
const checksModes = true

func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func isBusy(err error) bool { return errors.Is(err, syscall.EWOULDBLOCK) }

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
