//go:build unix

package launch

import "syscall"

// Exec replaces this process by the program. It returns only if that fails, with a *StartError. Nothing deferred runs.
func Exec(argv, environ []string) error {
	path, err := find(argv[0])
	if err != nil {
		return err
	}
	err = syscall.Exec(path, argv, environ)
	return &StartError{argv[0], CodeNotExecutable, err}
}

// CanExec says whether Exec works on this system.
const CanExec = true
