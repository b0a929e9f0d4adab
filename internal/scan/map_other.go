//go:build !unix

package scan

import "os"

// MapFile reads a file where mapping is not to be had.
func MapFile(name string) ([]byte, func() error, error) {
	b, err := os.ReadFile(name)
	return b, func() error { return nil }, err
}
