package auth

import (
	"fmt"

	"github.com/keephold/keephold/internal/secret"
)

// told is an error whose text is exactly what the vendor's clients expect to read; the sentinel it wraps says which kind
// it is.
type told struct {
	kind error
	text string
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.kind }

// Tell makes an error that wraps the sentinel kind and whose text is text alone, for texts that clients compare.
func Tell(kind error, format string, args ...any) error {
	return &told{kind, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return Tell(secret.ErrInvalid, format, args...) }
