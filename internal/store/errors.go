package store

import (
	"errors"
	"fmt"
	"strings"
)

// What an engine can answer. Compare with errors.Is.
var (
	ErrConflict  = errors.New("expectation not met")                     // comes as *ConflictError
	ErrUnknown   = errors.New("outcome of the write is unknown")         // read again before deciding
	ErrClosed    = errors.New("store is closed")                         // by its owner
	ErrStopped   = errors.New("store stopped after a failed write")      // nothing more is served; open it again
	ErrLocked    = errors.New("store is in use by another process")      // comes as *LockedError
	ErrFull      = errors.New("no space left for the store")             // nothing was changed; reads go on
	ErrReadOnly  = errors.New("store is read-only")                      // opened so, or on a disk that is
	ErrFormat    = errors.New("store format is not known to this build") // comes as *FormatError
	ErrCorrupt   = errors.New("store is damaged")                        // the text names the place
	ErrBehind    = errors.New("store has not reached the revision")      // of Get's atLeast
	ErrCompacted = errors.New("changes are no longer known")             // of Watch
	ErrInvalid   = errors.New("not an operation a store can do")         // the caller's mistake
)

// ConflictError lists the keys whose expectation failed, with the revisions they really have (0: no such key).
type ConflictError struct {
	Current []KeyRevision
}

// KeyRevision is a key and its revision.
type KeyRevision struct {
	Key string
	Rev Revision
}

func (e *ConflictError) Error() string {
	var b strings.Builder
	for i, k := range e.Current {
		if i == 3 {
			fmt.Fprintf(&b, " and %d more", len(e.Current)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q is at revision %d", k.Key, k.Rev)
	}
	return fmt.Sprintf("%v: %s", ErrConflict, b.String())
}

// Is makes errors.Is(err, ErrConflict) hold.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// LockedError names the process that holds a store, as far as it is known.
type LockedError struct {
	Path    string
	PID     int    // 0: not known
	Command string // empty: not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s: %v", e.Path, ErrLocked)
	}
	return fmt.Sprintf("%s: %v: %s (pid %d)", e.Path, ErrLocked, e.Command, e.PID)
}

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// FormatError tells which format a store wants and which one this build knows.
type FormatError struct {
	Path  string
	Want  uint32 // the store's min_reader, or min_writer when Write is set
	Know  uint32
	Write bool // reading would be possible
}

func (e *FormatError) Error() string {
	if e.Write {
		return fmt.Sprintf("%s: %v: writing needs format %d, this build writes %d (it can be opened read-only)",
			e.Path, ErrFormat, e.Want, e.Know)
	}
	return fmt.Sprintf("%s: %v: reading needs format %d, this build reads up to %d (use a newer release)",
		e.Path, ErrFormat, e.Want, e.Know)
}

// Is makes errors.Is(err, ErrFormat) hold.
func (e *FormatError) Is(target error) bool { return target == ErrFormat }
