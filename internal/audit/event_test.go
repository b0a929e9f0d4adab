package audit_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
)

var keyed = "hmac-sha256:" + strings.Repeat("0a", 32)

func fullEvent() audit.Event {
	return audit.Event{
		ID: "r-1", Part: 1, Parts: 2, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Kind: audit.Change, Action: "write",
		Who:      audit.Who{ID: "i", Name: "n", Method: "m", Accessor: keyed, Policies: []string{"p", "q"}, Entity: "e"},
		From:     audit.From{Addr: "a", UserAgent: "u", RequestID: "r", Dialect: "d"},
		What:     audit.What{Namespace: "ns", Space: "s", Path: "p/q", UID: "u", Version: 18446744073709551615, Capability: "create"},
		Decision: audit.Decision{Allowed: true, Rule: "r", Reason: "because"},
		Cipher:   "00ff", Values: []string{keyed, keyed}, Items: []audit.What{{Path: "x"}, {}, {Version: 2}},
		Links: []audit.Pair{{Name: "a", Value: "b"}, {Name: "c"}},
	}
}

func TestEventGolden(t *testing.T) {
	e := fullEvent()
	want := `{"id":"r-1","part":1,"parts":2,"time":"2026-01-02T03:04:05.000000006Z","kind":"change","action":"write",` +
		`"who":{"id":"i","name":"n","method":"m","accessor":"` + keyed + `","policies":["p","q"],"entity":"e"},` +
		`"from":{"addr":"a","agent":"u","request":"r","dialect":"d"},` +
		`"what":{"ns":"ns","space":"s","path":"p/q","uid":"u","version":18446744073709551615,"capability":"create"},` +
		`"decision":{"allowed":true,"rule":"r","reason":"because"},"cipher":"00ff","values":["` + keyed + `","` + keyed + `"],` +
		`"items":[{"path":"x"},{},{"version":2}],"links":[{"name":"a","value":"b"},{"name":"c"}]}` + "\n"
	if got := string(e.AppendJSON(nil)); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	back, err := audit.DecodeEvent([]byte(want))
	if err != nil || !reflect.DeepEqual(back, e) {
		t.Fatalf("got %+v, %v", back, err)
	}
}

// Every field of Event must reach the record: a field forgotten in the hand-written encoder is a fact lost.
func TestEveryFieldIsWritten(t *testing.T) {
	e := fullEvent()
	zero := 0
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		for i := range v.NumField() {
			f, n := v.Field(i), name+"."+v.Type().Field(i).Name
			if f.IsZero() {
				t.Errorf("%s is zero in the test's event", n)
				zero++
			}
			if f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
				walk(f, n)
			}
		}
	}
	walk(reflect.ValueOf(e), "Event")
	var viaJSON, viaHand map[string]any
	b, err := json.Marshal(e)
	must(t, err)
	must(t, json.Unmarshal(bytes.Replace(b, []byte(`"c","value":""`), []byte(`"c"`), 1), &viaJSON))
	must(t, json.Unmarshal(e.AppendJSON(nil), &viaHand))
	if !reflect.DeepEqual(viaJSON, viaHand) {
		t.Fatalf("got  %v\nwant %v", viaHand, viaJSON)
	}
}

func TestTextIsEscaped(t *testing.T) {
	for _, s := range []string{
		"", "plain", `quote " and \ back`, "line\nfeed\r\ttab", "\x00\x01\x1f\x7f", "ümläut ☃ 😀", "\u2028\u2029", "\"}\n{\"kind\":\"read\"",
	} {
		e := audit.Event{Kind: audit.Read, Action: s}
		rec := e.AppendJSON(nil)
		back, err := audit.DecodeEvent(rec)
		if err != nil || back.Action != s {
			t.Errorf("%q: got %q, %v", s, back.Action, err)
		}
		if bytes.Count(rec, []byte("\n")) != 1 {
			t.Errorf("%q: more than one line: %q", s, rec)
		}
	}
	e := audit.Event{Kind: audit.Read, Action: "a\xffb\xc3"}
	if back, err := audit.DecodeEvent(e.AppendJSON(nil)); err != nil || back.Action != "a\ufffdb\ufffd" {
		t.Errorf("bytes that are not UTF-8: got %q, %v", back.Action, err)
	}
	e.Action = strings.Repeat("é", 4000)
	if back, err := audit.DecodeEvent(e.AppendJSON(nil)); err != nil || back.Action != strings.Repeat("é", 2048)+"…" {
		t.Errorf("long text: got %d bytes, %v", len(back.Action), err)
	}
	e.Action = "x" + strings.Repeat("é", 4000)
	if back, err := audit.DecodeEvent(e.AppendJSON(nil)); err != nil || back.Action != "x"+strings.Repeat("é", 2047)+"…" {
		t.Errorf("long text, odd: got %d bytes, %v", len(back.Action), err)
	}
}

// A keyed field takes nothing but the output of HMAC: a plain accessor or value put there by mistake is dropped.
func TestKeyedFieldsDropPlainText(t *testing.T) {
	for _, plain := range []string{"s3cret", "hmac-sha256:s3cret", "hmac-sha256:" + strings.Repeat("S3", 32), keyed + "s3cret"} {
		e := audit.Event{Kind: audit.Read, Who: audit.Who{Accessor: plain}, Values: []string{plain, keyed, plain}}
		rec := e.AppendJSON(nil)
		if strings.Contains(strings.ToLower(string(rec)), "s3") {
			t.Errorf("%q: got %s", plain, rec)
		}
		if back, err := audit.DecodeEvent(rec); err != nil || len(back.Values) != 1 {
			t.Errorf("%q: got %v, %v", plain, back.Values, err)
		}
	}
}

// An act has a record, whatever its fields hold.
func TestMonsterEventsAreRecorded(t *testing.T) {
	l := open(t, config(filepath.Join(t.TempDir(), "audit")))
	size, count := 100_000, 5000
	if testing.Short() {
		size, count = 20_000, 500
	}
	junk := strings.Repeat("\x01", size)
	many := make([]string, count)
	pairs := make([]audit.Pair, count)
	items := make([]audit.What, 300)
	for i := range many {
		many[i], pairs[i] = junk[:500], audit.Pair{Name: junk, Value: junk}
	}
	for i := range items {
		items[i] = audit.What{Path: junk, UID: junk, Space: junk, Namespace: junk, Version: uint64(i), Capability: junk}
	}
	e := &audit.Event{ID: "monster", Kind: audit.Change, Action: junk, Cipher: junk,
		Who:  audit.Who{ID: junk, Name: junk, Method: junk, Policies: many, Entity: junk},
		From: audit.From{Addr: junk, UserAgent: junk, RequestID: junk, Dialect: junk}, What: items[1],
		Decision: audit.Decision{Rule: junk, Reason: junk}, Items: items, Links: pairs}
	must(t, l.AppendSync(t.Context(), e))
	n := 0
	for got, err := range l.Events(t.Context(), 0) {
		must(t, err)
		if got.Event.ID != "monster" || got.Event.Part != int(got.Seq)+1 || uint64(got.Event.Parts) != l.Size() {
			t.Fatalf("record %d: got part %d of %d of %q", got.Seq, got.Event.Part, got.Event.Parts, got.Event.ID)
		}
		for _, it := range got.Event.Items {
			if it.Version != uint64(n) {
				t.Fatalf("item %d: got %d", n, it.Version)
			}
			n++
		}
	}
	if n != 300 {
		t.Fatalf("got %d items, want 300", n)
	}
}

func TestKinds(t *testing.T) {
	for k := audit.Change; k <= audit.SystemEvent; k++ {
		if back, err := audit.ParseKind(k.String()); err != nil || back != k || k.String() == "" {
			t.Errorf("kind %d: got %q, %d, %v", k, k.String(), back, err)
		}
	}
	for _, s := range []string{"", "reads", "READ"} {
		if _, err := audit.ParseKind(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	e, buf := event(1), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = e.AppendJSON(buf[:0]) }); n != 0 {
		t.Errorf("AppendJSON: %v allocations", n)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	e := fullEvent()
	f.Add(e.AppendJSON(nil))
	f.Add(event(1).AppendJSON(nil))
	f.Add([]byte(`{"kind":"read","time":"2026-01-02T03:04:05+02:00","action":"\ud800","items":[{}]}`))
	f.Add([]byte(`{"id":"a\"b","part":7,"parts":1,"kind":"change"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := audit.DecodeEvent(b)
		if err != nil {
			return
		}
		once := e.AppendJSON(nil)
		if y := e.Time.UTC().Year(); y < 0 || y > 9999 {
			return // no such time is ever written
		}
		again, err := audit.DecodeEvent(once)
		if err != nil {
			t.Fatalf("%q: written as %q, which does not read: %v", b, once, err)
		}
		if twice := again.AppendJSON(nil); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n%q\n%q", once, twice)
		}
	})
}

func FuzzVerifyBundle(f *testing.F) {
	dir, public, _ := signedLog(f)
	b, err := audit.Prove(dir, 77)
	must(f, err)
	wire, err := json.Marshal(b)
	must(f, err)
	f.Add(wire)
	f.Fuzz(func(t *testing.T, in []byte) {
		var got audit.Bundle
		if json.Unmarshal(in, &got) != nil {
			return
		}
		if _, err := audit.VerifyBundle(got, public); err == nil && (got.Record != b.Record || got.Seq != b.Seq) {
			t.Fatalf("accepted %s", in)
		}
	})
}
