package hygiene_test

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keephold/keephold/internal/hygiene"
)

// TestHarden runs in a copy of the test binary: what it does to a process cannot be undone.
func TestHarden(t *testing.T) {
	if os.Getenv("KEEPHOLD_HARDEN") == "" {
		c := exec.Command(os.Args[0], "-test.run=TestHarden$")
		c.Env = append(os.Environ(), "KEEPHOLD_HARDEN=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	hygiene.Harden()
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable: got %d, %v", dumpable, err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("core limit: got %+v, %v", limit, err)
	}
}
