// Package stdout writes audit records as JSON lines, for a supervisor that collects what a process prints.
package stdout

import (
	"context"
	"fmt"
	"io"

	"github.com/keephold/keephold/internal/audit"
)

// Sink writes each record, with its number, as one line to W.
type Sink struct {
	W   io.Writer
	buf []byte // owned by the one goroutine that calls Append
}

var _ audit.Sink = (*Sink)(nil)

// Append writes all records with one call of Write.
func (s *Sink) Append(_ context.Context, records []audit.Record) error {
	s.buf = s.buf[:0]
	for _, r := range records {
		s.buf = r.AppendLine(s.buf)
	}
	if _, err := s.W.Write(s.buf); err != nil {
		return fmt.Errorf("stdout: %w", err)
	}
	return nil
}
