//go:build !unix

package launch

// isAlive cannot tell, and so never lets anything be removed.
func isAlive(int) bool { return true }
