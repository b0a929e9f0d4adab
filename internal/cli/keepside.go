package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// keepSide is a folder of one of our Spaces as package mirror sees it: a store like the others, whose names are paths.
type keepSide struct {
	api   *api
	space string
	whole bool // the Space stands for the store there: ids and labels of versions are taken over
}

var _ provider.Provider = (*keepSide)(nil)

// List answers the paths below a folder; prefix is "" or ends in '/'.
func (k *keepSide) List(ctx context.Context, prefix string) iter.Seq2[provider.Ref, error] {
	return func(yield func(provider.Ref, error) bool) {
		for next := ""; ; {
			var page struct {
				Paths []string `json:"paths"`
				Next  string   `json:"next"`
			}
			path := strings.TrimSuffix("keephold/tree/"+escapePath(k.space)+"/"+escapePath(prefix), "/")
			err := k.api.call(ctx, http.MethodGet, path+"?limit=1000&next="+url.QueryEscape(next), nil, &page)
			if status(err) == http.StatusNotFound {
				return // a Space that is not there yet is empty
			}
			if err != nil {
				yield(provider.Ref{}, k.fail("the list of "+k.space, err))
				return
			}
			for _, p := range page.Paths {
				if !yield(provider.Ref{Name: p}, nil) {
					return
				}
			}
			if next = page.Next; next == "" {
				return
			}
		}
	}
}

// sentValue is a value in the form of the native API.
type sentValue struct {
	Kind        string          `json:"kind,omitempty"`
	Text        *string         `json:"text,omitempty"`
	Bytes       []byte          `json:"bytes,omitempty"`
	Map         json.RawMessage `json:"map,omitempty"`
	Version     uint64          `json:"version,omitempty"`
	CAS         *uint64         `json:"cas,omitempty"`
	ContentType string          `json:"content_type,omitempty"`
	ID          string          `json:"id,omitempty"`
	Labels      []string        `json:"labels,omitempty"`
	Suffix      string          `json:"suffix,omitempty"`

	Tags map[string]string `json:"tags,omitempty"`
}

// Read answers the version that is current here.
func (k *keepSide) Read(ctx context.Context, ref provider.Ref) (provider.Secret, error) {
	var got sentValue
	if err := k.api.call(ctx, http.MethodGet, k.url("value", ref.Name), nil, &got); err != nil {
		return provider.Secret{}, k.fail(ref.Name, err)
	}
	s := provider.Secret{Ref: provider.Ref{Name: ref.Name, Revision: strconv.FormatUint(got.Version, 10)}, ContentType: got.ContentType}
	s.ID, s.Labels = got.ID, got.Labels
	switch got.Kind {
	case "map":
		s.Kind, s.Value = secret.Map, secret.NewValue(got.Map)
	case "binary":
		s.Kind, s.Value = secret.Binary, secret.NewValue(got.Bytes)
	default:
		if got.Text != nil {
			s.Value = secret.NewValue([]byte(*got.Text))
		}
	}
	return s, nil
}

// Write stores a version that takes the place of the one it was compared with. What AWS has ids and labels for is taken over with
// them: a version that is here already is left as it is, so that a run which was cut off can be made again.
func (k *keepSide) Write(ctx context.Context, s provider.Secret) (provider.Ref, error) {
	if !k.whole || s.ID == "" {
		v := sentOf(&s.Version)
		v.ContentType, v.Tags = s.ContentType, s.Tags
		replaces, err := strconv.ParseUint(s.Revision, 10, 64)
		if err == nil {
			v.CAS = &replaces
		}
		return k.put(ctx, s.Name, v)
	}
	labels := map[string]string{}
	for _, old := range s.Older {
		for _, l := range old.Labels {
			labels[l] = old.ID
		}
		if _, err := k.put(ctx, s.Name, k.taken(&s, &old)); err != nil {
			return provider.Ref{}, err
		}
	}
	for _, l := range s.Labels {
		labels[l] = s.ID
	}
	ref, err := k.put(ctx, s.Name, k.taken(&s, &s.Version))
	if err != nil || s.Revision == "" && len(s.Older) == 0 {
		return ref, err
	}
	for _, l := range []string{secret.LabelPrevious, secret.LabelPending} {
		if labels[l] == "" {
			labels[l] = "" // nobody has it there
		}
	}
	err = k.api.call(ctx, http.MethodPut, k.url("labels", s.Name), map[string]any{"labels": labels}, nil)
	return ref, k.fail(s.Name, err)
}

func (k *keepSide) taken(s *provider.Secret, v *provider.Version) sentValue {
	out := sentOf(v)
	out.ID, out.Labels, out.Suffix, out.Tags = v.ID, v.Labels, s.Suffix, s.Tags
	if len(out.Suffix) != 6 || !secret.Alphanumeric(out.Suffix) { // a store that has no such ends, as emulators have none
		out.Suffix = ""
	}
	return out
}

func sentOf(v *provider.Version) sentValue {
	text := reveal(v.Value)
	switch v.Kind {
	case secret.Map:
		return sentValue{Map: json.RawMessage(text)}
	case secret.Binary:
		return sentValue{Bytes: []byte(text)}
	}
	return sentValue{Text: &text}
}

func (k *keepSide) put(ctx context.Context, name string, v sentValue) (provider.Ref, error) {
	var out struct {
		Version uint64 `json:"version"`
	}
	if err := k.api.call(ctx, http.MethodPut, k.url("value", name), v, &out); err != nil {
		return provider.Ref{}, k.fail(name, err)
	}
	return provider.Ref{Name: name, Revision: strconv.FormatUint(out.Version, 10)}, nil
}

// Delete deletes the newest version; keephold undelete brings it back.
func (k *keepSide) Delete(ctx context.Context, ref provider.Ref) error {
	return k.fail(ref.Name, k.api.call(ctx, http.MethodDelete, escapePath(k.space)+"/data/"+escapePath(ref.Name), nil, nil))
}

func (k *keepSide) url(what, name string) string {
	return "keephold/" + what + "/" + escapePath(k.space) + "/" + escapePath(name)
}

// fail says what an error of the API means in the words that providers have.
func (k *keepSide) fail(doing string, err error) error {
	is := secret.ErrUnavailable
	switch status(err) {
	case 0:
		var f *fault
		switch {
		case err == nil:
			return nil
		case errors.As(err, &f) && f.code != exitUnreachable:
			return err
		}
	case http.StatusNotFound:
		is = secret.ErrNotFound
	case http.StatusForbidden:
		is = secret.ErrDenied
	case http.StatusUnauthorized:
		is = secret.ErrSignIn
	case http.StatusBadRequest:
		is = secret.ErrInvalid
		if strings.Contains(err.Error(), "check-and-set parameter did not match") {
			is = secret.ErrConflict
		}
	case http.StatusConflict:
		is = secret.ErrConflict
	case http.StatusRequestEntityTooLarge:
		is = secret.ErrTooLarge
	case http.StatusServiceUnavailable:
		is = secret.ErrSealed
	case http.StatusTooManyRequests:
		is = secret.ErrLimited
	}
	return fmt.Errorf("%s: %w: %w", doing, is, err)
}
