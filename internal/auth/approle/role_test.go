package approle_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/secret"
)

func change(f func(*approle.Role)) func(*approle.Role, bool) error {
	return func(r *approle.Role, _ bool) error { f(r); return nil }
}

func TestRoleRules(t *testing.T) {
	r := authtest.New(t)
	newRole(t, r, "web", nil)
	near, err := auth.ParseCIDRs([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		role  string
		field string
		f     func(*approle.Role)
		want  string
		kind  error
	}{
		"no constraint":    {"web", "", func(x *approle.Role) { x.BindSecretID = false }, "at least one constraint should be enabled on the role", secret.ErrInvalid},
		"weak role-id":     {"web", "", func(x *approle.Role) { x.RoleID = "webserver" }, "", secret.ErrInvalid},
		"even role-id":     {"web", "", func(x *approle.Role) { x.RoleID = strings.Repeat("ab", 40) }, "", secret.ErrInvalid},
		"uses":             {"web", "", func(x *approle.Role) { x.SecretIDUses = -1 }, "secret_id_num_uses cannot be negative", secret.ErrInvalid},
		"ttl over max":     {"web", "", func(x *approle.Role) { x.Token.TTL, x.Token.MaxTTL = 2, 1 }, "'token_ttl' cannot be greater than 'token_max_ttl'", secret.ErrInvalid},
		"period":           {"web", "", func(x *approle.Role) { x.Token.Period = 800 * time.Hour }, `period of "800h0m0s" is greater than the backend's maximum lease TTL of "768h0m0s"`, secret.ErrInvalid},
		"local later":      {"web", "", func(x *approle.Role) { x.LocalSecretIDs = true }, "local_secret_ids can only be modified during role creation", secret.ErrInvalid},
		"bound and strict": {"web", "", func(x *approle.Role) { x.Token.CIDRs, x.Token.StrictlyBindIP = near, true }, "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one", secret.ErrInvalid},
		"name":             {"a/b", "", nil, "", secret.ErrInvalid},
		"field of nobody":  {"none", "token-ttl", nil, `role "none" does not exist`, secret.ErrNotFound},
	} {
		f := x.f
		if f == nil {
			f = func(*approle.Role) {}
		}
		_, err := authtest.Do(r, r.Root(), approle.WriteRole{Mount: mount, Role: x.role, Field: x.field, Change: change(f)})
		if !errors.Is(err, x.kind) || x.want != "" && err.Error() != x.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRoleID(t *testing.T) {
	r := authtest.New(t)
	role := newRole(t, r, "web", nil)
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	custom := strings.Repeat("0123456789abcdef", 2)
	newRole(t, r, "web", func(x *approle.Role) { x.RoleID = custom })
	if _, err := r.SignIn(login(role.RoleID, id), auth.From{}); !errors.Is(err, secret.ErrSignIn) {
		t.Errorf("the old role-id: %v", err)
	}
	if _, err := r.SignIn(login(custom, id), auth.From{}); err != nil {
		t.Errorf("the new role-id: %v", err)
	}
	_, err := authtest.Do(r, r.Root(), approle.WriteRole{Mount: mount, Role: "other", Change: change(func(x *approle.Role) { x.RoleID = custom })})
	if err == nil || err.Error() != "role_id already in use" {
		t.Errorf("got %v", err)
	}
	dev := authtest.New(t, func(c *auth.Config) { c.AllowWeakIDs = true })
	newRole(t, dev, "web", func(x *approle.Role) { x.RoleID = "web" })
	authtest.Must(t, dev, dev.Root(), approle.NewSecretID{Mount: mount, Role: "web", IsCustom: true, Custom: auth.NewProof([]byte("dev"))})
	if _, err := dev.SignIn(approle.Login{Mount: mount, RoleID: "web", SecretID: auth.NewProof([]byte("dev"))}, auth.From{}); err != nil {
		t.Errorf("dev: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	r := authtest.New(t)
	role := newRole(t, r, "web", func(x *approle.Role) {
		x.SecretIDCIDRs, _ = auth.ParseCIDRs([]string{"10.0.0.0/8"})
		x.Token.CIDRs, _ = auth.ParseCIDRs([]string{"10.0.0.0/8"})
	})
	if _, err := authtest.Do(r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web", CIDRs: []string{"192.168.0.0/16"}}); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("not a subset: %v", err)
	}
	one := 1
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web", CIDRs: []string{"10.1.0.0/16"}, TokenCIDRs: []string{"10.1.2.3"}, Uses: &one})
	for _, addr := range []string{"10.2.0.1", "192.168.0.1", ""} {
		if _, err := r.SignIn(login(role.RoleID, id), authtest.From(addr)); !errors.Is(err, secret.ErrSignIn) {
			t.Errorf("from %q: %v", addr, err)
		}
	}
	got, err := r.SignIn(login(role.RoleID, id), authtest.From("10.1.2.3"))
	if err != nil {
		t.Fatalf("a refused address spends no use: %v", err)
	}
	if c := r.As(got.Token.Reveal(), authtest.From("10.1.2.4")); !errors.Is(c.Refusal(), secret.ErrDenied) {
		t.Errorf("the token from elsewhere: %v", c.Refusal())
	}
}

func TestSecretIDLimits(t *testing.T) {
	r := authtest.New(t)
	newRole(t, r, "web", func(x *approle.Role) { x.SecretIDUses, x.SecretIDTTL = 2, time.Hour })
	for name, x := range map[string]struct {
		uses int
		ttl  time.Duration
		want string
	}{
		"negative":  {-1, time.Minute, "num_uses cannot be negative"},
		"more uses": {3, time.Minute, "num_uses cannot be higher than the role's secret_id_num_uses"},
		"no limit":  {0, time.Minute, "num_uses cannot be higher than the role's secret_id_num_uses"},
		"longer":    {1, 2 * time.Hour, "ttl cannot be longer than the role's secret_id_ttl"},
		"for ever":  {1, 0, "ttl cannot be longer than the role's secret_id_ttl"},
	} {
		_, err := authtest.Do(r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web", Uses: &x.uses, TTL: &x.ttl})
		if err == nil || err.Error() != x.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"}); got.Uses != 2 || got.TTL != time.Hour {
		t.Errorf("got %+v", got)
	}
}

func TestAdvisoryAccessorOfAnotherOwner(t *testing.T) {
	r := authtest.New(t)
	newRole(t, r, "web", nil)
	newRole(t, r, "other", nil)
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	elsewhere := mount
	elsewhere.Accessor = "auth_approle_2"
	tenant := mount
	tenant.Namespace = "n1"
	for _, m := range []auth.Mount{elsewhere, tenant} {
		authtest.Must(t, r, r.Root(), approle.WriteRole{Mount: m, Role: "web", Change: change(func(*approle.Role) {})})
	}
	proof := auth.NewProof(id.SecretID.Reveal())
	for name, f := range map[string]approle.FindSecretID{
		"another role":      {Mount: mount, Role: "other"},
		"another mount":     {Mount: elsewhere, Role: "web"},
		"another namespace": {Mount: tenant, Role: "web"},
	} {
		f.Accessor, f.ByAccessor = id.Accessor, true
		if _, err := authtest.Do(r, r.Root(), approle.LookupSecretID{FindSecretID: f}); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("%s: look-up by accessor: %v", name, err)
		}
		if _, err := authtest.Do(r, r.Root(), approle.DestroySecretID{FindSecretID: f}); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("%s: destroyed by accessor: %v", name, err)
		}
		f.SecretID, f.ByAccessor = proof, false
		if got, err := authtest.Do(r, r.Root(), approle.LookupSecretID{FindSecretID: f}); err != nil || got != nil {
			t.Errorf("%s: look-up: %v, %v", name, got, err)
		}
	}
	mine := approle.FindSecretID{Mount: mount, Role: "WEB", Accessor: id.Accessor, ByAccessor: true}
	if got := authtest.Must(t, r, r.Root(), approle.LookupSecretID{FindSecretID: mine}); got == nil || got.Accessor != id.Accessor {
		t.Errorf("its own: %+v", got)
	}
	authtest.Must(t, r, r.Root(), approle.DestroySecretID{FindSecretID: mine})
	if got := authtest.Must(t, r, r.Root(), approle.ListSecretIDs{Mount: mount, Role: "web"}); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDeletedRole(t *testing.T) {
	r := authtest.New(t)
	role := newRole(t, r, "web", nil)
	var ids []approle.Made
	for range 120 {
		ids = append(ids, authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"}))
	}
	authtest.Must(t, r, r.Root(), approle.DeleteRole{Mount: mount, Role: "Web"})
	newRole(t, r, "web", func(x *approle.Role) { x.RoleID = role.RoleID })
	if _, err := r.SignIn(login(role.RoleID, ids[0]), auth.From{}); !errors.Is(err, secret.ErrSignIn) {
		t.Errorf("a secret-id of the role that was deleted: %v", err)
	}
	keep := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	for cursor := authtest.Must(t, r, r.Root(), approle.Tidy{Mount: mount}); cursor != ""; {
		cursor = authtest.Must(t, r, r.Root(), approle.Tidy{Mount: mount, Cursor: cursor})
	}
	var kinds []string
	for _, k := range r.Store.Keys() {
		kinds = append(kinds, k[:3])
	}
	if want := []string{"apa", "api", "apr", "aps"}; !slices.Equal(kinds, want) {
		t.Errorf("left: %v, want %v", kinds, want)
	}
	if _, err := r.SignIn(login(role.RoleID, keep), auth.From{}); err != nil {
		t.Error(err)
	}
}

func TestFields(t *testing.T) {
	r := authtest.New(t)
	newRole(t, r, "web", func(x *approle.Role) {
		x.SecretIDUses, x.SecretIDTTL, x.Token.TTL, x.Token.MaxTTL, x.Token.Uses = 5, time.Hour, time.Minute, time.Hour, 7
		x.Token.Period = time.Minute
		x.SecretIDCIDRs, _ = auth.ParseCIDRs([]string{"10.0.0.0/8"})
		x.Token.CIDRs, _ = auth.ParseCIDRs([]string{"10.0.0.0/8"})
	})
	for _, f := range []string{"policies", "token-policies", "bound-cidr-list", "secret-id-bound-cidrs", "token-bound-cidrs", "bind-secret-id", "secret-id-num-uses",
		"secret-id-ttl", "period", "token-period", "token-num-uses", "token-ttl", "token-max-ttl"} {
		a := approle.ClearField{Mount: mount, Role: "web", Field: f}
		if got := a.Need().Resource; got != "auth/approle/role/web/"+f {
			t.Errorf("resource %s", got)
		}
		authtest.Must(t, r, r.Root(), a)
	}
	got := authtest.Must(t, r, r.Root(), approle.ReadRole{Mount: mount, Role: "web"})
	got.UID, got.RoleID = "", ""
	if got.SecretIDUses != 0 || got.SecretIDTTL != 0 || len(got.SecretIDCIDRs)+len(got.Token.CIDRs)+len(got.Token.Policies) != 0 ||
		got.Token.TTL+got.Token.MaxTTL+got.Token.Period != 0 || got.Token.Uses != 0 || !got.BindSecretID {
		t.Errorf("got %+v", got)
	}
	if _, err := authtest.Do(r, r.Root(), approle.ClearField{Mount: mount, Role: "web", Field: "other"}); !errors.Is(err, secret.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestRenewal(t *testing.T) {
	r := authtest.New(t, func(c *auth.Config) { c.Renewers = map[string]auth.Renewer{approle.Method: approle.Renew} })
	role := newRole(t, r, "web", func(x *approle.Role) { x.Token.TTL = time.Hour })
	id := authtest.Must(t, r, r.Root(), approle.NewSecretID{Mount: mount, Role: "web"})
	got, err := r.SignIn(login(role.RoleID, id), auth.From{})
	if err != nil {
		t.Fatal(err)
	}
	newRole(t, r, "web", func(x *approle.Role) { x.Token.TTL, x.Token.MaxTTL = 10*time.Minute, 30*time.Minute })
	c := r.As(got.Token.Reveal(), auth.From{})
	if again := authtest.Must(t, r, c, auth.Renew{}); again.TTL != 10*time.Minute {
		t.Errorf("renewed for %s", again.TTL)
	}
	r.Store.Advance(8 * time.Minute)
	if again := authtest.Must(t, r, c, auth.Renew{Increment: time.Hour}); again.TTL != 22*time.Minute {
		t.Errorf("renewed for %s", again.TTL)
	}
	authtest.Must(t, r, r.Root(), approle.DeleteRole{Mount: mount, Role: "web"})
	if _, err := authtest.Do(r, c, auth.Renew{}); err == nil || err.Error() != `role "web" does not exist during renewal` {
		t.Errorf("got %v", err)
	}
}
