package hygiene

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func harden() (warnings []string) {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		warnings = append(warnings, fmt.Sprintf("core dumps could not be limited: %v", err))
	}
	// Not dumpable: no core whatever the limit and core_pattern say, no ptrace and no /proc/PID/mem for others (prctl(2)).
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		warnings = append(warnings, fmt.Sprintf("the process could not be made undumpable: %v", err))
	}
	if b, err := os.ReadFile("/proc/swaps"); err == nil && bytes.Count(bytes.TrimSpace(b), []byte("\n")) > 0 {
		warnings = append(warnings, "swap is on: what is in memory can reach the disk; switch it off or encrypt it")
	}
	return warnings
}
