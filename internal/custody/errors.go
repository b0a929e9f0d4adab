package custody

import (
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/secret"
)

var errBehind = errors.New("the audit log does not keep up with changes")

// unavailable says that nothing can be served because nothing can be recorded.
func unavailable(err error) error {
	return fmt.Errorf("%w: the audit log cannot take a record: %w", secret.ErrUnavailable, err)
}

// sentinelText is the part of an error that may stand in a record: the sentinel it wraps, never its text.
func sentinelText(err error) string {
	for _, s := range secret.Sentinels() {
		if errors.Is(err, s) {
			return s.Error()
		}
	}
	return "internal error"
}
