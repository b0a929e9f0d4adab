package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// chain follows the keys of a log: one that is trusted signs over the record that announces the next.
type chain struct {
	later     []later  // checkpoints that no trusted key has signed so far
	announced []string // by records that no trusted checkpoint covers yet
}

type later struct {
	signed []byte
	err    error // what is wrong with it, if it stays so
}

// read notes the key that a record announces.
func (t *chain) read(rec []byte) {
	if len(t.later) == 0 || !bytes.Contains(rec, []byte(signingKey)) {
		return
	}
	e, err := DecodeEvent(rec)
	if err != nil || e.Kind != SystemEvent || e.Action != signingKey {
		return
	}
	for _, p := range e.Links {
		if p.Name == "key" && !slices.Contains(t.announced, p.Value) { // a crash lets it be announced again
			t.announced = append(t.announced, p.Value)
		}
	}
}

// believe takes the announced keys for good, because a trusted checkpoint covers all records so far, and adds what they
// have signed to the checkpoints to come.
func (v *verifier) believe() error {
	t := &v.trust
	if len(t.announced) == 0 {
		return nil
	}
	keys := t.announced
	t.announced = nil
	var rest []later
	for _, l := range t.later {
		c, err := openCheckpoint(l.signed, keys)
		var other *note.UnverifiedNoteError
		switch {
		case errors.As(err, &other):
			rest = append(rest, l)
		case err != nil:
			return fmt.Errorf("%w (%w)", l.err, err)
		case c.size < v.report.Records:
			return fmt.Errorf("%w: a key signed over %d records before it was announced", ErrTampered, c.size)
		default:
			v.marks = append(v.marks, c)
		}
	}
	t.later = rest
	slices.SortStableFunc(v.marks, func(a, b checkpoint) int { return int(int64(a.size) - int64(b.size)) })
	return nil
}
