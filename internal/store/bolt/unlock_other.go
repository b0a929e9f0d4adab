//go:build !unix || solaris || aix

package bolt

import "os"

// unlock has nothing to do where closing the file gives the lock back.
func unlock(*os.File) {}
