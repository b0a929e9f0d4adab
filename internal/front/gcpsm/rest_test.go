package gcpsm

import (
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func TestTarget(t *testing.T) {
	front := &Front{routes: routes()}
	for _, test := range []struct{ verb, path, rpc, name string }{
		{"GET", "/v1/projects/p/secrets", "ListSecrets", "projects/p"},
		{"POST", "/v1/projects/p/locations/l/secrets", "CreateSecret", "projects/p/locations/l"},
		{"GET", "/v1/projects/example.com:p/secrets/s", "GetSecret", "projects/example.com:p/secrets/s"},
		{"PATCH", "/v1/projects/p/secrets/s", "UpdateSecret", "projects/p/secrets/s"},
		{"DELETE", "/v1/projects/p/locations/l/secrets/s", "DeleteSecret", "projects/p/locations/l/secrets/s"},
		{"POST", "/v1/projects/p/secrets/s:addVersion", "AddSecretVersion", "projects/p/secrets/s"},
		{"GET", "/v1/projects/p/secrets/s/versions", "ListSecretVersions", "projects/p/secrets/s"},
		{"GET", "/v1/projects/example.com:p/secrets/s/versions/latest:access", "AccessSecretVersion", "projects/example.com:p/secrets/s/versions/latest"},
		{"POST", "/v1/projects/p/secrets/s/versions/1:destroy", "DestroySecretVersion", "projects/p/secrets/s/versions/1"},
		{"GET", "/v1/projects/p/secrets/s:getIamPolicy", "GetIamPolicy", "projects/p/secrets/s"},
		{"POST", "/v1/projects/p:getIamPolicy", "GetIamPolicy", "projects/p"},
		{"POST", "/v1/projects/example.com:web:setIamPolicy", "SetIamPolicy", "projects/example.com:web"},
	} {
		row, name, err := front.target(test.verb, test.path)
		if err != nil || row.rpc != test.rpc || name != test.name {
			t.Errorf("%s %s: got %s %s, %v", test.verb, test.path, row.rpc, name, err)
		}
	}
	for _, path := range []string{"/v1/projects/p", "/v1/projects/p/secrets/s:nothing", "/v1/projects/p/secrets/s/versions/1:addVersion", "/v1/projects//", "/v1/projects/p/secrets/s/x/y"} {
		if row, _, err := front.target("GET", path); err == nil {
			t.Errorf("%s is %s", path, row.rpc)
		}
	}
}

func TestFill(t *testing.T) {
	row := route{rpc: "UpdateSecret", name: "secret.name", body: "secret"}
	in := new(secretmanagerpb.UpdateSecretRequest)
	err := fill(in, row, "projects/p/secrets/s", []byte(`{"name":"projects/other/secrets/t","version_aliases":{"a":"1"},"versionDestroyTtl":"86400s"}`), url.Values{"updateMask": {"versionAliases,version_destroy_ttl"}, "$alt": {"json"}, "prettyPrint": {"false"}})
	if err != nil || in.Secret.Name != "projects/p/secrets/s" || in.Secret.VersionAliases["a"] != 1 || in.Secret.VersionDestroyTtl.GetSeconds() != 86400 {
		t.Fatalf("got %v, %v", in, err)
	}
	if got := in.UpdateMask.Paths; len(got) != 2 || got[0] != "version_aliases" || got[1] != "version_destroy_ttl" {
		t.Errorf("mask %v", got)
	}
	for name, body := range map[string]string{
		"unknown": `{"nope":1}`, "twice": `{"etag":"a","etag":"b"}`, "type": `{"labels":[]}`, "array": `[]`, "rest": `{} {}`, "cut": `{"etag":`,
		"both spellings": `{"version_aliases":{},"versionAliases":{}}`,
	} {
		if err := fill(new(secretmanagerpb.UpdateSecretRequest), row, "n", []byte(body), nil); err == nil {
			t.Errorf("%s: %s is accepted", name, body)
		}
	}
	for _, q := range []url.Values{{"nope": {"1"}}, {"secret.labels": {"1"}}, {"updateMask.paths": {"a"}}} {
		if err := fill(new(secretmanagerpb.UpdateSecretRequest), row, "n", nil, q); err == nil {
			t.Errorf("%v is accepted", q)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add("CreateSecret", []byte(`{"replication":{"automatic":{}},"ttl":"3600s","labels":{"a":"b"}}`), "secretId=s&alt=json")
	f.Add("AddSecretVersion", []byte(`{"payload":{"data":"aGk=","dataCrc32c":"1"}}`), "")
	f.Add("UpdateSecret", []byte(`{"rotation":{"rotationPeriod":"3600s"}}`), "updateMask=rotation")
	f.Add("GetIamPolicy", []byte(nil), "options.requestedPolicyVersion=3")
	all := map[string]*method{}
	for _, m := range methods() {
		all[m.name] = m
	}
	f.Fuzz(func(t *testing.T, rpc string, body []byte, query string) {
		m := all[rpc]
		values, err := url.ParseQuery(query)
		if m == nil || err != nil {
			return
		}
		for _, r := range routes() {
			if r.rpc != rpc {
				continue
			}
			in := m.request()
			if fill(in, r, "projects/p/secrets/s", body, values) != nil {
				continue
			}
			b, err := proto.Marshal(in)
			if err != nil {
				t.Fatalf("a message that was read cannot be written: %v", err)
			}
			if _, err := decodeMessage(b, m); err != nil {
				t.Fatalf("nor read back: %v", err)
			}
		}
	})
}

// FuzzMessage feeds the decoder of protobuf what a client may send.
func FuzzMessage(f *testing.F) {
	for i, m := range methods() {
		f.Add(i, []byte{10, 1, 'a'})
		_ = m
	}
	all := methods()
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		if i < 0 || i >= len(all) {
			return
		}
		_, _ = decodeMessage(b, all[i]) // it must not panic
	})
}

func TestAccessIsWrittenAsProtojsonWritesIt(t *testing.T) {
	for _, data := range []string{"x", "", strings.Repeat("\xff", 1000)} {
		m := &secretmanagerpb.AccessSecretVersionResponse{Name: "projects/p/secrets/s/versions/1", Payload: &secretmanagerpb.SecretPayload{Data: []byte(data), DataCrc32C: proto.Int64(checksum([]byte(data)))}}
		b, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		want, err := format{pretty: true}.shaped(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (format{pretty: true}).message(m); err != nil || string(got) != string(want) {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
}
