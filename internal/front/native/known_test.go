package native_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/leak"
)

// TestKnown makes fingerprints of all versions without telling a value, records each of them, and wants the whole folder.
func TestKnown(t *testing.T) {
	k := newKeep(t)
	old, now := "k9Zq4mXw8vBn3cRt"+"7yLp2sHd5fJg6aQe", "uT4rW8yQ2pLm6nXc"+"9vBz3kJh7gFd5sAe" // made up
	k.put("shop/prod", "DB", old)
	k.put("shop/prod", "DB", now)
	k.put("shop/prod", "WEAK", "hunter2")
	key := `{"key": "` + strings.Repeat("A", 43) + `="}`
	got := k.want(200, k.root, "PUT", "known/shop/prod", key)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{old, now, "hunter2"} {
		if strings.Contains(string(text), value) {
			t.Fatalf("a value is told: %s", text)
		}
	}
	file, err := json.Marshal(got["known"])
	if err != nil {
		t.Fatal(err)
	}
	f, err := leak.ReadFingerprints(file)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{old: "this is `shop/prod/DB`, version 1, replaced before ", now: "this is `shop/prod/DB`, version 2, current on "} {
		n := 0
		for m := range f.Find([]byte("x " + value + " y")) {
			n++
			if d := f.Describe(m.Rule); !strings.HasPrefix(d, want) {
				t.Errorf("got %s, want %s", d, want)
			}
		}
		if n != 1 {
			t.Errorf("found %d times: %s", n, want)
		}
	}
	if left := got["refused"].([]any); len(left) != 1 || left[0].(map[string]any)["name"] != "shop/prod/WEAK" {
		t.Errorf("refused %v", left)
	}
	if got := k.want(200, k.root, "GET", "audit?space=shop/prod&path=DB&kind=read", ""); len(got["records"].([]any)) != 1 {
		t.Errorf("the log says %v", got)
	}
	k.want(400, k.root, "PUT", "known/shop/prod", `{"key": "AAAA"}`)
	k.want(404, k.root, "PUT", "known/shop/prod/none", key)
	k.want(403, k.tokenWith("nothing", `path "shop/prod/metadata/*" { capabilities = ["read", "list"] }`), "PUT", "known/shop/prod", key)
	part := k.tokenWith("part", `path "shop/prod/data/*" { capabilities = ["read"] }
path "shop/prod/data/" { capabilities = ["read"] }
path "shop/prod/data" { capabilities = ["read"] }
path "shop/prod/data/WEAK" { capabilities = ["deny"] }`)
	k.want(403, part, "PUT", "known/shop/prod", key)
}
