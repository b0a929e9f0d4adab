package vault

import (
	"cmp"
	"errors"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/userpass"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// userpassRoutes is auth/userpass/, https://openbao.org/api-docs/auth/userpass/
func userpassRoutes() []route {
	return []route{
		{write, "login/{user}", "vault.userpass.login", loginUser},
		{list, "users", "vault.userpass.user.list", listUsers},
		{read, "users/{user}", "vault.userpass.user.read", readUser},
		{write, "users/{user}", "vault.userpass.user.update", writeUser},
		{remove, "users/{user}", "vault.userpass.user.delete", deleteUser},
		{write, "users/{user}/password", "vault.userpass.user.password", setPassword},
		{write, "users/{user}/policies", "vault.userpass.user.policies", setUserPolicies},
	}
}

func loginUser(rq *request) (answer, error) {
	i, err := rq.front.desk.Login(rq.ctx, rq.caller, rq.path, userpass.Login{
		Mount: rq.mountRef(), User: rq.args["user"], Password: rq.fields.proof("password"), Hasher: rq.front.cfg.Passwords, Lockout: rq.lockout(),
	})
	if err != nil {
		return answer{}, err
	}
	return issued(i)
}

// lockout is the mount's own where it is tuned, field by field, and the server's elsewhere.
func (rq *request) lockout() userpass.Lockout {
	l := rq.front.cfg.Lockout
	m, ok := rq.front.desk.Table().Mount(rq.ns, rq.args["mount"])
	if !ok {
		return l
	}
	own := &m.Tuning.Lockout
	return userpass.Lockout{
		Disabled: l.Disabled || own.Disabled, Threshold: cmp.Or(own.Threshold, l.Threshold),
		Duration: cmp.Or(own.Duration, l.Duration), Reset: cmp.Or(own.Reset, l.Reset),
	}
}

func listUsers(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	return rq.names(userpass.ListUsers{Mount: rq.mountRef(), After: after, Limit: limit})
}

// userInfo shows some terms also under their older names, where somebody may have written them.
type userInfo struct {
	BoundCIDRs []string `json:"bound_cidrs,omitempty"`
	MaxTTL     int64    `json:"max_ttl,omitempty"`
	Policies   []string `json:"policies,omitempty"`
	TTL        int64    `json:"ttl,omitempty"`
	termsInfo
}

func readUser(rq *request) (answer, error) {
	t, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, userpass.ReadUser{Mount: rq.mountRef(), Name: rq.args["user"]})
	if err != nil {
		return answer{}, err
	}
	terms := showTerms(&t)
	return say(userInfo{BoundCIDRs: terms.CIDRs, MaxTTL: terms.MaxTTL, Policies: terms.Policies, TTL: terms.TTL, termsInfo: terms})
}

func (rq *request) newPassword() userpass.NewPassword {
	return userpass.NewPassword{Password: rq.fields.proof("password"), Hash: rq.fields.proof("password_hash")}
}

func writeUser(rq *request) (answer, error) {
	return rq.revoke(userpass.WriteUser{
		Mount: rq.mountRef(), Name: rq.args["user"], Password: rq.newPassword(), Hasher: rq.front.cfg.Passwords,
		Change: func(t *auth.TokenTerms) error {
			return readTerms(rq.fields, t, map[string]string{
				"token_policies": "policies", "token_ttl": "ttl", "token_max_ttl": "max_ttl", "token_bound_cidrs": "bound_cidrs",
			})
		},
	})
}

func deleteUser(rq *request) (answer, error) {
	return rq.revoke(userpass.DeleteUser{Mount: rq.mountRef(), Name: rq.args["user"]})
}

func setPassword(rq *request) (answer, error) {
	return userOrNone(rq.revoke(userpass.SetPassword{Mount: rq.mountRef(), Name: rq.args["user"], Password: rq.newPassword(), Hasher: rq.front.cfg.Passwords}))
}

func setUserPolicies(rq *request) (answer, error) {
	act := userpass.SetPolicies{Mount: rq.mountRef(), Name: rq.args["user"]}
	r := &reading{fields: rq.fields}
	set(r, &act.Policies, rq.fields.list, "token_policies", "policies")
	if r.err == nil && !rq.fields.has("token_policies") && !rq.fields.has("policies") {
		r.err = bad("missing token_policies") // the vendor changes nothing and says so to nobody
	}
	if r.err != nil {
		return answer{}, rq.refused(r.err)
	}
	return userOrNone(rq.revoke(act))
}

// userOrNone says that a user does not exist; the vendor answers an internal error.
func userOrNone(a answer, err error) (answer, error) {
	if errors.Is(err, secret.ErrNotFound) {
		return a, bad("%s", err.Error())
	}
	return a, err
}
