//go:build unix && !linux

package main

import "os/exec"

// asProcessOne says that this system has no namespaces of process ids.
func asProcessOne(*exec.Cmd) bool { return false }
