//go:build !unix

package keyfile

import "io/fs"

func checkOwner(fs.FileInfo) error { return nil }

// syncDir has nothing to do where directories cannot be synced.
func syncDir(string) error { return nil }
