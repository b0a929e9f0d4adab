package vault

import (
	"sort"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// mountRoutes is what each type of sign-in mount answers below auth/NAME/.
func mountRoutes() map[string][]route {
	return map[string][]route{
		"token":    tokenRoutes(),
		"approle":  approleRoutes(),
		"userpass": userpassRoutes(),
		"jwt":      jwtRoutes(),
	}
}

// mountRef is the sign-in mount of this request, as auth wants to know it.
func (rq *request) mountRef() auth.Mount {
	m, ok := rq.front.desk.Table().Mount(rq.ns, rq.args["mount"])
	if !ok {
		return auth.Mount{}
	}
	return auth.Mount{Path: m.Name, Accessor: m.Accessor, Namespace: m.Namespace, Limits: auth.Limits{Default: m.Tuning.DefaultTTL, Max: m.Tuning.MaxTTL}, TokenType: m.Tuning.TokenType}
}

type authInfo struct {
	ClientToken      string            `json:"client_token"`
	Accessor         string            `json:"accessor"`
	Policies         []string          `json:"policies"`
	TokenPolicies    []string          `json:"token_policies"`
	IdentityPolicies []string          `json:"identity_policies,omitempty"`
	Metadata         map[string]string `json:"metadata"`
	LeaseDuration    int64             `json:"lease_duration"`
	Renewable        bool              `json:"renewable"`
	EntityID         string            `json:"entity_id"`
	TokenType        string            `json:"token_type"`
	Orphan           bool              `json:"orphan"`
	MFARequirement   any               `json:"mfa_requirement"`
	NumUses          int               `json:"num_uses"`
}

func authBlock(i auth.Issued) authInfo {
	sort.Strings(i.Policies)
	return authInfo{
		ClientToken: string(i.Token.Reveal()), Accessor: i.Accessor, Policies: i.Policies, TokenPolicies: i.TokenPolicies, IdentityPolicies: i.IdentityPolicies,
		Metadata: pairsOrNull(i.Meta), LeaseDuration: int64(i.TTL.Seconds()), Renewable: i.Renewable, EntityID: i.Entity, TokenType: i.Kind.String(),
		Orphan: i.Orphan, NumUses: i.Uses,
	}
}

func pairs(ps []secret.Pair) map[string]string {
	m := make(map[string]string, len(ps))
	for _, p := range ps {
		m[p.Key] = p.Value
	}
	return m
}

// pairsOrNull is pairs where the vendor says null of none.
func pairsOrNull(ps []secret.Pair) map[string]string {
	if len(ps) == 0 {
		return nil
	}
	return pairs(ps)
}

type wrapBlock struct {
	Token           string `json:"token"`
	Accessor        string `json:"accessor"`
	TTL             int64  `json:"ttl"`
	CreationTime    string `json:"creation_time"`
	CreationPath    string `json:"creation_path"`
	WrappedAccessor string `json:"wrapped_accessor,omitempty"`
}

func wrapInfo(w custody.Wrapped) wrapBlock {
	return wrapBlock{
		Token: string(w.Token.Reveal()), Accessor: w.Accessor, TTL: int64(w.TTL.Seconds()),
		CreationTime: string(appendTime(nil, w.Created)), CreationPath: w.Path,
	}
}
