package store

import (
	"encoding/json"
	"fmt"
)

// Format is the newest format this build reads and writes. A release reads its own format and the one before, and writes the older
// one until it is told to upgrade.
const Format uint32 = 1

// MaxHeader bounds the encoded header.
const MaxHeader = 64 << 10

// Header is what a store says about itself. An engine looks at nothing in it but the two format numbers.
//
// It is stored as JSON, so that a person with a hex viewer and a broken file can read it.
type Header struct {
	Installation string   `json:"installation"`       // names this installation for ever
	MinReader    uint32   `json:"min_reader"`         // formats below cannot read the store
	MinWriter    uint32   `json:"min_writer"`         // formats below cannot write it without harm
	Features     []string `json:"features,omitempty"` // opaque here
}

// Encode returns the stored form.
func (h Header) Encode() ([]byte, error) {
	b, err := json.Marshal(h)
	if err == nil && len(b) > MaxHeader {
		err = fmt.Errorf("header of %d bytes: %w", len(b), ErrInvalid)
	}
	return b, err
}

// DecodeHeader reads the stored form. Members it does not know are left aside: a newer format must still be able to say
// that it is newer.
func DecodeHeader(b []byte) (Header, error) {
	var h Header
	if len(b) > MaxHeader {
		return Header{}, fmt.Errorf("header of %d bytes: %w", len(b), ErrCorrupt)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return Header{}, fmt.Errorf("header: %w", ErrCorrupt)
	}
	if h.MinReader == 0 || h.MinWriter == 0 {
		return Header{}, fmt.Errorf("header without format: %w", ErrCorrupt)
	}
	return h, nil
}

// Check refuses a store that a build knowing format know may not open.
func (h Header) Check(path string, know uint32, write bool) error {
	if h.MinReader > know {
		return &FormatError{Path: path, Want: h.MinReader, Know: know}
	}
	if write && h.MinWriter > know {
		return &FormatError{Path: path, Want: h.MinWriter, Know: know, Write: true}
	}
	return nil
}
