//go:build !linux

package launch

// isMemory says whether a directory is on a file system that lives in memory, which only Linux offers everybody.
func isMemory(string) bool { return false }
