package native

import (
	"encoding/json"
	"slices"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

type explanation struct {
	Allowed    bool     `json:"allowed"`
	Reason     string   `json:"reason"`
	Resource   string   `json:"resource"`
	Capability string   `json:"capability"`
	Rule       string   `json:"rule,omitempty"`
	Matches    []match  `json:"matches"`
	Misses     []miss   `json:"misses"`
	Text       string   `json:"text"`
	Grants     []string `json:"capabilities"` // everything that the deciding rule gives there
}

type match struct {
	Rule     string `json:"rule"`
	Pattern  string `json:"pattern"`
	Rank     int    `json:"rank"`
	Grants   bool   `json:"grants"`
	Deciding bool   `json:"deciding"`
}

type miss struct {
	Rule    string `json:"rule"`
	Why     string `json:"why"`
	Suggest string `json:"suggest,omitempty"`
}

func explained(x policy.Explanation) explanation {
	e := explanation{
		Allowed: x.Decision.Allowed, Reason: x.Decision.Reason.String(), Resource: x.Request.Resource, Capability: x.Request.Capability.String(),
		Matches: []match{}, Misses: []miss{}, Text: x.String(), Grants: x.Decision.Capabilities.Names(),
	}
	if x.Decision.Rule != nil {
		e.Rule = x.Decision.Rule.Origin.String()
	}
	for _, m := range x.Matches {
		e.Matches = append(e.Matches, match{m.Rule.Origin.String(), m.Pattern, m.Rank, m.Grants, m.Deciding})
	}
	for _, m := range x.Misses {
		e.Misses = append(e.Misses, miss{m.Rule.Origin.String(), m.Why, m.Suggest})
	}
	return e
}

// question reads {"resource": "secret/data/app", "capability": "read"}.
func (rq *request) question() (q custody.Question, err error) {
	if q.Resource, err = rq.text("resource"); err != nil {
		return q, err
	}
	name, err := rq.text("capability")
	if err != nil {
		return q, err
	}
	if q.Capability, err = policy.ParseCapability(name); err != nil {
		return q, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	return q, nil
}

// why is PUT why {"resource", "capability"}: what the caller's own policies say.
func why(rq *request) (any, error) {
	q, err := rq.question()
	if err != nil {
		return nil, err
	}
	x, err := rq.front.desk.Why(rq.http.Context(), rq.caller, q)
	if err != nil {
		return nil, err
	}
	return explained(x), nil
}

// explain is PUT explain {"policies": [...], "resource", "capability"}: what those policies say, whoever holds them.
func explain(rq *request) (any, error) {
	q, err := rq.question()
	if err != nil {
		return nil, err
	}
	var names []string
	if json.Unmarshal(rq.body["policies"], &names) != nil || len(names) == 0 || len(names) > 100 {
		return nil, auth.Tell(secret.ErrInvalid, "\"policies\" must be a list of 1 to 100 names")
	}
	x, err := rq.front.desk.Explain(rq.http.Context(), rq.caller, names, q)
	if err != nil {
		return nil, err
	}
	return explained(x), nil
}

// whoCan is PUT who-can {"resource", "capability"}.
func whoCan(rq *request) (any, error) {
	q, err := rq.question()
	if err != nil {
		return nil, err
	}
	return rq.front.desk.WhoCan(rq.http.Context(), rq.caller, q)
}

func (rq *request) role() (policy.Name, error) {
	name, err := policy.NormalizeName(rq.path)
	if err != nil {
		return name, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	return name, nil
}

type grant struct {
	policy.Grant
	Text string `json:"text"`
}

func grantsAnswer(role policy.Name, grants []policy.Grant) any {
	list := make([]grant, len(grants))
	for i, g := range grants {
		list[i] = grant{g, g.String()}
	}
	return map[string]any{"role": role.String(), "grants": list}
}

// readGrants is GET grants, the names of the roles, and GET grants/ROLE.
func readGrants(rq *request) (any, error) {
	ctx, d := rq.http.Context(), rq.front.desk
	if rq.path == "" {
		names, err := d.GrantRoles(ctx, rq.caller)
		return map[string]any{"roles": names}, err
	}
	role, err := rq.role()
	if err != nil {
		return nil, err
	}
	grants, err := d.Grants(ctx, rq.caller, role)
	if err != nil {
		return nil, err
	}
	return grantsAnswer(role, grants), nil
}

// writeGrant is PUT grants/ROLE {"verbs": ["read"], "pattern": "shop/prod/*", "remove": false}: one grant more, or one
// less.
func writeGrant(rq *request) (any, error) {
	role, err := rq.role()
	if err != nil {
		return nil, err
	}
	pattern, err := rq.text("pattern")
	if err != nil {
		return nil, err
	}
	var verbs []string
	var less bool
	if json.Unmarshal(rq.body["verbs"], &verbs) != nil || len(verbs) == 0 {
		return nil, auth.Tell(secret.ErrInvalid, "\"verbs\" must be a list such as [\"read\", \"list\"]")
	}
	if raw, ok := rq.body["remove"]; ok && json.Unmarshal(raw, &less) != nil {
		return nil, auth.Tell(secret.ErrInvalid, "\"remove\" must be true or false")
	}
	g, err := rq.grant(role, verbs, pattern)
	if err != nil {
		return nil, err
	}
	grants, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, registry.WriteGrants{Role: role, Change: func(old []policy.Grant) ([]policy.Grant, error) {
		same := func(o policy.Grant) bool { return o.String() == g.String() }
		rest := slices.DeleteFunc(slices.Clone(old), same)
		if !less {
			return append(rest, g), nil
		}
		if len(rest) == len(old) {
			return nil, auth.Tell(secret.ErrNotFound, "there is no such grant: %s", g)
		}
		return rest, nil
	}})
	if err != nil {
		return nil, err
	}
	return grantsAnswer(role, grants), nil
}

func (rq *request) grant(role policy.Name, verbs []string, pattern string) (policy.Grant, error) {
	table := rq.front.desk.Table()
	if table == nil {
		return policy.Grant{}, secret.ErrSealed
	}
	if err := rq.caller.Refusal(); err != nil {
		return policy.Grant{}, err
	}
	var names []string
	flat := map[string]bool{}
	for _, sp := range table.Spaces(rq.ns) {
		names = append(names, sp.Name)
		flat[sp.Name] = !sp.Versioned
	}
	space, path, err := policy.SplitGrant(pattern, names)
	if err != nil {
		return policy.Grant{}, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	g, err := policy.NewGrant(role.String(), verbs, space, path, flat[space])
	if err != nil {
		return policy.Grant{}, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	return g, nil
}

// dropGrants is DELETE grants/ROLE.
func dropGrants(rq *request) (any, error) {
	role, err := rq.role()
	if err != nil {
		return nil, err
	}
	_, err = custody.Do(rq.http.Context(), rq.front.desk, rq.caller, registry.DropGrants{Role: role})
	return map[string]string{"role": role.String()}, err
}

// text reads a member that must be there and be a text.
func (rq *request) text(name string) (string, error) {
	var s string
	if json.Unmarshal(rq.body[name], &s) != nil || s == "" {
		return "", auth.Tell(secret.ErrInvalid, "%q must be a text", name)
	}
	return s, nil
}
