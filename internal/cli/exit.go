package cli

import (
	"errors"
	"fmt"
)

// The exit codes of the whole tool; docs/exit-codes.md lists them for people. A child's own code, 126, 127 and 128+n
// pass through run.
const (
	exitOK          = 0
	exitNo          = 1  // differs; the answer is no
	exitAuditBroken = 3  // the audit log does not verify
	exitFindings    = 10 // scan found something
	exitIncomplete  = 11 // scan could not look at everything
	exitUsage       = 64
	exitBadData     = 65
	exitNotFound    = 66
	exitUnreachable = 69
	exitInternal    = 70
	exitCannotWrite = 73
	exitIO          = 74
	exitBusy        = 75 // or sealed: try again
	exitConflict    = 76
	exitDenied      = 77 // or not trusted
	exitCheck       = 78
	exitLeak        = 79
	exitInterrupted = 130
)

// fault is an error with the exit code it ends the program with, and what the person can do about it.
type fault struct {
	code int
	text string
	hint string
	err  error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.err }

func failf(code int, format string, args ...any) *fault {
	err := fmt.Errorf(format, args...)
	return &fault{code: code, text: err.Error(), err: errors.Unwrap(err)}
}

// withHint says what to do.
func (f *fault) withHint(format string, args ...any) *fault {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// silent ends the program with a code and nothing to say: the output said it.
func silent(code int) *fault { return &fault{code: code} }

func usagef(format string, args ...any) *fault { return failf(exitUsage, format, args...) }

// codeOf is the exit code of an error; what is no fault nobody foresaw.
func codeOf(err error) int {
	var f *fault
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		return f.code
	}
	return exitInternal
}
