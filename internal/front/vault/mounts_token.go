package vault

import (
	"net/http"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// tokenRoutes is auth/token/, https://openbao.org/api-docs/auth/token/
func tokenRoutes() []route {
	return []route{
		{write, "create", "vault.token.create", createToken},
		{write, "create-orphan", "vault.token.create-orphan", createOrphan},
		{write, "create/{role}", "vault.token.create-role", createToken},
		{read | write, "lookup", "vault.token.lookup", lookupToken},
		{read | write, "lookup-self", "vault.token.lookup-self", lookupSelf},
		{write, "lookup-accessor", "vault.token.lookup-accessor", lookupAccessor},
		{write, "renew", "vault.token.renew", renewToken},
		{write, "renew-self", "vault.token.renew-self", renewSelf},
		{write, "renew-accessor", "vault.token.renew-accessor", renewAccessor},
		{write, "revoke", "vault.token.revoke", revokeToken},
		{write, "revoke-self", "vault.token.revoke-self", revokeSelf},
		{write, "revoke-accessor", "vault.token.revoke-accessor", revokeAccessor},
		{write, "revoke-orphan", "vault.token.revoke-orphan", revokeOrphan},
		{write, "tidy", "vault.token.tidy", tidyTokens},
		{list, "accessors", "vault.token.accessors", listAccessors},
		{list, "roles", "vault.token.role.list", listTokenRoles},
		{read, "roles/{role}", "vault.token.role.read", readTokenRole},
		{write, "roles/{role}", "vault.token.role.update", writeTokenRole},
		{remove, "roles/{role}", "vault.token.role.delete", deleteTokenRole},
	}
}

func createToken(rq *request) (answer, error)  { return rq.createToken(false) }
func createOrphan(rq *request) (answer, error) { return rq.createToken(true) }

func (rq *request) createToken(orphan bool) (answer, error) {
	f := rq.fields
	c := auth.Create{Mount: rq.mountRef(), Role: rq.args["role"], OrphanPath: orphan, ID: f.proof("id")}
	renewable := true
	r := &reading{fields: f}
	set(r, &c.Policies, f.list, "policies")
	set(r, &c.NoParent, f.flag, "no_parent")
	set(r, &c.NoDefaultPolicy, f.flag, "no_default_policy")
	set(r, &c.TTL, f.duration, "ttl", "lease")
	set(r, &c.ExplicitMax, f.duration, "explicit_max_ttl")
	set(r, &c.Period, f.duration, "period")
	set(r, &c.Uses, f.count, "num_uses")
	set(r, &c.Type, f.word, "type")
	set(r, &c.Meta, f.meta, "meta")
	set(r, &renewable, f.flag, "renewable")
	set(r, &c.DisplayName, f.word, "display_name")
	set(r, &c.EntityAlias, f.word, "entity_alias")
	if r.err != nil {
		return answer{}, rq.refused(r.err)
	}
	c.NotRenewable = !renewable
	i, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, c)
	if err != nil {
		return answer{}, err
	}
	return issued(i)
}

// lookup is auth.Lookup of the caller's own token on a path that is not lookup-self: the vendor also lets a token be
// looked up by presenting it and naming none.
type lookup struct {
	auth.Lookup
	need record.Need
}

func (l lookup) Need() record.Need { return l.need }

func lookupToken(rq *request) (answer, error) {
	if text := rq.fields.text("token"); text != "" {
		return rq.lookup(auth.Lookup{Which: auth.ByToken(auth.NewProof([]byte(text)))}, text)
	}
	return rq.lookup(rq.ownLookup("auth/token/lookup"), wire.Token(rq.http.Header))
}

func lookupSelf(rq *request) (answer, error) {
	return rq.lookup(rq.ownLookup("auth/token/lookup-self"), wire.Token(rq.http.Header))
}

func (rq *request) ownLookup(resource string) lookup {
	l := lookup{Lookup: auth.Lookup{Which: auth.Self()}, need: record.Need{Action: "token.lookup-self", Resource: resource, Capability: policy.Read}}
	if rq.op == write {
		l.need.Capability = policy.Update
	}
	return l
}

func lookupAccessor(rq *request) (answer, error) {
	return rq.lookup(auth.Lookup{Which: auth.ByAccessor(rq.fields.text("accessor"))}, "")
}

// lookup answers what is known of a token. Its text is shown to who presented it, and to nobody else.
func (rq *request) lookup(act custody.Act[auth.Info], text string) (answer, error) {
	i, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, act)
	if err != nil {
		return answer{}, err
	}
	return say(showToken(i, text))
}

type tokenInfo struct {
	Accessor    string            `json:"accessor"`
	DisplayName string            `json:"display_name"`
	EntityID    string            `json:"entity_id"`
	ID          string            `json:"id"`
	Meta        map[string]string `json:"meta"`
	NumUses     int               `json:"num_uses"`
	Orphan      bool              `json:"orphan"`
	Path        string            `json:"path"`
	Type        string            `json:"type"`
	Role        string            `json:"role,omitempty"`
	CIDRs       []string          `json:"bound_cidrs,omitempty"`
	Namespace   string            `json:"namespace_path,omitempty"`
	tokenLife
	tokenPolicies
}

type tokenLife struct {
	CreationTime    int64      `json:"creation_time"`
	CreationTTL     int64      `json:"creation_ttl"`
	ExpireTime      *time.Time `json:"expire_time"`
	ExplicitMaxTTL  int64      `json:"explicit_max_ttl"`
	IssueTime       *time.Time `json:"issue_time,omitempty"`
	LastRenewal     *time.Time `json:"last_renewal,omitempty"`
	LastRenewalTime int64      `json:"last_renewal_time,omitempty"`
	Period          int64      `json:"period,omitempty"`
	Renewable       *bool      `json:"renewable,omitempty"`
	TTL             int64      `json:"ttl"`
}

type tokenPolicies struct {
	Policies []string            `json:"policies"`
	Identity []string            `json:"identity_policies,omitempty"`
	External map[string][]string `json:"external_namespace_policies,omitzero"`
}

func showToken(i auth.Info, text string) tokenInfo {
	t := i.Token
	info := tokenInfo{
		Accessor: t.Accessor, DisplayName: t.Display, EntityID: t.Entity, ID: text, Meta: pairsOrNull(t.Meta), NumUses: t.Uses, Orphan: t.Orphan(),
		Path: t.Path, Type: t.Kind.String(), Role: roleShown(t), tokenLife: showLife(i), tokenPolicies: tokenPolicies{Policies: t.Policies},
	}
	if len(t.CIDRs) > 0 {
		info.CIDRs = showCIDRs(t.CIDRs)
	}
	if i.NamespacePath != "" {
		info.Namespace = i.NamespacePath + "/"
	}
	if len(i.IdentityPolicies) > 0 {
		info.Identity, info.External = i.IdentityPolicies, map[string][]string{}
	}
	return info
}

// roleShown is the token role alone: the vendor's methods keep theirs in the metadata.
func roleShown(t *auth.Token) string {
	if t.Method != "token" {
		return ""
	}
	return t.Role
}

// showLife leaves out what the vendor has no lease for: a token that never ends.
func showLife(i auth.Info) tokenLife {
	l := i.Token.Life
	out := tokenLife{CreationTime: l.Created.Unix(), CreationTTL: seconds(l.TTL), ExplicitMaxTTL: seconds(l.ExplicitMax), Period: seconds(l.Period)}
	if l.Expires.IsZero() {
		return out
	}
	issue, expire := l.Created.UTC(), l.Expires.UTC()
	out.IssueTime, out.ExpireTime, out.TTL, out.Renewable = &issue, &expire, seconds(i.Left), &i.Renewable
	if !l.Renewed.IsZero() {
		renewed := l.Renewed.UTC()
		out.LastRenewal, out.LastRenewalTime = &renewed, renewed.Unix()
	}
	return out
}

func renewToken(rq *request) (answer, error) {
	text := rq.fields.text("token")
	return rq.renew(auth.ByToken(auth.NewProof([]byte(text))), text)
}

func renewSelf(rq *request) (answer, error) {
	return rq.renew(auth.Self(), wire.Token(rq.http.Header))
}

func renewAccessor(rq *request) (answer, error) {
	return rq.renew(auth.ByAccessor(rq.fields.text("accessor")), "")
}

func (rq *request) renew(which auth.Which, text string) (answer, error) {
	increment, err := rq.fields.duration("increment")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	i, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.Renew{Which: which, Increment: increment})
	if err != nil {
		return answer{}, err
	}
	i.Token = secret.NewValue([]byte(text))
	return issued(i)
}

func revokeToken(rq *request) (answer, error) {
	return rq.revoke(auth.Revoke{Which: auth.ByToken(rq.fields.proof("token"))})
}

func revokeSelf(rq *request) (answer, error) { return rq.revoke(auth.Revoke{Which: auth.Self()}) }

func revokeAccessor(rq *request) (answer, error) {
	return rq.revoke(auth.Revoke{Which: auth.ByAccessor(rq.fields.text("accessor"))})
}

func revokeOrphan(rq *request) (answer, error) {
	return rq.revoke(auth.RevokeOrphan{Token: rq.fields.proof("token")})
}

func (rq *request) revoke(act custody.Act[auth.None]) (answer, error) {
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, act); err != nil {
		return answer{}, err
	}
	return done()
}

func tidyTokens(rq *request) (answer, error) {
	return rq.tidy(func(cursor string) custody.Act[string] { return auth.Tidy{Cursor: cursor} })
}

// tidy answers as the vendor does, whose work goes on after the answer; ours is over by then.
func (rq *request) tidy(page func(string) custody.Act[string]) (answer, error) {
	if err := custody.Tidy(rq.ctx, rq.front.desk, rq.caller, page); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusAccepted, warnings: []string{
		"Tidy operation successfully started. Any information from the operation will be printed to the server's logs.",
	}}, nil
}

func listAccessors(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	return rq.names(auth.ListAccessors{After: after, Limit: limit})
}

// names answers an act that lists.
func (rq *request) names(act custody.Act[[]string]) (answer, error) {
	names, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, act)
	if err != nil {
		return answer{}, err
	}
	return keys(names)
}
