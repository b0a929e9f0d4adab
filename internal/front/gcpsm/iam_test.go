package gcpsm_test

import (
	"context"
	"slices"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody/custodytest"
)

// account makes a service account and a token of it.
func (r *rig) account(name string) (member string, ctx context.Context) {
	r.t.Helper()
	made := custodytest.Do(r.Keep, machine.Create{Name: name, Kind: machine.GCPAccount, Home: "p"})
	return "serviceAccount:" + made.Identity.Public, r.signed(made)
}

func bind(role string, members ...string) *iampb.Policy {
	return &iampb.Policy{Bindings: []*iampb.Binding{{Role: role, Members: members}}}
}

func TestPoliciesOfSecretsAndProjects(t *testing.T) {
	r := newRig(t)
	root := r.as(r.root)
	for _, id := range []string{"s", "t"} {
		r.make(root, id)
		r.add(root, id, "value")
	}
	robot, ctx := r.account("robot")
	access := func(id string) error {
		_, err := r.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: parent + "/secrets/" + id + "/versions/1"})
		return err
	}
	set := func(resource string, p *iampb.Policy) (*iampb.Policy, error) {
		return r.SetIamPolicy(root, &iampb.SetIamPolicyRequest{Resource: resource, Policy: p})
	}
	one := parent + "/secrets/s"
	none, err := r.GetIamPolicy(root, &iampb.GetIamPolicyRequest{Resource: one})
	if err != nil || len(none.Bindings) != 0 || string(none.Etag) != "\x00\x20\x01" {
		t.Errorf("no policy yet: %v, %v", none, err)
	}
	wants(t, access("s"), codes.PermissionDenied, "")
	given := bind("roles/secretmanager.secretAccessor", robot)
	first, err := set(one, given)
	if err != nil {
		t.Fatal(err)
	}
	if err := access("s"); err != nil {
		t.Errorf("who is bound is refused: %v", err)
	}
	wants(t, access("t"), codes.PermissionDenied, "")
	got, err := r.GetIamPolicy(root, &iampb.GetIamPolicyRequest{Resource: one})
	if err != nil || !proto.Equal(got, first) || !slices.Equal(got.Bindings[0].Members, given.Bindings[0].Members) {
		t.Errorf("got %v, %v; %v was set", got, err, first)
	}
	stale := bind("roles/secretmanager.viewer", robot)
	stale.Etag = none.Etag
	_, err = set(one, stale)
	wants(t, err, codes.Aborted, "concurrent policy changes")
	if got, err = set(one, &iampb.Policy{Etag: first.Etag}); err != nil || len(got.Bindings) != 0 {
		t.Fatalf("got %v, %v", got, err)
	}
	wants(t, access("s"), codes.PermissionDenied, "")

	if _, err := set(parent, bind("roles/secretmanager.viewer", robot)); err != nil {
		t.Fatal(err)
	}
	if out, err := r.ListSecrets(ctx, &secretmanagerpb.ListSecretsRequest{Parent: parent}); err != nil || out.TotalSize != 2 {
		t.Errorf("a viewer of the project lists %v, %v", out, err)
	}
	wants(t, access("t"), codes.PermissionDenied, "")
	_, err = r.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: one, Policy: given})
	wants(t, err, codes.PermissionDenied, "setIamPolicy")
	may, err := r.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: parent, Permissions: []string{
		"secretmanager.secrets.list", "secretmanager.secrets.get", "secretmanager.secrets.create", "secretmanager.versions.access",
	}})
	if err != nil || !slices.Equal(may.Permissions, []string{"secretmanager.secrets.list", "secretmanager.secrets.get"}) {
		t.Errorf("got %v, %v", may, err)
	}
}

func TestPoliciesThatCannotBeEnforced(t *testing.T) {
	r := newRig(t)
	root := r.as(r.root)
	r.make(root, "s")
	robot, _ := r.account("robot")
	conditional := bind("roles/secretmanager.viewer", robot)
	conditional.Bindings[0].Condition = &expr.Expr{Expression: "true"}
	tests := []struct {
		policy *iampb.Policy
		text   string
	}{
		{nil, "missing"},
		{bind("roles/owner", robot), "roles/owner"},
		{bind("roles/secretmanager.SecretAccessor", robot), "not supported"},
		{bind("secretsmanager:GetSecretValue", robot), "not supported"},
		{bind("roles/secretmanager.viewer", "user:me@example.com"), "unsupported type"},
		{bind("roles/secretmanager.viewer", "allUsers"), "unsupported type"},
		{bind("roles/secretmanager.viewer", "serviceAccount:nobody@p.iam.gserviceaccount.com"), "does not exist"},
		{conditional, "Conditions"},
		{&iampb.Policy{AuditConfigs: []*iampb.AuditConfig{{Service: "allServices"}}}, "Audit"},
		{&iampb.Policy{Version: 2}, "version"},
		{bind("roles/secretmanager.viewer", slices.Repeat([]string{robot}, 1501)...), "1500"},
	}
	for _, test := range tests {
		_, err := r.SetIamPolicy(root, &iampb.SetIamPolicyRequest{Resource: parent + "/secrets/s", Policy: test.policy})
		wants(t, err, codes.InvalidArgument, test.text)
	}
	if got, err := r.GetIamPolicy(root, &iampb.GetIamPolicyRequest{Resource: parent + "/secrets/s"}); err != nil || len(got.Bindings) != 0 {
		t.Errorf("something was stored: %v, %v", got, err)
	}
	_, err := r.GetIamPolicy(root, &iampb.GetIamPolicyRequest{Resource: parent + "/secrets/none"})
	wants(t, err, codes.NotFound, "Secret ["+parent+"/secrets/none]")
	_, err = r.GetIamPolicy(root, &iampb.GetIamPolicyRequest{Resource: parent + "/secrets/s/versions/1"})
	wants(t, err, codes.InvalidArgument, "")
}
