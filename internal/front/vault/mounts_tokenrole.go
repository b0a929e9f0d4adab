package vault

import (
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
)

func listTokenRoles(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	return rq.names(auth.ListRoles{After: after, Limit: limit})
}

func deleteTokenRole(rq *request) (answer, error) {
	return rq.revoke(auth.DeleteRole{Name: rq.args["role"]})
}

// tokenRoleInfo shows a value also under the name it had before, as the vendor does for who wrote it there.
type tokenRoleInfo struct {
	AllowedEntityAliases []string `json:"allowed_entity_aliases"`
	AllowedPolicies      []string `json:"allowed_policies"`
	AllowedGlob          []string `json:"allowed_policies_glob"`
	DisallowedPolicies   []string `json:"disallowed_policies"`
	DisallowedGlob       []string `json:"disallowed_policies_glob"`
	ExplicitMaxTTL       int64    `json:"explicit_max_ttl"`
	Name                 string   `json:"name"`
	Orphan               bool     `json:"orphan"`
	PathSuffix           string   `json:"path_suffix"`
	Period               int64    `json:"period"`
	Renewable            bool     `json:"renewable"`
	BoundCIDRs           []string `json:"bound_cidrs,omitempty"`
	TokenBoundCIDRs      []string `json:"token_bound_cidrs,omitempty"`
	TokenExplicitMaxTTL  int64    `json:"token_explicit_max_ttl"`
	TokenNoDefaultPolicy bool     `json:"token_no_default_policy"`
	TokenNumUses         int      `json:"token_num_uses,omitempty"`
	TokenPeriod          int64    `json:"token_period"`
	TokenType            string   `json:"token_type"`
}

func readTokenRole(rq *request) (answer, error) {
	r, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.ReadRole{Name: rq.args["role"]})
	if err != nil {
		return answer{}, err
	}
	return say(tokenRoleInfo{
		AllowedEntityAliases: r.EntityAliases, AllowedPolicies: some(r.Allowed), AllowedGlob: some(r.AllowedGlob), DisallowedPolicies: some(r.Disallowed),
		DisallowedGlob: some(r.DisallowedGlob), ExplicitMaxTTL: seconds(r.ExplicitMax), Name: r.Name, Orphan: r.Orphan, PathSuffix: r.PathSuffix,
		Period: seconds(r.Period), Renewable: r.Renewable, BoundCIDRs: showCIDRs(r.CIDRs), TokenBoundCIDRs: showCIDRs(r.CIDRs),
		TokenExplicitMaxTTL: seconds(r.ExplicitMax), TokenNoDefaultPolicy: r.NoDefaultPolicy, TokenNumUses: r.Uses, TokenPeriod: seconds(r.Period), TokenType: r.Type,
	})
}

func writeTokenRole(rq *request) (answer, error) {
	warnings, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.WriteRole{Name: rq.args["role"], Change: func(r *auth.Role) error {
		return changeTokenRole(rq.fields, r)
	}})
	if err != nil {
		return answer{}, err
	}
	return answer{warnings: append(doubled(rq.fields, "period", "bound_cidrs", "explicit_max_ttl"), warnings...)}, nil
}

// doubled warns of members that were given under both of their names.
func doubled(f fields, olds ...string) (warnings []string) {
	for _, old := range olds {
		if f.has(old) && f.has("token_"+old) {
			warnings = append(warnings, fmt.Sprintf("Both 'token_%s' and deprecated '%s' value supplied, ignoring the deprecated value", old, old))
		}
	}
	return warnings
}

func changeTokenRole(f fields, role *auth.Role) error {
	r := &reading{fields: f}
	set(r, &role.Allowed, f.list, "allowed_policies")
	set(r, &role.AllowedGlob, f.list, "allowed_policies_glob")
	set(r, &role.Disallowed, f.list, "disallowed_policies")
	set(r, &role.DisallowedGlob, f.list, "disallowed_policies_glob")
	set(r, &role.Orphan, f.flag, "orphan")
	set(r, &role.Renewable, f.flag, "renewable")
	set(r, &role.PathSuffix, f.word, "path_suffix")
	set(r, &role.EntityAliases, f.list, "allowed_entity_aliases")
	set(r, &role.CIDRs, f.cidrs, "token_bound_cidrs", "bound_cidrs")
	set(r, &role.ExplicitMax, f.duration, "token_explicit_max_ttl", "explicit_max_ttl")
	set(r, &role.Period, f.duration, "token_period", "period")
	set(r, &role.NoDefaultPolicy, f.flag, "token_no_default_policy")
	set(r, &role.Uses, f.count, "token_num_uses")
	set(r, &role.Type, f.word, "token_type")
	return r.err
}
