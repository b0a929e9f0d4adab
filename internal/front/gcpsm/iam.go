package gcpsm

import (
	"cloud.google.com/go/iam/apiv1/iampb"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// permissions are what the vendor calls each thing that may be done with a secret, and the row of policy's table that
// decides on it.
var permissions = map[string]policy.Operation{
	"secretmanager.secrets.get":          "gcp.GetSecret",
	"secretmanager.secrets.update":       "gcp.UpdateSecret",
	"secretmanager.secrets.delete":       "gcp.DeleteSecret",
	"secretmanager.secrets.getIamPolicy": "gcp.GetIamPolicy",
	"secretmanager.secrets.setIamPolicy": "gcp.SetIamPolicy",
	"secretmanager.versions.add":         "gcp.AddSecretVersion",
	"secretmanager.versions.access":      "gcp.AccessSecretVersion",
	"secretmanager.versions.get":         "gcp.GetSecretVersion",
	"secretmanager.versions.list":        "gcp.ListSecretVersions",
	"secretmanager.versions.disable":     "gcp.DisableSecretVersion",
	"secretmanager.versions.enable":      "gcp.EnableSecretVersion",
	"secretmanager.versions.destroy":     "gcp.DestroySecretVersion",
}

// maxPermissions bounds a question.
const maxPermissions = 100

// testPermissions answers which of the permissions the caller has. It says nothing of whether the secret is there.
func (c *call) testPermissions(in *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	n, err := parseSecret(in.Resource)
	if err != nil {
		return nil, err
	}
	p, err := c.locate(n)
	if err != nil {
		return nil, err
	}
	if len(in.Permissions) > maxPermissions {
		return nil, bad("At most %d permissions are tested at once.", maxPermissions)
	}
	for _, want := range in.Permissions {
		if _, ok := permissions[want]; !ok {
			return nil, bad("Permission %s is not valid for this resource.", clip(want))
		}
	}
	needs := make([]record.Need, len(in.Permissions))
	for i, want := range in.Permissions {
		op := permissions[want]
		needs[i] = record.Need{Resource: op.Resource(p.ref.Space, p.ref.Path.String()), Capability: op.Capability() &^ policy.Sudo, Sudo: op.Capability()&policy.Sudo != 0}
	}
	has, err := c.front.desk.May(c.ctx, c.caller, record.Need{Action: "test-permissions", Resource: p.ref.Space + "/metadata/" + p.ref.Path.String(), Known: true}, p.ref, needs)
	if err != nil {
		return nil, about(err, p.aSecret())
	}
	out := &iampb.TestIamPermissionsResponse{}
	for i, want := range in.Permissions {
		if has[i] {
			out.Permissions = append(out.Permissions, want)
		}
	}
	return out, nil
}

func (c *call) getPolicy(*iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return nil, secret.ErrUnsupported
}

func (c *call) setPolicy(*iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return nil, secret.ErrUnsupported
}
