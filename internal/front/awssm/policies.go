package awssm

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/iam"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// A resource policy is kept as it was written and decides as bindings of ours, in every dialect. One that cannot be enforced is refused, never
// stored silently.

func malformed(text string) error {
	return &apiError{"MalformedPolicyDocumentException", text, http.StatusBadRequest}
}

func (rq *request) policyNeed(f found, c policy.Capability) record.Need {
	n := need("resource-policy", f.ref.Space+"/policy/"+f.ref.Path.String(), c)
	n.Sudo = c != policy.Read
	return n
}

type policyAnswer struct {
	ARN, Name      string
	ResourcePolicy string `json:",omitempty"`
}

func getResourcePolicy(rq *request) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (policyAnswer, error) {
		h, a, err := rq.front.desk.AttachedTo(rq.ctx, rq.caller, f.ref, rq.policyNeed(f, policy.Read), secret.AWS)
		if err == nil {
			err = f.check(h)
		}
		if err != nil {
			return policyAnswer{}, err
		}
		out := policyAnswer{ARN: rq.arn(f.name, h), Name: f.name}
		if a != nil {
			out.ResourcePolicy = textOf(a)
		}
		return out, nil
	})
}

// textOf is the document as it was given, byte for byte.
func textOf(a *registry.Attachment) string {
	var s string
	_ = json.Unmarshal(a.Text, &s) // written by attachment
	return s
}

func deleteResourcePolicy(rq *request) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		h, _, err := rq.front.desk.Attach(rq.ctx, rq.caller, f.ref, custody.Attaching{
			Need: rq.policyNeed(f, policy.Delete), Dialect: secret.AWS,
			Edit: func(h *secret.Head, _ *registry.Attachment, _ custody.FindPrincipal) (*registry.Attachment, error) {
				return nil, f.check(h)
			},
		})
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, h), Name: f.name}, nil
	})
}

func putResourcePolicy(rq *request) (any, error) {
	var in struct {
		SecretId, ResourcePolicy string
		BlockPublicPolicy        bool
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	if in.ResourcePolicy == "" || len(in.ResourcePolicy) > iam.MaxText {
		return nil, validation("1 validation error detected: Value at 'resourcePolicy' failed to satisfy constraint: Member must have length between 1 and 20480")
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		h, _, err := rq.front.desk.Attach(rq.ctx, rq.caller, f.ref, custody.Attaching{
			Need: rq.policyNeed(f, policy.Update), Dialect: secret.AWS,
			Edit: func(h *secret.Head, _ *registry.Attachment, find custody.FindPrincipal) (*registry.Attachment, error) {
				if err := f.check(h); err != nil {
					return nil, err
				}
				return rq.attachment(f, h, in.ResourcePolicy, in.BlockPublicPolicy, find)
			},
		})
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, h), Name: f.name}, nil
	})
}

// attachment reads a document that is to stand on a secret.
func (rq *request) attachment(f found, h *secret.Head, text string, block bool, find custody.FindPrincipal) (*registry.Attachment, error) {
	all, err := iam.Parse(text, rq.arn(f.name, h), rq.account)
	if err != nil {
		return nil, malformed(err.Error())
	}
	if block && slices.ContainsFunc(all, iam.Statement.Public) {
		return nil, &apiError{"PublicPolicyException", "The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad access to the secret.", http.StatusBadRequest}
	}
	var bindings []policy.Binding
	for _, s := range all {
		b, err := bindingOf(s, find)
		if err != nil {
			return nil, err
		}
		if len(b.Principals) > 0 {
			bindings = append(bindings, b)
		}
	}
	kept, _ := json.Marshal(text) // a text always marshals
	return &registry.Attachment{Text: kept, Bindings: bindings}, nil
}

// bindingOf is a statement with what bindings call its principals. An account that is allowed is left out: its identities' own policies decide, as at
// the vendor, and they decide without being told.
func bindingOf(s iam.Statement, find custody.FindPrincipal) (policy.Binding, error) {
	b := policy.Binding{Deny: s.Deny, Verbs: s.Verbs}
	for _, p := range s.Principals {
		switch {
		case strings.HasPrefix(p, "account:") && !s.Deny:
			continue
		case strings.HasPrefix(p, "arn:"):
			known, err := find(p)
			if errors.Is(err, secret.ErrNotFound) {
				return b, malformed("This resource policy contains an unsupported principal: there is no " + clip(p))
			}
			if err != nil {
				return b, err
			}
			p = known
		}
		b.Principals = append(b.Principals, p)
	}
	return b, nil
}

type finding struct{ CheckName, ErrorMessage string }

// validateResourcePolicy says of a document what putting it would say. Without a secret it is read as if it stood on one that its resources name.
func validateResourcePolicy(rq *request) (any, error) {
	var in struct{ SecretId, ResourcePolicy string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	type answer struct {
		PolicyValidationPassed bool
		ValidationErrors       []finding
	}
	told := func(err error) answer {
		if err == nil {
			return answer{true, []finding{}}
		}
		check := "POLICY_ENFORCEMENT"
		if errors.Is(err, iam.ErrSyntax) {
			check = "POLICY_SYNTAX"
		}
		return answer{false, []finding{{check, err.Error()}}}
	}
	if in.ResourcePolicy == "" || len(in.ResourcePolicy) > iam.MaxText {
		return nil, validation("1 validation error detected: Value at 'resourcePolicy' failed to satisfy constraint: Member must have length between 1 and 20480")
	}
	if in.SecretId == "" {
		if err := rq.front.desk.Ask(rq.ctx, rq.caller, need("resource-policy", rq.space+"/policy/", policy.Read)); err != nil {
			return nil, err
		}
		_, err := iam.Parse(in.ResourcePolicy, "", rq.account)
		return told(err), nil
	}
	return on(rq, in.SecretId, func(f found) (answer, error) {
		h, err := rq.front.desk.Behold(rq.ctx, rq.caller, f.ref, rq.policyNeed(f, policy.Read))
		if err == nil {
			err = f.check(h)
		}
		if err != nil {
			return answer{}, err
		}
		_, err = iam.Parse(in.ResourcePolicy, rq.arn(f.name, h), rq.account)
		return told(err), nil
	})
}
