package locked_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/keephold/keephold/internal/seal/locked"
)

// The kernel's own account of the mapping: lo (locked), dd (no dump), wf
// (wiped on fork).
func TestKernelAgrees(t *testing.T) {
	b := locked.New(32)
	defer b.Destroy()
	if !b.Locked() {
		t.Log("this system does not lock memory; checking that Locked admits it")
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at := uint64(uintptr(unsafe.Pointer(&b.Bytes()[0])))
	inside := false
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uint64
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		flags, ok := strings.CutPrefix(s.Text(), "VmFlags:")
		if !inside || !ok {
			continue
		}
		all := true
		for _, flag := range []string{"lo", "dd", "wf"} {
			all = all && strings.Contains(flags+" ", " "+flag+" ")
		}
		if all != b.Locked() {
			t.Errorf("Locked is %t, flags are %q", b.Locked(), flags)
		}
		return
	}
	t.Error("the mapping is not listed")
}
