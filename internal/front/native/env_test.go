package native

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// TestEnvironmentIsJSON: what is written by hand reads back as what the library would have written.
func TestEnvironmentIsJSON(t *testing.T) {
	texts := map[string]string{
		"PLAIN": "value-0001", "QUOTED": `a "b" \ c`, "LINES": "a\r\nb\tc", "NUL": "a\x00b", "MARKUP": "<a href=x>&</a>", "WIDE": "é 漢 😀 \u2028",
		"BROKEN": "a\xff\xfe", "EMPTY": "", "odd \"name\"\n": "x",
	}
	f := custody.FolderReading{Revision: 7, Updated: time.Date(2026, 11, 30, 1, 2, 3, 456, time.UTC), Partial: true}
	want := struct {
		Values   map[string]string `json:"values"`
		Versions map[string]uint64 `json:"versions"`
		Revision uint64            `json:"revision"`
		Updated  time.Time         `json:"updated"`
		Lease    int64             `json:"lease"`
		Partial  bool              `json:"partial"`
	}{map[string]string{}, map[string]uint64{}, 7, f.Updated, 60, true}
	for name, text := range texts {
		f.Children = append(f.Children, custody.FolderChild{Name: name, Value: secret.NewValue([]byte(text)), Version: uint64(len(text) + 1)})
		want.Values[name], want.Versions[name] = text, uint64(len(text)+1)
	}
	byLibrary, err := json.Marshal(map[string]any{"data": want})
	if err != nil {
		t.Fatal(err)
	}
	byHand := appendEnv(nil, &f, time.Minute)
	a, b := want, want
	a.Values, a.Versions, b.Values, b.Versions = nil, nil, nil, nil
	for text, into := range map[*[]byte]any{&byLibrary: &struct{ Data any }{&a}, (*[]byte)(&byHand): &struct{ Data any }{&b}} {
		if err := json.Unmarshal(*text, into); err != nil {
			t.Fatalf("%v\n%s", err, *text)
		}
	}
	if !maps.Equal(a.Values, b.Values) || !maps.Equal(a.Versions, b.Versions) || len(b.Values) != len(texts) {
		t.Errorf("got %q\nwant %q", b.Values, a.Values)
	}
	if a.Revision != b.Revision || !a.Updated.Equal(b.Updated) || a.Lease != b.Lease || a.Partial != b.Partial {
		t.Errorf("got %+v, want %+v", b, a)
	}
	empty := appendEnv(nil, &custody.FolderReading{}, 0)
	if !json.Valid(empty) {
		t.Errorf("an empty one: %s", empty)
	}
}
