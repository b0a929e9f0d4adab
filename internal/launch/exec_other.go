//go:build !unix

package launch

import "errors"

// CanExec says whether Exec works on this system.
const CanExec = false

// Exec replaces this process by the program, which this system cannot do.
func Exec(argv, _ []string) error {
	return &StartError{argv[0], CodeNotExecutable, errors.ErrUnsupported}
}
