package hcl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/keephold/keephold/internal/policy"
)

// parseJSON reads strict JSON. The HCL library has a JSON reader too, but it drops booleans in lists and takes texts that are not JSON.
func parseJSON(src []byte) (*node, *Error) {
	j := jsonReader{src: src, d: json.NewDecoder(bytes.NewReader(src))}
	j.d.UseNumber()
	n, err := j.value(1)
	if err == nil {
		if _, end := j.d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("there is more after the policy's closing brace")
		}
	}
	if err != nil {
		return nil, &Error{Line: j.line(), Err: fmt.Errorf("not JSON: %w", err)}
	}
	return n, nil
}

type jsonReader struct {
	src  []byte
	d    *json.Decoder
	seen int64 // offset up to which newlines are counted
	at   int   // newlines before seen
}

func (j *jsonReader) line() int {
	to := j.d.InputOffset()
	j.at += bytes.Count(j.src[j.seen:to], []byte{'\n'})
	j.seen = to
	return j.at + 1
}

func (j *jsonReader) value(depth int) (*node, error) {
	t, err := j.d.Token()
	if err != nil {
		return nil, endOf(err)
	}
	n := &node{line: j.line()}
	switch v := t.(type) {
	case json.Delim:
		if depth > MaxDepth {
			return nil, fmt.Errorf("more than %d levels inside each other", MaxDepth)
		}
		if v == '[' {
			n.shape = list
			return n, j.elems(n, depth)
		}
		n.shape = object
		return n, j.items(n, depth)
	case string:
		n.text, n.str, n.value = v, true, policy.StringValue(v)
	case json.Number:
		n.value = policy.Value(v.String())
	case bool:
		n.value = "false"
		if v {
			n.value = "true"
		}
	default:
		n.value = "null"
	}
	return n, nil
}

func (j *jsonReader) elems(n *node, depth int) error {
	for j.d.More() {
		e, err := j.value(depth + 1)
		if err != nil {
			return err
		}
		n.elems = append(n.elems, e)
	}
	_, err := j.d.Token()
	return endOf(err)
}

func (j *jsonReader) items(n *node, depth int) error {
	known := map[string]bool{}
	for j.d.More() {
		t, err := j.d.Token()
		if err != nil {
			return endOf(err)
		}
		key, _ := t.(string) // the decoder lets nothing else be a key
		if known[key] {
			return fmt.Errorf("the key %q stands twice in one object: keep one", key)
		}
		known[key] = true
		it := item{keys: []string{key}, line: j.line()}
		if it.val, err = j.value(depth + 1); err != nil {
			return err
		}
		n.items = append(n.items, it)
	}
	_, err := j.d.Token()
	return endOf(err)
}

func endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
