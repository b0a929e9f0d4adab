//go:build !unix

package main

// programs are what the tests start besides the command; on this system none.
func programs() map[string]func() { return map[string]func(){} }
