package detectsecrets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What is read must be written so that any JSON reader gets the same, in ASCII.
func FuzzBaseline(f *testing.F) {
	f.Add([]byte(`{"version": "1.5.0", "plugins_used": [{"name": "AWSKeyDetector"}], "results": {"a.py": [{"type": "x", "hashed_secret": "y", "line_number": 3, "is_secret": false}]}}`))
	f.Add([]byte(`{"a": [1.50, "\u00fc\ud83d\ude00", null, true, {}], "a": {"b": []}}`))
	f.Add([]byte(`{"version": "0.11.0", "exclude_regex": "x", "plugins_used": [{"name": "HexHighEntropyString", "hex_limit": 3}], "results": {}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parseObject(b)
		if err != nil {
			return
		}
		text := encode(o, 2)
		if i := strings.IndexFunc(text, func(r rune) bool { return r > 0x7f }); i >= 0 {
			t.Fatalf("not ASCII at %d: %q", i, text)
		}
		again, err := parseObject([]byte(text))
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if encode(again, 2) != text {
			t.Fatalf("%s became %s", text, encode(again, 2))
		}
		var want, got any
		if json.Unmarshal(b, &want) == nil {
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			x, _ := json.Marshal(want)
			y, _ := json.Marshal(got)
			if !bytes.Equal(x, y) {
				t.Fatalf("%s became %s", x, y)
			}
		}
		up := upgrade(o, o.text("version"))
		if s, err := secretsOf(up); err == nil {
			s.json(true)
		}
		if s, err := fromBaseline(up, "b"); err == nil {
			_, _ = s.compile(func(string, ...any) {}) // may refuse, must not panic
		}
	})
}

func FuzzViews(f *testing.F) {
	f.Add("[a]\nk = v\n  more\n; c\nx: %(k)s\n", "f.ini")
	f.Add("a:\n  - b: c # d\n  - &x {e: f}\n  - *x\n", "f.yaml")
	f.Add("PASSWORD=x\n", ".env")
	f.Add("\x80=0", "0")
	e, err := defaultSettings().compile(func(string, ...any) {})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 4096 {
			return
		}
		for _, view := range views(text, name) {
			for _, s := range e.scanLines(view, name) {
				if s.line < 1 || s.line > len(view) || s.hash != hash(s.value) {
					t.Fatalf("%+v of %d lines", s, len(view))
				}
			}
		}
	})
}

// TestReferencesAreBounded: a file whose references come to more than anybody's memory is looked at line by line.
func TestReferencesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("[s]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "k%d = %s\n", i, strings.Repeat(fmt.Sprintf("%%(k%d)s", i+1), 50))
	}
	b.WriteString("k9 = x\n")
	if lines, err := iniLines(b.String(), false); err == nil {
		t.Errorf("filled in to %d lines", len(lines))
	}
}
