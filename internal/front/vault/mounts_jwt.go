package vault

import (
	"encoding/json"
	"time"

	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/custody"
)

// jwtRoutes is auth/jwt/, https://openbao.org/api-docs/auth/jwt/, without its browser flow.
func jwtRoutes() []route {
	return []route{
		{write, "login", "vault.jwt.login", loginJWT},
		{read, "config", "vault.jwt.config.read", readJWTConfig},
		{write, "config", "vault.jwt.config.update", writeJWTConfig},
		{list, "role", "vault.jwt.role.list", listJWTRoles},
		{read, "role/{role}", "vault.jwt.role.read", readJWTRole},
		{write, "role/{role}", "vault.jwt.role.update", writeJWTRole},
		{remove, "role/{role}", "vault.jwt.role.delete", deleteJWTRole},
	}
}

func loginJWT(rq *request) (answer, error) {
	i, err := rq.front.desk.Login(rq.ctx, rq.caller, rq.path, jwt.Login{
		Mount: rq.mountRef(), Role: rq.fields.text("role"), Token: rq.fields.proof("jwt"), Keys: rq.front.cfg.Issuers,
	})
	if err != nil {
		return answer{}, err
	}
	return issued(i)
}

// jwtConfigInfo is what the vendor shows of a configuration; secrets of the browser flow, which is not there, are none of it.
type jwtConfigInfo struct {
	BoundIssuer   string   `json:"bound_issuer"`
	DefaultRole   string   `json:"default_role"`
	JWKSCA        string   `json:"jwks_ca_pem"`
	JWKSURL       string   `json:"jwks_url"`
	SupportedAlgs []string `json:"jwt_supported_algs"`
	PublicKeys    []string `json:"jwt_validation_pubkeys"`
	ClientID      string   `json:"oidc_client_id"`
	DiscoveryCA   string   `json:"oidc_discovery_ca_pem"`
	DiscoveryURL  string   `json:"oidc_discovery_url"`
}

func readJWTConfig(rq *request) (answer, error) {
	c, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, jwt.ReadConfig{Mount: rq.mountRef()})
	if err != nil {
		return answer{}, err
	}
	out := jwtConfigInfo{
		BoundIssuer: c.Issuer, DefaultRole: c.DefaultRole, JWKSURL: c.JWKSURL, SupportedAlgs: some(c.Algorithms), PublicKeys: some(c.PublicKeys), DiscoveryURL: c.DiscoveryURL,
	}
	if c.JWKSURL != "" {
		out.JWKSCA = c.CA
	} else {
		out.DiscoveryCA = c.CA
	}
	return say(out)
}

func writeJWTConfig(rq *request) (answer, error) {
	var c jwt.Config
	var discoveryCA string
	r := &reading{fields: rq.fields}
	set(r, &c.Issuer, rq.fields.word, "bound_issuer")
	set(r, &c.DefaultRole, rq.fields.word, "default_role")
	set(r, &c.JWKSURL, rq.fields.word, "jwks_url")
	set(r, &c.CA, rq.fields.word, "jwks_ca_pem")
	set(r, &discoveryCA, rq.fields.word, "oidc_discovery_ca_pem")
	set(r, &c.DiscoveryURL, rq.fields.word, "oidc_discovery_url")
	set(r, &c.PublicKeys, rq.fields.list, "jwt_validation_pubkeys")
	set(r, &c.Algorithms, rq.fields.list, "jwt_supported_algs")
	if r.err == nil {
		r.err = rq.none("oidc_client_id", "oidc_client_secret", "provider_config")
	}
	if r.err != nil {
		return answer{}, rq.refused(r.err)
	}
	if c.DiscoveryURL != "" {
		c.CA = discoveryCA
	}
	return rq.revoke(jwt.WriteConfig{Mount: rq.mountRef(), Config: c, Keys: rq.front.cfg.Issuers})
}

// none refuses members that would do something if they were understood. Clients send empty ones for what they do not use.
func (rq *request) none(names ...string) error {
	for _, name := range names {
		if raw := string(rq.fields.raw[name]); rq.fields.has(name) && raw != `""` && raw != "[]" && raw != "{}" && raw != "false" && raw != "0" {
			return bad("%q is not supported", name)
		}
	}
	return nil
}

func listJWTRoles(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	return rq.names(jwt.ListRoles{Mount: rq.mountRef(), After: after, Limit: limit})
}

func deleteJWTRole(rq *request) (answer, error) {
	return rq.revoke(jwt.DeleteRole{Mount: rq.mountRef(), Role: rq.args["role"]})
}

type jwtRoleInfo struct {
	BoundAudiences  []string            `json:"bound_audiences"`
	BoundClaims     map[string][]string `json:"bound_claims"`
	BoundClaimsType string              `json:"bound_claims_type"`
	BoundSubject    string              `json:"bound_subject"`
	ClaimMappings   map[string]string   `json:"claim_mappings"`
	ClockSkew       int64               `json:"clock_skew_leeway"`
	ExpiresLeeway   int64               `json:"expiration_leeway"`
	NotBeforeLeeway int64               `json:"not_before_leeway"`
	GroupsClaim     string              `json:"groups_claim"`
	RoleType        string              `json:"role_type"`
	UserClaim       string              `json:"user_claim"`
	termsInfo
}

func readJWTRole(rq *request) (answer, error) {
	r, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, jwt.ReadRole{Mount: rq.mountRef(), Role: rq.args["role"]})
	if err != nil {
		return answer{}, err
	}
	kind := "string"
	if r.Globs {
		kind = "glob"
	}
	return say(jwtRoleInfo{
		BoundAudiences: some(r.Audiences), BoundClaims: r.Claims, BoundClaimsType: kind, BoundSubject: r.Subject, ClaimMappings: r.Mappings,
		ClockSkew: seconds(r.Leeway.Skew), ExpiresLeeway: seconds(r.Leeway.Expires), NotBeforeLeeway: seconds(r.Leeway.NotBefore), RoleType: "jwt", UserClaim: r.UserClaim,
		termsInfo: showTerms(&r.Token),
	})
}

func writeJWTRole(rq *request) (answer, error) {
	return rq.revoke(jwt.WriteRole{Mount: rq.mountRef(), Role: rq.args["role"], Change: func(role *jwt.Role) error {
		if kind := rq.fields.text("role_type"); kind != "" && kind != "jwt" {
			return bad("role_type %q is not supported: use \"jwt\"", kind)
		}
		if err := rq.none("groups_claim", "oidc_scopes", "allowed_redirect_uris", "verbose_oidc_logging", "max_age", "user_claim_json_pointer"); err != nil {
			return err
		}
		r := &reading{fields: rq.fields}
		set(r, &role.Audiences, rq.fields.list, "bound_audiences")
		set(r, &role.Subject, rq.fields.word, "bound_subject")
		set(r, &role.UserClaim, rq.fields.word, "user_claim")
		set(r, &role.Mappings, rq.fields.pairs, "claim_mappings")
		set(r, &role.Claims, rq.fields.choices, "bound_claims")
		for name, to := range map[string]*time.Duration{"clock_skew_leeway": &role.Leeway.Skew, "expiration_leeway": &role.Leeway.Expires, "not_before_leeway": &role.Leeway.NotBefore} {
			set(r, to, rq.fields.leeway, name)
		}
		switch kind := rq.fields.text("bound_claims_type"); {
		case r.err != nil:
			return r.err
		case kind != "" && kind != "string" && kind != "glob":
			return bad("bound_claims_type must be \"string\" or \"glob\"")
		case kind != "":
			role.Globs = kind == "glob"
		}
		return readTerms(rq.fields, &role.Token, map[string]string{
			"token_policies": "policies", "token_ttl": "ttl", "token_max_ttl": "max_ttl", "token_bound_cidrs": "bound_cidrs", "token_period": "period", "token_num_uses": "num_uses",
		})
	}})
}

// leeway is a duration of some minutes at most.
func (f fields) leeway(name string) (time.Duration, error) {
	d, err := f.duration(name)
	if err == nil && (d < 0 || d > 10*time.Minute) {
		err = bad("%q must be between 0 and 10 minutes", name)
	}
	return d, err
}

// choices reads an object whose members are a text, a boolean or a list of texts.
func (f fields) choices(name string) (map[string][]string, error) {
	var members map[string]json.RawMessage
	if !f.has(name) {
		return nil, nil
	}
	if json.Unmarshal(f.raw[name], &members) != nil {
		return nil, bad("error converting input for field %q: expected an object", name)
	}
	out := map[string][]string{}
	inner := fields{members}
	for claim, raw := range members {
		var many []string
		if json.Unmarshal(raw, &many) != nil {
			one, err := inner.word(claim)
			if err != nil {
				return nil, bad("error converting input for field %q: claim %q must be a text or a list of some", name, claim)
			}
			many = []string{one}
		}
		out[claim] = many
	}
	return out, nil
}
