package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// DecodeEvent reads a record. Members that this release does not know are ignored.
func DecodeEvent(rec []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(rec, &e); err != nil {
		return Event{}, fmt.Errorf("audit record: %w", err)
	}
	if e.Kind == 0 {
		return Event{}, errors.New("audit record: no kind")
	}
	return e, nil
}

// onceKey identifies a record for AppendOnce.
type onceKey [16]byte

func makeOnceKey(id string, part int) onceKey {
	var buf [64]byte
	b := append(buf[:0], id...)
	b = append(b, 0)
	b = strconv.AppendInt(b, int64(part), 10)
	sum := sha256.Sum256(b)
	return onceKey(sum[:16])
}

// recordID reads id and part off the front of a canonical record, without decoding the rest.
func recordID(rec []byte) (id string, part int, ok bool) {
	const head = `{"id":"`
	if !bytes.HasPrefix(rec, []byte(head)) {
		return "", 0, false
	}
	rest := rec[len(head):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		e, err := DecodeEvent(rec)
		return e.ID, e.Part, err == nil
	}
	id, rest = string(rest[:end]), rest[end+1:]
	if digits, found := bytes.CutPrefix(rest, []byte(`,"part":`)); found {
		if n := bytes.IndexByte(digits, ','); n > 0 {
			part, _ = strconv.Atoi(string(digits[:n]))
		}
	}
	return id, part, true
}
