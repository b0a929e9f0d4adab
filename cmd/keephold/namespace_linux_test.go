package main

import (
	"os"
	"os/exec"
	"syscall"
)

// asProcessOne makes a command process 1 of a namespace of its own; without root in a user namespace too.
func asProcessOne(cmd *exec.Cmd) bool {
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	return true
}
