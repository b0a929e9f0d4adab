package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Writer writes one snapshot. Write takes the state; Close ends it.
type Writer struct {
	gz   *gzip.Writer
	tar  *tar.Writer
	meta func(state []byte) (Meta, error)
	seal func(digest []byte) ([]byte, error)

	made  time.Time
	buf   []byte
	count int
	sums  bytes.Buffer
}

// NewWriter begins a snapshot. meta is asked once, with the first bytes of the state; seal once, at the end.
func NewWriter(w io.Writer, meta func(state []byte) (Meta, error), seal func(digest []byte) ([]byte, error)) *Writer {
	gz, err := gzip.NewWriterLevel(w, gzip.NoCompression) // what is in it is ciphertext
	if err != nil {
		panic("snapshot: internal error: " + err.Error())
	}
	return &Writer{gz: gz, tar: tar.NewWriter(gz), meta: meta, seal: seal, buf: make([]byte, 0, piece)}
}

// Write takes the next bytes of the state.
func (s *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(len(p), piece-len(s.buf))
		s.buf = append(s.buf, p[:take]...)
		p = p[take:]
		if len(s.buf) == piece {
			if err := s.flush(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, nil
}

// Close writes what is left, the digests and the seal. It does not close the writer below.
func (s *Writer) Close() error {
	if err := s.flush(); err != nil {
		return err
	}
	sums := bytes.Clone(s.sums.Bytes())
	digest := sha256.Sum256(sums)
	sealed, err := s.seal(digest[:])
	if err != nil {
		return fmt.Errorf("sealing snapshot: %w", err)
	}
	if err := s.member(sumsName, sums); err != nil {
		return err
	}
	if err := s.member(sealedName, sealed); err != nil {
		return err
	}
	if err := s.tar.Close(); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	if err := s.gz.Close(); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	return nil
}

// flush writes one piece, and the description before the first one.
func (s *Writer) flush() error {
	if s.made.IsZero() {
		m, err := s.meta(s.buf)
		if err != nil {
			return err
		}
		m.Format, s.made = Format, m.Created.UTC().Truncate(time.Second)
		text, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return err
		}
		if err := s.member(metaName, append(text, '\n')); err != nil {
			return err
		}
	}
	if len(s.buf) == 0 {
		return nil
	}
	err := s.member(fmt.Sprintf(stateName, s.count), s.buf)
	s.count++
	s.buf = s.buf[:0]
	return err
}

func (s *Writer) member(name string, data []byte) error {
	fmt.Fprintf(&s.sums, "%x  %s\n", sha256.Sum256(data), name)
	h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: s.made, Format: tar.FormatUSTAR}
	if err := s.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	if _, err := s.tar.Write(data); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	return nil
}
