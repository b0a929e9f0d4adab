package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/wire"
)

func TestObject(t *testing.T) {
	for _, c := range []struct{ in, fault string }{
		{``, ``}, {` `, ``}, {`{"a":1,"b":{"a":[1,{"x":null}]}}`, ``},
		{`{"a":1,"a":2}`, `stands twice`}, {`{"o":{"a":1,"a":2}}`, `stands twice`}, {`{"a\u0000":1}`, `holds a NUL`},
		{`[1]`, `must be a JSON object`}, {`null`, `must be a JSON object`}, {`{}{}`, `follows`}, {`{`, `well-formed`}, {`{"a":}`, `well-formed`},
		{strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9), `too deeply`}, {"{\"\xff\":1}", `UTF-8`},
	} {
		_, err := wire.Object([]byte(c.in), 8)
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%s: got %v", c.in, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: got %v, want %q", c.in, err, c.fault)
		}
	}
}

// FuzzObject holds that Object takes what a walk over encoding/json's tokens takes, and finds the members that it finds.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,{"b":null}]}`, ` { "a" : "x\\"}" , "b":[ ] ,"c":{} }`, `{"\u0061":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"\ud800":true,"\ud801":-1e5}`, `{"":{"":[[],{}]}}`, "{}\u00a0",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const depth = 6
		got, err := wire.Object(b, depth)
		want, wantErr := byTokens(b, depth)
		if (err == nil) != (wantErr == nil) || !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%q\ngot  %q, %v\nwant %q, %v", b, got, err, want, wantErr)
		}
	})
}

func byTokens(b []byte, depth int) (members map[string]json.RawMessage, err error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := walk(d, depth); err != nil || !utf8.Valid(b) {
		return nil, fmt.Errorf("refused: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows")
	}
	if err := json.Unmarshal(b, &members); err != nil || members == nil {
		return nil, fmt.Errorf("no object: %w", err)
	}
	return members, nil
}

func walk(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return errors.New("too deep")
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			k, err := d.Token()
			name, _ := k.(string)
			if err != nil || seen[name] || strings.ContainsRune(name, 0) {
				return fmt.Errorf("name: %w", err)
			}
			seen[name] = true
		}
		if err := walk(d, depth-1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// FuzzCanonical holds that what is plain comes out as encoding/json writes it.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":"1","a":"<&> \u007f"}`, ` { "b" : "" ,
"" : "x" } `, `{"a":"1","a":"2"}`, `{"a":"é"}`, `{"a":"\n"}`, `{"a":1.0}`, `{}`, `{"a":"b",}`, `{"a":"b"}}`, `{"a":"b"} x`, `{"a":"b`, `{"a" "b"}`, `{"a":null}`, "{\"a\":\"\x00\"}", "{\"a\":\"b\"}\x00", `{"a!":"1","a":"2"}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want []byte
		var m map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		err := d.Decode(&m)
		if _, end := d.Token(); err == nil && m != nil && end == io.EOF {
			var w bytes.Buffer
			e := json.NewEncoder(&w)
			e.SetEscapeHTML(false)
			if err := e.Encode(m); err != nil {
				t.Fatal(err)
			}
			want = bytes.TrimSuffix(w.Bytes(), []byte("\n"))
		}
		got, err := wire.Canonical(b)
		if (err == nil) != (want != nil) || !bytes.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", b, got, err, want)
		}
	})
}

func BenchmarkCanonical(b *testing.B) {
	text := []byte(`{"password":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","user":"service-7","host":"db.internal"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Canonical(text); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzAppendText holds that a string is written as encoding/json writes it.
func FuzzAppendText(f *testing.F) {
	for _, seed := range []string{"", "plain", `"<&>\`, "\u2028\x7f", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := wire.AppendText(nil, s); string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func BenchmarkObject(b *testing.B) {
	text := []byte(`{"SecretId":"service-007","VersionStage":"AWSCURRENT"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Object(text, 64); err != nil {
			b.Fatal(err)
		}
	}
}
