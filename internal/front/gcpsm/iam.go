package gcpsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// permissions are what the vendor calls each thing that may be done with a secret, and the row of policy's table that
// decides on it.
var permissions = map[string]policy.Operation{
	"secretmanager.secrets.create":       "gcp.CreateSecret",
	"secretmanager.secrets.list":         "gcp.ListSecrets",
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
	p, what, err := c.policied(in.Resource)
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
		return nil, about(err, what)
	}
	out := &iampb.TestIamPermissionsResponse{}
	for i, want := range in.Permissions {
		if has[i] {
			out.Permissions = append(out.Permissions, want)
		}
	}
	return out, nil
}

// accountPrefix is how members that are service accounts begin; they are the only ones that can ask here.
const accountPrefix = "serviceAccount:"

// maxMembers bounds a policy, as the vendor does.
const maxMembers = 1500

// policied finds what a policy stands on: a secret, or a whole project.
func (c *call) policied(name string) (place, string, error) {
	n, err := parseResource(name)
	switch {
	case err != nil:
		return place{}, "", err
	case n.version != "" || n.secret == "" && n.location != "":
		return place{}, "", invalidName(name)
	}
	p, err := c.locate(n)
	if n.secret == "" {
		return p, "Project [" + n.project + "]", err
	}
	return p, p.aSecret(), err
}

func (p place) policyNeed(op policy.Operation) record.Need {
	caps := op.Capability()
	return record.Need{Action: "resource-policy", Resource: op.Resource(p.ref.Space, p.ref.Path.String()), Capability: caps &^ policy.Sudo, Sudo: caps&policy.Sudo != 0}
}

func (c *call) getPolicy(in *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	p, what, err := c.policied(in.Resource)
	if err != nil {
		return nil, err
	}
	_, a, err := c.front.desk.AttachedTo(c.ctx, c.caller, p.ref, p.policyNeed("gcp.GetIamPolicy"), secret.GCP)
	if err != nil {
		return nil, about(err, what)
	}
	return policyOf(a)
}

// policyOf is the policy as it was given, with its etag.
func policyOf(a *registry.Attachment) (*iampb.Policy, error) {
	out := &iampb.Policy{}
	if a != nil {
		if err := protojson.Unmarshal(a.Text, out); err != nil {
			return nil, fmt.Errorf("%w: a policy is not readable", secret.ErrDamaged)
		}
	}
	out.Etag = policyEtag(a)
	return out, nil
}

// policyEtag changes with every change; a resource that never had a policy has the vendor's etag of none.
func policyEtag(a *registry.Attachment) []byte {
	if a == nil {
		return []byte{0x00, 0x20, 0x01} // "ACAB"
	}
	etag := binary.BigEndian.AppendUint64([]byte{0x07}, uint64(a.Updated.UnixMicro()))
	return binary.BigEndian.AppendUint32(etag, uint32(a.Edition))
}

func (c *call) setPolicy(in *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	p, what, err := c.policied(in.Resource)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(in); err != nil {
		return nil, err
	}
	_, a, err := c.front.desk.Attach(c.ctx, c.caller, p.ref, custody.Attaching{
		Need: p.policyNeed("gcp.SetIamPolicy"), Dialect: secret.GCP,
		Edit: func(_ *secret.Head, old *registry.Attachment, find custody.FindPrincipal) (*registry.Attachment, error) {
			if len(in.Policy.Etag) > 0 && !bytes.Equal(in.Policy.Etag, policyEtag(old)) {
				return nil, faultf(abortedCode, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
			}
			return attachment(in.Policy, find)
		},
	})
	if err != nil {
		return nil, about(err, what)
	}
	return policyOf(a)
}

// checkPolicy refuses what could not be enforced as it is written.
func checkPolicy(in *iampb.SetIamPolicyRequest) error {
	switch {
	case in.Policy == nil:
		return bad("The policy is missing.")
	case in.Policy.Version != 0 && in.Policy.Version != 1 && in.Policy.Version != 3:
		return bad("Invalid policy version: %d.", in.Policy.Version)
	case len(in.Policy.AuditConfigs) > 0:
		return bad("Audit configurations cannot be set here: every access is recorded.")
	}
	for _, path := range in.UpdateMask.GetPaths() {
		if path != "bindings" && path != "etag" && path != "version" {
			return bad("Only bindings of a policy can be set, not %s.", clip(path))
		}
	}
	members := 0
	for _, b := range in.Policy.Bindings {
		if b.Condition != nil {
			return bad("Conditions on bindings cannot be enforced here.")
		}
		if v, ok := policy.ParseWord(b.Role); !ok || string(v) != b.Role || !strings.HasPrefix(b.Role, "roles/") {
			return bad("Role %s is not supported for this resource.", clip(b.Role))
		}
		for _, m := range b.Members {
			email, ok := strings.CutPrefix(m, accountPrefix)
			if !ok || email == "" {
				return bad("Member %s is of unsupported type: only serviceAccount:EMAIL can be named here.", clip(m))
			}
		}
		if members += len(b.Members); members > maxMembers {
			return bad("A policy names at most %d members.", maxMembers)
		}
	}
	return nil
}

// attachment is a checked policy with what bindings call its members. A role that nobody has is dropped, as by the vendor.
func attachment(in *iampb.Policy, find custody.FindPrincipal) (*registry.Attachment, error) {
	kept := &iampb.Policy{Version: max(in.Version, 1)}
	var bindings []policy.Binding
	for _, b := range in.Bindings {
		if len(b.Members) == 0 {
			continue
		}
		one := policy.Binding{Verbs: []policy.Verb{policy.Verb(b.Role)}}
		for _, m := range b.Members {
			email := strings.TrimPrefix(m, accountPrefix)
			who, err := find(email)
			if errors.Is(err, secret.ErrNotFound) {
				return nil, bad("Service account %s does not exist.", clip(email))
			}
			if err != nil {
				return nil, err
			}
			one.Principals = append(one.Principals, who)
		}
		bindings, kept.Bindings = append(bindings, one), append(kept.Bindings, &iampb.Binding{Role: b.Role, Members: b.Members})
	}
	text, err := protojson.Marshal(kept)
	if err != nil {
		return nil, bad("The policy cannot be read.")
	}
	return &registry.Attachment{Text: text, Bindings: bindings}, nil
}
