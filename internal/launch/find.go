package launch

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
)

// find looks a program up in the PATH of this process, which the values of a keep do not change.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	if errors.Is(err, exec.ErrDot) { // found in the current directory by a PATH that asks for it
		return "", &StartError{program, CodeNotExecutable, errors.New("found in the current directory only; write ./" + program)}
	}
	if errors.Is(err, fs.ErrPermission) {
		return "", &StartError{program, CodeNotExecutable, errors.New("not executable")}
	}
	if info, statErr := os.Stat(program); statErr == nil && (info.IsDir() || hasSeparator(program)) {
		return "", &StartError{program, CodeNotExecutable, errors.New("not executable")}
	}
	return "", &StartError{program, CodeNotFound, errors.New("command not found")}
}

func hasSeparator(s string) bool {
	for i := range len(s) {
		if os.IsPathSeparator(s[i]) {
			return true
		}
	}
	return false
}
