package vault

import (
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// appRoleField is one field of a role that can be read, written and set back by itself: role/ROLE/NAME.
type appRoleField struct {
	name    string // in the path
	members []string
	show    func(*approle.Role) any
	write   bool
	clear   bool
	warning string
}

func appRoleFields() []appRoleField {
	return []appRoleField{
		{name: "policies", members: []string{"token_policies", "policies"}, show: func(r *approle.Role) any { return some(r.Token.Policies) }, write: true, clear: true},
		{
			name: "bound-cidr-list", members: []string{"bound_cidr_list"}, show: func(r *approle.Role) any { return showRanges(r.SecretIDCIDRs) }, write: true, clear: true,
			warning: `The "bound_cidr_list" field is deprecated and will be removed. Please use "secret_id_bound_cidrs" instead.`,
		},
		{name: "secret-id-bound-cidrs", members: []string{"secret_id_bound_cidrs"}, show: func(r *approle.Role) any { return showRanges(r.SecretIDCIDRs) }, write: true, clear: true},
		{name: "token-bound-cidrs", members: []string{"token_bound_cidrs"}, show: func(r *approle.Role) any { return showCIDRs(r.Token.CIDRs) }, write: true, clear: true},
		{name: "bind-secret-id", members: []string{"bind_secret_id"}, show: func(r *approle.Role) any { return r.BindSecretID }, write: true, clear: true},
		{name: "secret-id-num-uses", members: []string{"secret_id_num_uses"}, show: func(r *approle.Role) any { return r.SecretIDUses }, write: true, clear: true},
		{name: "secret-id-ttl", members: []string{"secret_id_ttl"}, show: func(r *approle.Role) any { return seconds(r.SecretIDTTL) }, write: true, clear: true},
		{name: "period", members: []string{"token_period", "period"}, show: func(r *approle.Role) any { return seconds(r.Token.Period) }, write: true, clear: true},
		{name: "token-num-uses", members: []string{"token_num_uses"}, show: func(r *approle.Role) any { return r.Token.Uses }, write: true, clear: true},
		{name: "token-ttl", members: []string{"token_ttl"}, show: func(r *approle.Role) any { return seconds(r.Token.TTL) }, write: true, clear: true},
		{name: "token-max-ttl", members: []string{"token_max_ttl"}, show: func(r *approle.Role) any { return seconds(r.Token.MaxTTL) }, write: true, clear: true},
		{name: "role-id", members: []string{"role_id"}, show: func(r *approle.Role) any { return r.RoleID }, write: true},
		{name: "local-secret-ids", members: []string{"local_secret_ids"}, show: func(r *approle.Role) any { return r.LocalSecretIDs }},
	}
}

// showRanges writes every range with its length, which the vendor asks for here.
func showRanges(ps []netip.Prefix) []string {
	if len(ps) == 0 {
		return nil
	}
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}

// field finds the field that the path names.
func (rq *request) field(able func(appRoleField) bool) (appRoleField, error) {
	for _, f := range appRoleFields() {
		if f.name != rq.args["field"] {
			continue
		}
		if !able(f) {
			return f, rq.refused(errOperation)
		}
		return f, nil
	}
	return appRoleField{}, rq.refused(errUnsupportedPath)
}

func readAppRoleField(rq *request) (answer, error) {
	f, err := rq.field(func(appRoleField) bool { return true })
	if err != nil {
		return answer{}, err
	}
	r, err := rq.appRole(f.name)
	if err != nil {
		return answer{}, err
	}
	data := map[string]any{f.members[0]: f.show(&r)}
	if len(f.members) > 1 && (f.name != "policies" || len(r.Token.Policies) > 0) && (f.name != "period" || r.Token.Period > 0) {
		data[f.members[1]] = data[f.members[0]]
	}
	a, err := say(data)
	if f.warning != "" {
		a.warnings = []string{f.warning}
	}
	return a, err
}

func writeAppRoleField(rq *request) (answer, error) {
	f, err := rq.field(func(f appRoleField) bool { return f.write })
	if err != nil {
		return answer{}, err
	}
	only, given := fields{raw: map[string]json.RawMessage{}}, false
	for _, m := range f.members {
		if rq.fields.has(m) {
			only.raw[m], given = rq.fields.raw[m], true
		}
	}
	missing := f.members[len(f.members)-1]
	if f.name == "policies" {
		missing = "token_policies"
	}
	warnings, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, approle.WriteRole{
		Mount: rq.mountRef(), Role: rq.args["role"], Field: f.name, Change: func(r *approle.Role, _ bool) error {
			if !given {
				return bad("missing %s", missing)
			}
			return changeAppRole(only, r)
		},
	})
	if err != nil {
		return answer{}, named(err)
	}
	return answer{warnings: warnings}, nil
}

func deleteAppRoleField(rq *request) (answer, error) {
	f, err := rq.field(func(f appRoleField) bool { return f.clear })
	if err != nil {
		return answer{}, err
	}
	_, err = custody.Do(rq.ctx, rq.front.desk, rq.caller, approle.ClearField{Mount: rq.mountRef(), Role: rq.args["role"], Field: f.name})
	if err != nil && !errors.Is(err, secret.ErrNotFound) {
		return answer{}, err
	}
	return done()
}
