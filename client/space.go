package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// A Space is a named container of secrets on the server. Client.Space makes one.
type Space struct {
	c    *Client
	name string

	mu   sync.Mutex
	held *Values // guarded by mu: the last answer; nil when there is none, or the server took it back
}

// Name of the Space.
func (s *Space) Name() string { return s.name }

// Read asks for the current version of one secret.
func (s *Space) Read(ctx context.Context, path string) (Secret, error) {
	return s.ReadVersion(ctx, path, 0)
}

// ReadVersion asks for a certain version; 0 is the current one.
func (s *Space) ReadVersion(ctx context.Context, path string, number uint64) (Secret, error) {
	var a struct {
		Kind    string            `json:"kind"`
		Text    string            `json:"text"`
		Bytes   []byte            `json:"bytes"`
		Map     json.RawMessage   `json:"map"`
		Version uint64            `json:"version"`
		Created time.Time         `json:"created"`
		Custom  map[string]string `json:"custom"`
	}
	at := "keephold/value/" + escape(s.name+"/"+path)
	if number > 0 {
		at += "?version=" + url.QueryEscape(strconv.FormatUint(number, 10))
	}
	if err := s.c.ask(ctx, http.MethodGet, at, &a); err != nil {
		return Secret{}, fmt.Errorf("%s/%s: %w", s.name, path, err)
	}
	got := Secret{Version: a.Version, Created: a.Created, Custom: a.Custom}
	switch a.Kind {
	case "map":
		got.Value.b = a.Map
		var raw map[string]json.RawMessage
		if json.Unmarshal(a.Map, &raw) != nil {
			return Secret{}, fmt.Errorf("%s/%s: the answer is not understood", s.name, path)
		}
		got.Fields = make(map[string]Value, len(raw))
		for name, b := range raw {
			var text string
			if json.Unmarshal(b, &text) == nil {
				b = []byte(text)
			}
			got.Fields[name] = Value{b}
		}
	case "binary":
		got.Value.b = a.Bytes
	default:
		got.Value.b = []byte(a.Text)
	}
	return got, nil
}

// List asks for the names in a folder of the Space, "" for its top. The name of a folder ends with "/". A folder with
// nothing in it is an empty list.
func (s *Space) List(ctx context.Context, folder string) ([]string, error) {
	var a struct {
		Keys []string `json:"keys"`
	}
	at := escape(s.name) + "/metadata"
	if folder != "" {
		at += "/" + escape(folder)
	}
	err := s.c.ask(ctx, "LIST", at, &a)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s/%s: %w", s.name, folder, err)
	}
	return a.Keys, nil
}

// Values are the settings of the Space that the caller may read, each a secret of its own at its top, from memory while they
// are fresh.
func (s *Space) Values(ctx context.Context) (*Values, error) {
	s.mu.Lock()
	defer s.mu.Unlock() // whoever else wants them waits for this one answer
	if s.held != nil && s.held.Age() < s.c.fresh {
		return s.held, nil
	}
	return s.refresh(ctx)
}

// Refresh asks the server, whatever is in memory.
func (s *Space) Refresh(ctx context.Context) (*Values, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refresh(ctx)
}

// Forget drops what is in memory.
func (s *Space) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = nil
}

// refresh asks the server. The caller holds s.mu.
func (s *Space) refresh(ctx context.Context) (*Values, error) {
	v, err := s.fetch(ctx)
	switch {
	case err == nil:
		s.held = v
	case !errors.Is(err, ErrUnavailable) && ctx.Err() == nil:
		s.held = nil // the server said no
	case s.held != nil && ctx.Err() == nil && s.held.Age() < s.c.stale:
		return s.held, nil
	}
	return v, err
}

func (s *Space) fetch(ctx context.Context) (*Values, error) {
	var a struct {
		Values   map[string]string `json:"values"`
		Versions map[string]uint64 `json:"versions"`
	}
	asked := s.c.now() // the answer is at least as old as the question
	if err := s.c.ask(ctx, http.MethodGet, "keephold/env/"+escape(s.name), &a); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	v := &Values{values: make(map[string]Value, len(a.Values)), versions: a.Versions, at: asked, now: s.c.now}
	for name, text := range a.Values {
		v.values[name] = Value{[]byte(text)}
	}
	return v, nil
}
