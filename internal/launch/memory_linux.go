package launch

import "golang.org/x/sys/unix"

// isMemory says whether a directory is on a file system that lives in memory.
func isMemory(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	return int64(st.Type) == unix.TMPFS_MAGIC || int64(st.Type) == unix.RAMFS_MAGIC //nolint:unconvert // it is an int32 on other processors
}
