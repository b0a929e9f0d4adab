package vault

import (
	"encoding/base64"
	"slices"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// policyRoutes administer policies under the vendor's two paths, https://openbao.org/api-docs/system/policies/
func policyRoutes() []route {
	return []route{
		{list, "policies/acl", "vault.sys.policy.list", listPolicies},
		{read, "policies/acl/{name}", "vault.sys.policy.read", readPolicy},
		{write, "policies/acl/{name}", "vault.sys.policy.update", writePolicy},
		{remove, "policies/acl/{name}", "vault.sys.policy.delete", dropPolicy},
		{read, "policy", "vault.sys.policy-legacy.list", listPoliciesLegacy},
		{list, "policy", "vault.sys.policy-legacy.list-verb", listPoliciesLegacy},
		{read, "policy/{name}", "vault.sys.policy-legacy.read", readPolicyLegacy},
		{write, "policy/{name}", "vault.sys.policy-legacy.update", writePolicy},
		{remove, "policy/{name}", "vault.sys.policy-legacy.delete", dropPolicy},
	}
}

// policyName is the one canonical form of the name in the path, and the resource that is decided on: " ROOT" cannot
// pass as something else than root.
func (rq *request) policyName() (policy.Name, string, error) {
	given := rq.args["name"]
	name, err := policy.NormalizeName(given)
	if err != nil {
		return name, "", rq.refused(bad("%v", err))
	}
	return name, rq.path[:len(rq.path)-len(given)] + name.String(), nil
}

func (rq *request) policyNames() []string {
	names := append(rq.front.desk.Table().Policies(rq.ns), policy.NameDefault)
	if rq.ns == "" {
		names = append(names, policy.NameRoot)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func listPolicies(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.policy.list"); err != nil {
		return answer{}, err
	}
	return keys(rq.policyNames())
}

func listPoliciesLegacy(rq *request) (answer, error) {
	op := policy.Operation("vault.sys.policy-legacy.list")
	if rq.op == list {
		op = "vault.sys.policy-legacy.list-verb"
	}
	if err := rq.ask(op); err != nil {
		return answer{}, err
	}
	names := rq.policyNames()
	return sayFlat(map[string][]string{"keys": names, "policies": names})
}

// policyText finds what a policy says. The built-in default is shown until somebody writes another; root says nothing.
func (rq *request) policyText(op policy.Operation) (name policy.Name, text string, err error) {
	name, resource, err := rq.policyName()
	if err != nil {
		return name, "", err
	}
	if err := rq.askFor(op, resource); err != nil {
		return name, "", err
	}
	doc, ok := rq.front.desk.Table().Policy(rq.ns, name.String())
	switch {
	case ok:
		return name, doc.Text, nil
	case name.String() == policy.NameDefault:
		return name, custody.DefaultPolicyText, nil
	case name.IsRoot() && rq.ns == "":
		return name, "", nil
	}
	return name, "", secret.ErrNotFound
}

func readPolicy(rq *request) (answer, error) {
	name, text, err := rq.policyText("vault.sys.policy.read")
	if err != nil {
		return answer{}, err
	}
	return say(map[string]string{"name": name.String(), "policy": text})
}

func readPolicyLegacy(rq *request) (answer, error) {
	name, text, err := rq.policyText("vault.sys.policy-legacy.read")
	if err != nil {
		return answer{}, err
	}
	return sayFlat(map[string]string{"name": name.String(), "rules": text})
}

// writePolicy takes the text as it is or, as the vendor's clients may send it, in base64.
func writePolicy(rq *request) (answer, error) {
	name, resource, err := rq.policyName()
	if err != nil {
		return answer{}, err
	}
	text := rq.fields.text("policy")
	if text == "" {
		text = rq.fields.text("rules")
	}
	if text == "" {
		return answer{}, rq.refused(bad("'policy' parameter not supplied or empty"))
	}
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(plain)
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.WritePolicy{Name: name, Text: text, Resource: resource}); err != nil {
		return answer{}, err
	}
	return done()
}

func dropPolicy(rq *request) (answer, error) {
	name, resource, err := rq.policyName()
	if err != nil {
		return answer{}, err
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.DropPolicy{Name: name, Resource: resource}); err != nil {
		return answer{}, err
	}
	return done()
}
