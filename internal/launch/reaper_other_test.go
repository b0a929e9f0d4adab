//go:build unix && !linux

package launch_test

func becomeReaper() {}
