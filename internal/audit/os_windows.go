package audit

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// checksModes: the permission bits are made up here; the directory inherits its access list.
const checksModes = false

const (
	lockFailImmediately = 1
	lockExclusive       = 2
	errorLockViolation  = syscall.Errno(33)
	lockedByte          = 1 << 30 // far behind the text, which others may still read
)

func tryLock(f *os.File) error {
	lockFileEx := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")
	at := syscall.Overlapped{Offset: lockedByte}
	ok, _, err := lockFileEx.Call(f.Fd(), lockExclusive|lockFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	if ok == 0 {
		return err
	}
	return nil
}

func isBusy(err error) bool { return errors.Is(err, errorLockViolation) }

// syncDir has no meaning on this system.
func syncDir(string) error { return nil }
