package vault

import (
	"errors"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// approleRoutes is auth/approle/, https://openbao.org/api-docs/auth/approle/
func approleRoutes() []route {
	return []route{
		{write, "login", "vault.approle.login", loginAppRole},
		{list, "role", "vault.approle.role.list", listAppRoles},
		{read, "role/{role}", "vault.approle.role.read", readAppRole},
		{write, "role/{role}", "vault.approle.role.update", writeAppRole},
		{remove, "role/{role}", "vault.approle.role.delete", deleteAppRole},
		{write, "role/{role}/secret-id", "vault.approle.secret-id.create", newSecretID},
		{list, "role/{role}/secret-id", "vault.approle.secret-id.list", listSecretIDs},
		{write, "role/{role}/custom-secret-id", "vault.approle.secret-id.custom", customSecretID},
		{write, "role/{role}/secret-id/lookup", "vault.approle.secret-id.lookup", lookupSecretID},
		{write | remove, "role/{role}/secret-id/destroy", "vault.approle.secret-id.destroy", destroySecretID},
		{write, "role/{role}/secret-id-accessor/lookup", "vault.approle.secret-id-accessor.lookup", lookupSecretID},
		{write | remove, "role/{role}/secret-id-accessor/destroy", "vault.approle.secret-id-accessor.destroy", destroySecretID},
		{read, "role/{role}/{field}", "vault.approle.field.read", readAppRoleField},
		{write, "role/{role}/{field}", "vault.approle.field.update", writeAppRoleField},
		{remove, "role/{role}/{field}", "vault.approle.field.delete", deleteAppRoleField},
		{write, "tidy/secret-id", "vault.approle.tidy", tidySecretIDs},
	}
}

func loginAppRole(rq *request) (answer, error) {
	i, err := rq.front.desk.Login(rq.ctx, rq.caller, rq.path, approle.Login{
		Mount: rq.mountRef(), RoleID: rq.fields.text("role_id"), SecretID: rq.fields.proof("secret_id"),
	})
	if err != nil {
		return answer{}, err
	}
	return issued(i)
}

func listAppRoles(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	return rq.names(approle.ListRoles{Mount: rq.mountRef(), After: after, Limit: limit})
}

func deleteAppRole(rq *request) (answer, error) {
	return rq.revoke(approle.DeleteRole{Mount: rq.mountRef(), Role: rq.args["role"]})
}

func tidySecretIDs(rq *request) (answer, error) {
	mount := rq.mountRef()
	return rq.tidy(func(cursor string) custody.Act[string] { return approle.Tidy{Mount: mount, Cursor: cursor} })
}

// appRoleInfo shows policies and period also under their older names, where somebody may have written them.
type appRoleInfo struct {
	BindSecretID   bool     `json:"bind_secret_id"`
	LocalSecretIDs bool     `json:"local_secret_ids"`
	Period         int64    `json:"period,omitempty"`
	Policies       []string `json:"policies,omitempty"`
	SecretIDCIDRs  []string `json:"secret_id_bound_cidrs"`
	SecretIDUses   int      `json:"secret_id_num_uses"`
	SecretIDTTL    int64    `json:"secret_id_ttl"`
	termsInfo
}

func readAppRole(rq *request) (answer, error) {
	r, err := rq.appRole("")
	if err != nil {
		return answer{}, err
	}
	terms := showTerms(&r.Token)
	return say(appRoleInfo{
		BindSecretID: r.BindSecretID, LocalSecretIDs: r.LocalSecretIDs, Period: terms.Period, Policies: terms.Policies, SecretIDCIDRs: showRanges(r.SecretIDCIDRs),
		SecretIDUses: r.SecretIDUses, SecretIDTTL: seconds(r.SecretIDTTL), termsInfo: terms,
	})
}

func (rq *request) appRole(field string) (approle.Role, error) {
	return custody.Do(rq.ctx, rq.front.desk, rq.caller, approle.ReadRole{Mount: rq.mountRef(), Role: rq.args["role"], Field: field})
}

func writeAppRole(rq *request) (answer, error) {
	warnings, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, approle.WriteRole{
		Mount: rq.mountRef(), Role: rq.args["role"], Change: func(r *approle.Role, _ bool) error { return changeAppRole(rq.fields, r) },
	})
	if err != nil {
		return answer{}, err
	}
	return answer{warnings: warnings}, nil
}

func changeAppRole(f fields, role *approle.Role) error {
	r := &reading{fields: f}
	set(r, &role.RoleID, f.word, "role_id")
	set(r, &role.BindSecretID, f.flag, "bind_secret_id")
	set(r, &role.SecretIDCIDRs, f.cidrs, "secret_id_bound_cidrs", "bound_cidr_list")
	set(r, &role.SecretIDUses, f.count, "secret_id_num_uses")
	set(r, &role.SecretIDTTL, f.duration, "secret_id_ttl")
	set(r, &role.LocalSecretIDs, f.flag, "local_secret_ids", "enable_local_secret_ids")
	if r.err != nil {
		return r.err
	}
	return readTerms(f, &role.Token, map[string]string{"token_policies": "policies", "token_period": "period"})
}

// named lets the text of "there is no such role" reach the client, where the vendor says it.
func named(err error) error {
	if errors.Is(err, secret.ErrNotFound) {
		return auth.Tell(secret.ErrUnsupported, "%s", err.Error())
	}
	return err
}
