package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Reader reads one snapshot: Meta at once, the state by Read until io.EOF, then Finish.
type Reader struct {
	Meta Meta

	source *source
	tar    *tar.Reader
	rest   []byte // of the piece at hand
	count  int
	ended  bool // the state has ended and SHA256SUMS was good
	err    error
	sums   bytes.Buffer
	digest [sha256.Size]byte
}

// source remembers an error of the reader below, which is no damage of the snapshot.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
	return n, err
}

// NewReader reads the description. A format that is not known is not refused here: only Meta can be trusted to be
// there, and the caller knows what to tell.
func NewReader(r io.Reader) (*Reader, error) {
	s := &Reader{source: &source{r: r}}
	gz, err := gzip.NewReader(s.source)
	if err != nil {
		return nil, s.fault(err, "it does not begin like one")
	}
	gz.Multistream(false)
	s.tar = tar.NewReader(gz)
	text, err := s.member(metaName, maxMeta)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &s.Meta); err != nil || s.Meta.Format == 0 || s.Meta.Installation == "" {
		return nil, damaged("%s does not read", metaName)
	}
	return s, nil
}

// Read yields the state.
func (s *Reader) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.ended {
			return 0, io.EOF
		}
		s.err = s.next()
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next reads a piece, or the digests behind the last one.
func (s *Reader) next() error {
	h, err := s.tar.Next()
	if err != nil {
		return s.fault(err, "it is cut short")
	}
	if h.Name == sumsName {
		want := bytes.Clone(s.sums.Bytes())
		got, err := s.data(h, maxSums)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return damaged("%s tells other digests", sumsName)
		}
		s.digest, s.ended = sha256.Sum256(got), true
		return nil
	}
	if h.Name != fmt.Sprintf(stateName, s.count) {
		return damaged("%q where piece %d is due", clip(h.Name), s.count)
	}
	s.count++
	s.rest, err = s.data(h, piece)
	return err
}

// Finish reads what is behind the state: the digest of everything before, and its seal, which the caller opens. It
// reads the rest of the state if that was not read.
func (s *Reader) Finish() (digest, sealed []byte, err error) {
	if _, err := io.Copy(io.Discard, s); err != nil {
		return nil, nil, err
	}
	if sealed, err = s.member(sealedName, maxSealed); err != nil {
		return nil, nil, err
	}
	if _, err := s.tar.Next(); !errors.Is(err, io.EOF) {
		return nil, nil, s.fault(err, "something follows its end")
	}
	return bytes.Clone(s.digest[:]), sealed, nil
}

func (s *Reader) member(name string, most int64) ([]byte, error) {
	h, err := s.tar.Next()
	if err != nil {
		return nil, s.fault(err, "%s is missing", name)
	}
	if h.Name != name {
		return nil, damaged("%q where %s is due", clip(h.Name), name)
	}
	return s.data(h, most)
}

func (s *Reader) data(h *tar.Header, most int64) ([]byte, error) {
	if h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > most {
		return nil, damaged("%s has %d bytes", clip(h.Name), h.Size)
	}
	var b bytes.Buffer // grows with what is there, not with what is claimed
	if n, err := io.Copy(&b, s.tar); err != nil || n != h.Size {
		return nil, s.fault(err, "%s is cut short", clip(h.Name))
	}
	fmt.Fprintf(&s.sums, "%x  %s\n", sha256.Sum256(b.Bytes()), h.Name)
	return b.Bytes(), nil
}

// fault is the error of the reader below, if it had one; else the snapshot is damaged.
func (s *Reader) fault(_ error, format string, args ...any) error {
	if s.source.err != nil {
		return fmt.Errorf("reading snapshot: %w", s.source.err)
	}
	return damaged(format, args...)
}

func clip(name string) string { return name[:min(len(name), 64)] }
