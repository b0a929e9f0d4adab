//go:build !unix

package git

import "os"

// mapFile reads a file where mapping is not to be had.
func mapFile(name string) ([]byte, func() error, error) {
	b, err := os.ReadFile(name)
	return b, func() error { return nil }, err
}
