//go:build unix && !linux

package hygiene

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func harden() (warnings []string) {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		warnings = append(warnings, fmt.Sprintf("core dumps could not be limited: %v", err))
	}
	return warnings
}
