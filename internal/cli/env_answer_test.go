package cli

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/server"
)

// TestEnvAnswerOfKeep: what a keep answers has the shape that is read at once.
func TestEnvAnswerOfKeep(t *testing.T) {
	keep, err := server.OpenLocal(t.Context(), server.LocalConfig{Dir: t.TempDir(), Version: "test", Seal: seal.KindKeyFile, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keep.Close(t.Context()) }()
	a := &api{addr: localAddr, http: &http.Client{Transport: keep}}
	for name, text := range map[string]string{"PLAIN": "value", "WIDE": "é\n\"\\"} {
		if err := a.call(t.Context(), http.MethodPut, "keephold/value/secret/dev/"+name, map[string]string{"text": text}, nil); err != nil {
			t.Fatal(err)
		}
	}
	body, _, err := a.raw(t.Context(), http.MethodGet, "keephold/env/secret/dev", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got envAnswer
	if !got.read(body) || got.Values["PLAIN"] != "value" || got.Values["WIDE"] != "é\n\"\\" || len(got.Values) != 2 || got.Versions["WIDE"] != 1 {
		t.Errorf("got %+v of %s", got, body)
	}
}

func byLibrary(body []byte) (envAnswer, error) {
	var e envAnswer
	err := json.Unmarshal(body, &struct{ Data any }{&e})
	return e, err
}

// TestEnvAnswer: what a server writes is read at once, as the library would read it.
func TestEnvAnswer(t *testing.T) {
	const nl = "\n"
	const rest = `,"revision":7,"updated":"2026-11-30T01:02:03Z","lease":60`
	for name, body := range map[string]string{
		"plain":    `{"data":{"values":{"A":"x","B":""},"versions":{"A":1,"B":18446744073709551615}` + rest + `}}` + nl,
		"escapes":  `{"data":{"values":{"A":"\"\\\n\u00e9 é \ud83d\ude00","\\":"\\"},"versions":{"A":1,"\\":2}` + rest + `}}` + nl,
		"none":     `{"data":{"values":{},"versions":{}` + rest + `}}` + nl,
		"partial":  `{"data":{"values":{"A":"x"},"versions":{"A":1}` + rest + `,"partial":true}}` + nl,
		"a double": `{"data":{"values":{"A":"x","A":"y"},"versions":{"A":1,"A":2}` + rest + `}}` + nl,
	} {
		t.Run(name, func(t *testing.T) {
			var got envAnswer
			if !got.read([]byte(body)) {
				t.Fatal("left to the library")
			}
			want, err := byLibrary([]byte(body))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v (%v)", got, want, err)
			}
		})
	}
	for name, body := range map[string]string{
		"nothing":           ``,
		"cut short":         `{"data":{"values":{"A":"x`,
		"ends in an escape": `{"data":{"values":{"A\`,
		"other members":     `{"data":{"values":{},"versions":{}` + rest + `},"warnings":["old"]}`,
		"other order":       `{"data":{"versions":{},"values":{}` + rest + `}}` + nl,
		"spaces":            `{"data": {"values":{},"versions":{}` + rest + `}}` + nl,
		"a number too long": `{"data":{"values":{},"versions":{"A":18446744073709551616}` + rest + `}}` + nl,
		"a leading zero":    `{"data":{"values":{},"versions":{"A":01}` + rest + `}}` + nl,
		"a control":         "{\"data\":{\"values\":{\"A\":\"\n\"},\"versions\":{}" + rest + `}}` + nl,
		"no comma":          `{"data":{"values":{"A":"x""B":"y"},"versions":{}` + rest + `}}` + nl,
		"one comma more":    `{"data":{"values":{"A":"x",},"versions":{}` + rest + `}}` + nl,
	} {
		t.Run(name, func(t *testing.T) {
			got := envAnswer{Revision: 1}
			if got.read([]byte(body)) || !reflect.DeepEqual(got, envAnswer{Revision: 1}) {
				t.Errorf("was read: %+v", got)
			}
		})
	}
}

// FuzzEnvAnswer: whatever is read at once, the library reads so too.
func FuzzEnvAnswer(f *testing.F) {
	f.Add([]byte(`{"data":{"values":{"A":"\"x\u0000","B":"é"},"versions":{"A":1,"B":2},"revision":7,"updated":"2026-11-30T01:02:03Z","lease":60,"partial":true}}` + "\n"))
	f.Add([]byte(`{"data":{"values":{},"versions":{},"revision":0,"updated":"","lease":0}}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got envAnswer
		if !got.read(body) {
			return
		}
		want, err := byLibrary(body)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v (%v)", got, want, err)
		}
	})
}
