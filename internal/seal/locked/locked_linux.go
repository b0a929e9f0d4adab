package locked

import (
	"os"

	"golang.org/x/sys/unix"
)

// pages maps whole pages outside the Go heap, where the collector cannot
// copy them. It returns nil when the system refuses to map.
func pages(n int) (b []byte, locked bool) {
	size := os.Getpagesize()
	n = (max(n, 1) + size - 1) / size * size
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, false
	}
	dump := unix.Madvise(b, unix.MADV_DONTDUMP)
	fork := unix.Madvise(b, unix.MADV_WIPEONFORK)
	lock := unix.Mlock(b)
	return b, dump == nil && fork == nil && lock == nil
}

func unlock(b []byte) {
	// Nothing depends on it: the pages hold zeros by now.
	_ = unix.Munlock(b)
}
