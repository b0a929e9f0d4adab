package native_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestOfflineReads: what was read out of sight is told by whoever is known, and found in the log by space and name.
func TestOfflineReads(t *testing.T) {
	k := newKeep(t)
	k.put("shop/prod", "DB", "hunter2")
	reader := k.tokenWith("reader", `path "shop/prod/data/*" { capabilities = ["read"] }`)
	const told = `{"reads":[{"id":"r1","space":"shop/prod","versions":{"DB":1},"at":"2027-01-31T12:00:00Z","fetched":"2027-01-31T11:00:00Z","doing":"run"}]}`

	if status, _ := k.call("", "PUT", "offline-reads", told); status != http.StatusForbidden {
		t.Errorf("without a token: %d", status)
	}
	if status, got := k.call(reader, "PUT", "offline-reads", told); status != http.StatusOK || got["recorded"] != 1.0 {
		t.Fatalf("got %d %v", status, got)
	}
	status, found := k.call(k.root, "GET", "audit?space=shop/prod&path=DB", "")
	if status != http.StatusOK {
		t.Fatalf("audit: %d %v", status, found)
	}
	var offline []map[string]any
	for _, r := range found["records"].([]any) {
		if e := r.(map[string]any)["event"].(map[string]any); e["action"] == "read.offline" {
			offline = append(offline, e)
		}
	}
	if len(offline) != 1 || offline[0]["kind"] != "read" {
		t.Fatalf("the log has %v", found)
	}
	links := ""
	for _, l := range offline[0]["links"].([]any) {
		links += l.(map[string]any)["name"].(string) + "=" + l.(map[string]any)["value"].(string) + " "
	}
	if links != "offline-id=r1 read-at=2027-01-31T12:00:00Z fetched=2027-01-31T11:00:00Z doing=run " {
		t.Errorf("got %s", links)
	}

	for name, body := range map[string]string{
		"no reads":     `{}`,
		"no id":        strings.Replace(told, `"id":"r1",`, "", 1),
		"no time":      strings.Replace(told, `"at":"2027-01-31T12:00:00Z",`, "", 1),
		"a long story": strings.Replace(told, `"doing":"run"`, `"doing":"`+strings.Repeat("x", 201)+`"`, 1),
		"no path":      strings.Replace(told, `"DB"`, `"../DB"`, 1),
		"wrong type":   strings.Replace(told, `{"DB":1}`, `["DB"]`, 1),
	} {
		if status, _ := k.call(reader, "PUT", "offline-reads", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, status)
		}
	}
}

// A read of a whole environment is found by each name in it.
func TestEnvironmentReadIsFoundByName(t *testing.T) {
	k := newKeep(t)
	k.put("shop/prod", "DB", "hunter2")
	if status, _ := k.call(k.root, "GET", "env/shop/prod", ""); status != http.StatusOK {
		t.Fatalf("read: %d", status)
	}
	if _, got := k.call(k.root, "GET", "audit?space=shop/prod&path=DB&kind=read", ""); len(got["records"].([]any)) != 1 {
		t.Errorf("the log says %v", got)
	}
}

func TestEnvironmentLease(t *testing.T) {
	k := newKeep(t)
	k.put("shop/prod", "DB", "hunter2")
	if _, got := k.call(k.root, "GET", "env/shop/prod", ""); got["lease"] != 86400.0 {
		t.Errorf("lease of a token without end: %v", got["lease"])
	}
}
