package gcpsm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/custody/custodytest"
	"github.com/keephold/keephold/internal/front/gcpsm"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

const parent = "projects/p"

// rig is a front on a socket, with the vendor's generated client.
type rig struct {
	*custodytest.Keep
	secretmanagerpb.SecretManagerServiceClient
	t    *testing.T
	url  string
	root string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	k := custodytest.Open(t, nil, secret.Space{Name: "gcp/p", Home: secret.GCP}, secret.Space{Name: "gcp/safe", Home: secret.GCP, Settings: secret.SpaceSettings{Protected: true}})
	front, err := gcpsm.New(gcpsm.Config{Desk: k.Desk})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(front)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	conn, err := grpc.NewClient(strings.TrimPrefix(s.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &rig{Keep: k, SecretManagerServiceClient: secretmanagerpb.NewSecretManagerServiceClient(conn), t: t, url: s.URL, root: string(k.Root.Reveal())}
}

func (r *rig) as(token string) context.Context {
	return metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+token)
}

// has makes a token with the named capabilities and nothing else.
func (r *rig) has(name, text string) context.Context {
	r.t.Helper()
	r.Policy(name, text)
	made := custodytest.Do(r.Keep, auth.Create{OrphanPath: true, NoDefaultPolicy: true, Policies: []string{name}})
	return r.as(string(made.Token.Reveal()))
}

// signed answers the context of an access token that the identity got.
func (r *rig) signed(made machine.Credential) context.Context {
	r.t.Helper()
	caller := r.Desk.Authenticate(r.t.Context(), auth.Credential{Claim: found(made.Identity.Public)})
	issued, err := custody.Do(r.t.Context(), r.Desk, caller, machine.Issue{TTL: time.Hour, Meta: map[string]string{"for": "gcp"}})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.as(string(issued.Text.Reveal()))
}

// found is the Claim of who needs no proof in a test.
type found string

func (f found) Presented() []byte { return []byte(f) }
func (f found) Find(ctx context.Context, v record.View) (*auth.Standing, error) {
	id, records, err := machine.Find(ctx, v, string(f))
	if err != nil {
		return nil, err
	}
	return id.Standing(nil, records), nil
}
func (f found) Prove(*auth.Standing, time.Time) error { return nil }

func (r *rig) make(ctx context.Context, id string) *secretmanagerpb.Secret {
	r.t.Helper()
	s, err := r.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{Parent: parent, SecretId: id, Secret: &secretmanagerpb.Secret{
		Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) add(ctx context.Context, id, data string) {
	r.t.Helper()
	if _, err := r.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{Parent: parent + "/secrets/" + id, Payload: &secretmanagerpb.SecretPayload{Data: []byte(data)}}); err != nil {
		r.t.Fatal(err)
	}
}

// wants checks the code of an error, and that its text holds what it must.
func wants(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), text) {
		t.Errorf("got %v, want %s with %q", err, code, text)
	}
}

func TestLifeOfASecret(t *testing.T) {
	r := newRig(t)
	ctx := r.as(r.root)
	s := r.make(ctx, "s")
	if s.Name != parent+"/secrets/s" || s.Etag == "" || s.Replication.GetAutomatic() == nil {
		t.Errorf("got %v", s)
	}
	name := s.Name + "/versions/"
	access := func(v string) (*secretmanagerpb.AccessSecretVersionResponse, error) {
		return r.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: name + v})
	}
	_, err := access("latest")
	wants(t, err, codes.NotFound, "not found")
	sum := int64(crc32.Checksum([]byte("one"), crc32.MakeTable(crc32.Castagnoli)))
	for _, given := range []int64{sum + 1, sum} {
		v, err := r.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{Parent: s.Name, Payload: &secretmanagerpb.SecretPayload{Data: []byte("one"), DataCrc32C: proto.Int64(given)}})
		if given != sum {
			wants(t, err, codes.InvalidArgument, "crc32c")
		} else if err != nil || !v.ClientSpecifiedPayloadChecksum || v.Name != name+"1" {
			t.Fatalf("got %v, %v", v, err)
		}
	}
	r.add(ctx, "s", "two")
	got, err := access("latest")
	if err != nil || got.Name != name+"2" || string(got.Payload.Data) != "two" {
		t.Fatalf("got %v, %v", got, err)
	}
	if got, err = access("1"); err != nil || *got.Payload.DataCrc32C != sum {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := r.DisableSecretVersion(ctx, &secretmanagerpb.DisableSecretVersionRequest{Name: name + "2"}); err != nil {
		t.Fatal(err)
	}
	_, err = access("latest") // never another version
	wants(t, err, codes.FailedPrecondition, "Secret Version ["+name+"2] is in DISABLED state.")
	_, err = r.EnableSecretVersion(ctx, &secretmanagerpb.EnableSecretVersionRequest{Name: name + "2", Etag: `"stale"`})
	wants(t, err, codes.Aborted, "etag")
	_, err = r.DestroySecretVersion(ctx, &secretmanagerpb.DestroySecretVersionRequest{Name: name + "latest"})
	wants(t, err, codes.InvalidArgument, "number")
	v, err := r.DestroySecretVersion(ctx, &secretmanagerpb.DestroySecretVersionRequest{Name: name + "2"})
	if err != nil || v.State != secretmanagerpb.SecretVersion_DESTROYED || v.DestroyTime == nil {
		t.Fatalf("got %v, %v", v, err)
	}
	_, err = r.EnableSecretVersion(ctx, &secretmanagerpb.EnableSecretVersionRequest{Name: name + "2"})
	wants(t, err, codes.FailedPrecondition, "DESTROYED")
	_, err = r.DeleteSecret(ctx, &secretmanagerpb.DeleteSecretRequest{Name: s.Name, Etag: `"stale"`})
	wants(t, err, codes.Aborted, "etag")
	if _, err := r.DeleteSecret(ctx, &secretmanagerpb.DeleteSecretRequest{Name: s.Name, Etag: s.Etag}); err != nil {
		t.Fatal(err)
	}
	_, err = r.GetSecret(ctx, &secretmanagerpb.GetSecretRequest{Name: s.Name})
	wants(t, err, codes.NotFound, "Secret ["+s.Name+"] not found.")
}

func TestUpdate(t *testing.T) {
	r := newRig(t)
	ctx := r.as(r.root)
	s := r.make(ctx, "s")
	r.add(ctx, "s", "one")
	update := func(change *secretmanagerpb.Secret, paths ...string) (*secretmanagerpb.Secret, error) {
		change.Name = s.Name
		return r.UpdateSecret(ctx, &secretmanagerpb.UpdateSecretRequest{Secret: change, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	}
	got, err := update(&secretmanagerpb.Secret{
		Labels: map[string]string{"env": "prod"}, Annotations: map[string]string{"a.b": "c"}, VersionAliases: map[string]int64{"current": 1},
		VersionDestroyTtl: durationpb.New(48 * 3600e9),
	}, "labels", "annotations", "version_aliases", "version_destroy_ttl")
	if err != nil || got.Labels["env"] != "prod" || got.Annotations["a.b"] != "c" || got.VersionAliases["current"] != 1 || got.VersionDestroyTtl == nil || got.Etag == s.Etag {
		t.Fatalf("got %v, %v", got, err)
	}
	if v, err := r.GetSecretVersion(ctx, &secretmanagerpb.GetSecretVersionRequest{Name: s.Name + "/versions/current"}); err != nil || v.Name != s.Name+"/versions/1" {
		t.Errorf("by alias: %v, %v", v, err)
	}
	v, err := r.DestroySecretVersion(ctx, &secretmanagerpb.DestroySecretVersionRequest{Name: s.Name + "/versions/1"})
	if err != nil || v.State != secretmanagerpb.SecretVersion_DISABLED || v.ScheduledDestroyTime == nil {
		t.Errorf("destroyed with a delay: %v, %v", v, err)
	}
	if got, err = update(&secretmanagerpb.Secret{}, "version_aliases"); err != nil || len(got.VersionAliases) != 0 || got.Labels["env"] != "prod" {
		t.Errorf("got %v, %v", got, err)
	}
	for path, change := range map[string]*secretmanagerpb.Secret{
		"replication": {}, "name": {}, "nothing": {}, "version_aliases": {VersionAliases: map[string]int64{"a": 9}}, "labels": {Labels: map[string]string{"UPPER": ""}},
		"version_destroy_ttl": {VersionDestroyTtl: durationpb.New(1)}, "ttl": {Expiration: &secretmanagerpb.Secret_Ttl{Ttl: durationpb.New(-1)}},
	} {
		_, err := update(change, path)
		wants(t, err, codes.InvalidArgument, "")
	}
	_, err = update(&secretmanagerpb.Secret{})
	wants(t, err, codes.InvalidArgument, "update_mask")
}

func TestListPages(t *testing.T) {
	r := newRig(t)
	ctx := r.as(r.root)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		r.make(ctx, id)
	}
	var names []string
	in := &secretmanagerpb.ListSecretsRequest{Parent: parent, PageSize: 2}
	for {
		out, err := r.ListSecrets(ctx, in)
		if err != nil || out.TotalSize != 5 {
			t.Fatalf("got %v, %v", out, err)
		}
		for _, s := range out.Secrets {
			names = append(names, s.Name[len(parent+"/secrets/"):])
		}
		if in.PageToken = out.NextPageToken; in.PageToken == "" {
			break
		}
	}
	if got := strings.Join(names, ""); got != "abcde" {
		t.Errorf("got %s", got)
	}
	first, err := r.ListSecrets(ctx, &secretmanagerpb.ListSecretsRequest{Parent: parent, PageSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.ListSecrets(ctx, &secretmanagerpb.ListSecretsRequest{Parent: parent, Filter: "name:a", PageToken: first.NextPageToken})
	wants(t, err, codes.InvalidArgument, "page token")
	for range 3 {
		r.add(ctx, "a", "x")
	}
	vs, err := r.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: parent + "/secrets/a", PageSize: 2})
	if err != nil || len(vs.Versions) != 2 || !strings.HasSuffix(vs.Versions[0].Name, "/3") || vs.NextPageToken == "" {
		t.Fatalf("got %v, %v", vs, err)
	}
	vs, err = r.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: parent + "/secrets/a", PageSize: 2, PageToken: vs.NextPageToken})
	if err != nil || len(vs.Versions) != 1 || !strings.HasSuffix(vs.Versions[0].Name, "/1") {
		t.Errorf("got %v, %v", vs, err)
	}
}

func TestWhoMay(t *testing.T) {
	r := newRig(t)
	root := r.as(r.root)
	r.make(root, "s")
	r.make(root, "t")
	r.add(root, "s", "one")
	reader := r.has("reader", `path "gcp/p/data/s" { capabilities = ["read"] }`)
	name := parent + "/secrets/s"
	if _, err := r.AccessSecretVersion(reader, &secretmanagerpb.AccessSecretVersionRequest{Name: name + "/versions/latest"}); err != nil {
		t.Fatal(err)
	}
	_, err := r.GetSecret(reader, &secretmanagerpb.GetSecretRequest{Name: name})
	wants(t, err, codes.PermissionDenied, "Permission 'secretmanager.secrets.get' denied for resource '"+name+"' (or it may not exist).")
	_, there := r.AccessSecretVersion(reader, &secretmanagerpb.AccessSecretVersionRequest{Name: parent + "/secrets/t/versions/1"})
	_, absent := r.AccessSecretVersion(reader, &secretmanagerpb.AccessSecretVersionRequest{Name: parent + "/secrets/u/versions/1"})
	if a, b := status.Convert(there), status.Convert(absent); a.Code() != b.Code() || strings.ReplaceAll(a.Message(), "/t/", "/u/") != b.Message() {
		t.Errorf("a refusal tells whether it is there: %v, %v", there, absent)
	}
	lister := r.has("lister", `path "gcp/p/metadata" { capabilities = ["list"] }
path "gcp/p/metadata/" { capabilities = ["list"] }
path "gcp/p/metadata/t" { capabilities = ["read"] }`)
	if out, err := r.ListSecrets(lister, &secretmanagerpb.ListSecretsRequest{Parent: parent}); err != nil || len(out.Secrets) != 1 || out.TotalSize != 1 {
		t.Errorf("a list shows what may be seen: %v, %v", out, err)
	}
	out, err := r.TestIamPermissions(reader, &iampb.TestIamPermissionsRequest{Resource: name, Permissions: []string{"secretmanager.versions.access", "secretmanager.secrets.delete"}})
	if err != nil || len(out.Permissions) != 1 || out.Permissions[0] != "secretmanager.versions.access" {
		t.Errorf("got %v, %v", out, err)
	}
	for _, ctx := range []context.Context{t.Context(), r.as("nobody"), r.as("a.b.c")} {
		_, err := r.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: name + "/versions/1"})
		wants(t, err, codes.Unauthenticated, "authentication credential")
	}
}

func TestDeleteKeepsToThePromise(t *testing.T) {
	r := newRig(t)
	r.Policy("safe", `path "gcp/safe/*" { capabilities = ["create", "read", "update", "delete", "list"] }`)
	ctx := r.as(r.root)
	s, err := r.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{Parent: "projects/safe", SecretId: "s", Secret: &secretmanagerpb.Secret{
		Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.DeleteSecret(ctx, &secretmanagerpb.DeleteSecretRequest{Name: s.Name})
	wants(t, err, codes.FailedPrecondition, "protected")
}

func TestREST(t *testing.T) {
	r := newRig(t)
	call := func(verb, path, body string) (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), verb, r.url+"/v1/projects/p/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.root)
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if json.Unmarshal(bytes.TrimSpace(b), &out) != nil {
			t.Fatalf("%s %s: %s", verb, path, b)
		}
		return answer.StatusCode, out
	}
	if code, got := call("POST", "secrets?secretId=s", `{"replication":{"automatic":{}},"labels":{"a":"b"}}`); code != 200 || got["name"] != "projects/p/secrets/s" {
		t.Fatalf("%d %v", code, got)
	}
	if code, got := call("POST", "secrets/s:addVersion", `{"payload":{"data":"aGk="}}`); code != 200 || got["state"] != "ENABLED" {
		t.Fatalf("%d %v", code, got)
	}
	code, got := call("GET", "secrets/s/versions/latest:access?alt=json", "")
	if payload, _ := got["payload"].(map[string]any); code != 200 || payload["data"] != "aGk=" || payload["dataCrc32c"] == "" {
		t.Errorf("%d %v", code, got)
	}
	if _, got := call("GET", "secrets/s/versions/1?%24alt=json%3Benum-encoding%3Dint", ""); got["state"] != 1.0 {
		t.Errorf("enum by number: %v", got["state"])
	}
	if code, got := call("PATCH", "secrets/s?updateMask=annotations", `{"annotations":{"k":"v"}}`); code != 200 || got["annotations"] == nil || got["labels"] == nil {
		t.Errorf("%d %v", code, got)
	}
	for path, want := range map[string]int{"secrets/none": 404, "secrets/s/versions/0": 400, "secrets/s:nothing": 404, "secrets/s?unknown=1": 400} {
		code, got := call("GET", path, "")
		if e, _ := got["error"].(map[string]any); code != want || e["code"] != float64(want) || e["status"] == "" {
			t.Errorf("%s: %d %v", path, code, got)
		}
	}
	if code, _ := call("POST", "secrets?secretId=t", strings.Repeat(" ", 300<<10)); code != 400 {
		t.Errorf("a body that is too large: %d", code)
	}
	if code, _ := call("DELETE", "secrets/s", ""); code != 200 {
		t.Errorf("delete: %d", code)
	}
}
