package bolt

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/keephold/keephold/internal/store"
)

// holder is what PATH.holder says. It is a courtesy: it may be missing, and a killed process leaves it behind.
type holder struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
}

const maxHolder = 4096

func holderPath(path string) string { return path + ".holder" }

// writeHolder names this process. Failing to do so is no reason not to serve.
func writeHolder(path, command string) {
	if command == "" && len(os.Args) > 0 {
		command = filepath.Base(os.Args[0]) // never the arguments
	}
	b, err := json.Marshal(holder{PID: os.Getpid(), Command: command})
	if err != nil || len(b) > maxHolder {
		return
	}
	_ = os.WriteFile(holderPath(path), b, 0o600)
}

func removeHolder(path string) { _ = os.Remove(holderPath(path)) }

// lockedError names who has the file open, when that can be known.
func lockedError(path string) error {
	e := &store.LockedError{Path: path}
	b, err := os.ReadFile(holderPath(path))
	if err != nil {
		return e
	}
	if h := decodeHolder(b); alive(h.PID) {
		e.PID, e.Command = h.PID, h.Command
	}
	return e
}

// decodeHolder reads a holder file; what cannot be read is nobody.
func decodeHolder(b []byte) holder {
	var h holder
	if len(b) > maxHolder || json.Unmarshal(b, &h) != nil || h.PID <= 0 {
		return holder{}
	}
	return h
}

// alive tells whether a process exists: a holder file may be older than the process that holds the lock now.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	if runtime.GOOS == "windows" { // FindProcess has already looked
		return true
	}
	err = p.Signal(syscall.Signal(0))
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH)
}
