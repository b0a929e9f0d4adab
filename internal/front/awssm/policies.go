package awssm

import (
	"encoding/json"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
)

// A resource policy that cannot be enforced is refused, never stored silently. Nothing evaluates one yet, so every one is:
// who may do what to a secret is said by the identity's policies.

const textUnenforced = "This resource policy cannot be enforced here; grant the identity its permissions instead."

func (rq *request) policyNeed(f found, c policy.Capability) record.Need {
	n := need("resource-policy", f.ref.Space+"/policy/"+f.ref.Path.String(), c)
	n.Sudo = c != policy.Read
	return n
}

func getResourcePolicy(rq *request) (any, error) { return rq.withoutPolicy(policy.Read) }

func deleteResourcePolicy(rq *request) (any, error) { return rq.withoutPolicy(policy.Delete) }

// withoutPolicy answers for a secret that has no resource policy.
func (rq *request) withoutPolicy(c policy.Capability) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		h, err := rq.front.desk.Behold(rq.ctx, rq.caller, f.ref, rq.policyNeed(f, c))
		if err == nil {
			err = f.check(h)
		}
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, h), Name: f.name}, nil
	})
}

func putResourcePolicy(rq *request) (any, error) {
	var in struct{ SecretId, ResourcePolicy string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	if why := rq.unusable(in.ResourcePolicy); why != "" {
		return nil, &apiError{"MalformedPolicyDocumentException", why, 400}
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		if err := rq.there(f, rq.policyNeed(f, policy.Update)); err != nil {
			return written{}, err
		}
		return written{}, &apiError{"MalformedPolicyDocumentException", textUnenforced, 400}
	})
}

// unusable says what is wrong with the form of a policy, or "".
func (rq *request) unusable(text string) string {
	var doc map[string]json.RawMessage
	switch {
	case text == "" || len(text) > 20480:
		return "The resource policy must have 1 to 20480 characters."
	case json.Unmarshal([]byte(text), &doc) != nil || doc["Statement"] == nil:
		return "This policy contains invalid Json"
	}
	return ""
}

type finding struct{ CheckName, ErrorMessage string }

func validateResourcePolicy(rq *request) (any, error) {
	var in struct{ SecretId, ResourcePolicy string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	if err := rq.front.desk.Ask(rq.ctx, rq.caller, need("resource-policy", rq.space+"/policy/", policy.Read)); err != nil {
		return nil, err
	}
	why := rq.unusable(in.ResourcePolicy)
	if why == "" {
		why = textUnenforced
	}
	return struct {
		PolicyValidationPassed bool
		ValidationErrors       []finding
	}{false, []finding{{"POLICY_ENFORCEMENT", why}}}, nil
}
