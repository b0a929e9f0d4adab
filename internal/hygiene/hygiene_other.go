//go:build !unix

package hygiene

func harden() []string { return nil } // there are no core dumps to forbid
