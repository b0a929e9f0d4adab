package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestVersionsFromAWS says that a version which brings its id is written once, and that labels are moved by ids.
func TestVersionsFromAWS(t *testing.T) {
	k := newKeep(t)
	const first, second = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
	for i, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPut, "value/secret/db", `{"text":"one","id":"` + first + `","labels":["current"],"suffix":"AbCdEf"}`, 200},
		{http.MethodPut, "value/secret/db", `{"text":"one","id":"` + first + `","labels":["current"]}`, 200},
		{http.MethodPut, "value/secret/db", `{"text":"other","id":"` + first + `"}`, 409},
		{http.MethodPut, "value/secret/db", `{"text":"two","id":"` + second + `","labels":["pending","mine"]}`, 200},
		{http.MethodPut, "value/secret/db", `{"text":"x","id":"short"}`, 400},
		{http.MethodPut, "value/secret/db", `{"text":"x","suffix":"../../"}`, 400},
		{http.MethodPut, "value/secret/db", `{"text":"x","labels":[""]}`, 400},
		{http.MethodPut, "value/secret/db", `{"text":"x","bytes":"eA=="}`, 400},
		{http.MethodPut, "value/secret/db", `{}`, 400},
		{http.MethodPut, "value/secret/db", `{"map":[]}`, 400},
		{http.MethodPut, "value/secret/db", `{"text":"x","unknown":1}`, 400},
		{http.MethodPut, "labels/secret/db", `{"labels":{"current":"99999999-9999-9999-9999-999999999999"}}`, 404},
		{http.MethodPut, "labels/secret/nothing", `{"labels":{"current":"` + first + `"}}`, 404},
	} {
		if status, out := k.call(k.root, c.method, c.path, c.body); status != c.want {
			t.Errorf("%d: %s %s: got %d %v, want %d", i, c.path, c.body, status, out, c.want)
		}
	}
	if _, out := k.call(k.root, http.MethodGet, "value/secret/db", ""); out["version"] != 1.0 || out["text"] != "one" || out["id"] != first {
		t.Errorf("before the move: %v", out)
	}
	if status, out := k.call(k.root, http.MethodPut, "labels/secret/db", `{"labels":{"current":"`+second+`","previous":"`+first+`","pending":""}}`); status != 200 || out["version"] != 2.0 {
		t.Errorf("the move: %d %v", status, out)
	}
	for label, want := range map[string]any{"current": "two", "previous": "one", "mine": "two", "pending": nil} {
		if _, out := k.call(k.root, http.MethodGet, "value/secret/db?version="+label, ""); out["text"] != want {
			t.Errorf("%s: %v", label, out)
		}
	}
	// Moving labels takes what moving them takes in every dialect: update on the metadata.
	for text, want := range map[string]int{
		`path "secret/data/*" { capabilities = ["create", "update", "read"] }`: 403,
		`path "secret/metadata/*" { capabilities = ["update"] }`:               200,
	} {
		token := k.tokenWith("mover", text)
		if status, out := k.call(token, http.MethodPut, "labels/secret/db", `{"labels":{"mine":"`+first+`"}}`); status != want {
			t.Errorf("with %s: %d %v, want %d", text, status, out, want)
		}
	}
}

// TestMapOverTheNativeAPI says that a map is kept in the form that kv keeps it in.
func TestMapOverTheNativeAPI(t *testing.T) {
	k := newKeep(t)
	if status, out := k.call(k.root, http.MethodPut, "value/secret/m", `{"map":{"b":2.50,"a":"<>"},"content_type":"application/json"}`); status != 200 {
		t.Fatal(status, out)
	}
	_, out := k.call(k.root, http.MethodGet, "value/secret/m", "")
	m, _ := out["map"].(map[string]any)
	if out["kind"] != "map" || m["a"] != "<>" || m["b"] != 2.5 || out["content_type"] != "application/json" {
		t.Errorf("got %v", out)
	}
}

// TestTagsOverTheNativeAPI says that tags come with a secret that is made, and that one which is there keeps its own.
func TestTagsOverTheNativeAPI(t *testing.T) {
	k := newKeep(t)
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf("%q:%q", fmt.Sprint("t", i), "x"))
	}
	for body, want := range map[string]int{
		`{"text":"x","tags":{"":"x"}}`:                                   400,
		`{"text":"x","tags":{"` + strings.Repeat("k", 513) + `":"x"}}`:   400,
		`{"text":"x","tags":{"k":"` + strings.Repeat("v", 1025) + `"}}`:  400,
		`{"text":"x","tags":{` + strings.Join(many, ",") + `}}`:          400,
		`{"text":"x","tags":[]}`:                                         400,
		`{"text":"x","tags":{"k":1}}`:                                    400,
		`{"text":"x","tags":{"Team & co":"shop","` + "\u00e4" + `":""}}`: 200,
	} {
		if status, out := k.call(k.root, http.MethodPut, "value/secret/tagged", body); status != want {
			t.Errorf("%.60s: got %d %v, want %d", body, status, out, want)
		}
	}
	if status, _ := k.call(k.root, http.MethodPut, "value/secret/tagged", `{"text":"y","tags":{"other":"x"}}`); status != 200 {
		t.Error("the second write is refused")
	}
	_, out := k.call(k.root, http.MethodGet, "value/secret/tagged", "")
	if got, _ := out["custom"].(map[string]any); out["text"] != "y" || len(got) != 2 || got["Team & co"] != "shop" {
		t.Errorf("got %v", out)
	}
}
