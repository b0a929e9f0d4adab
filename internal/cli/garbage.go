package cli

import (
	"os"
	"runtime"
	"runtime/debug"
)

// putOffGC has the first garbage collection wait until 32 MB are in use. Most commands end before it, and most of what they have made
// by then stays: 4 MB, as it is by default, are collected twice while the rules of a scan are compiled. From the first collection on
// the pace is the usual one. An operator's own GOGC wins.
func putOffGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(800) // of 4 MB
	runtime.AddCleanup(new([1]*byte), func(usual int) { debug.SetGCPercent(usual) }, usual)
}
