//go:build !unix

package cli

// takeTurn is for systems with flock; here the store's own lock has to do.
func takeTurn(string) (leave func() error) { return func() error { return nil } }
