// Package http posts audit records to a collector, many at a time, as newline-delimited JSON.
package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/keephold/keephold/internal/audit"
)

// Sink posts to URL. Any answer of the 200 class means that the collector holds the records. The header
// Keephold-First-Seq lets it tell a repetition.
type Sink struct {
	URL    string
	Client *http.Client            // nil: a client that does not follow redirects
	Header func(http.Header) error // adds credentials, read anew for each call; may be nil
}

var _ audit.Sink = (*Sink)(nil)

// Append posts all records in one request.
func (s *Sink) Append(ctx context.Context, records []audit.Record) error {
	if len(records) == 0 {
		return nil
	}
	var body []byte
	for _, r := range records {
		body = r.AppendLine(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("http: the address of the collector is not a URL") // the URL may hold a credential
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Keephold-First-Seq", strconv.FormatUint(records[0].Seq, 10))
	if s.Header != nil {
		if err := s.Header(req.Header); err != nil {
			return fmt.Errorf("http: credentials: %w", err)
		}
	}
	client := s.Client
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the rest quotes the URL
		}
		return fmt.Errorf("http: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // lets the connection be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("http: the collector answered %d", resp.StatusCode)
	}
	return nil
}
