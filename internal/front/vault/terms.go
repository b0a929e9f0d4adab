package vault

import (
	"net/netip"

	"github.com/keephold/keephold/internal/auth"
)

// readTerms reads what every method's roles and users say of the tokens they give. older are the names that some
// members had before they all began with "token_".
func readTerms(f fields, t *auth.TokenTerms, older map[string]string) error {
	r := &reading{fields: f}
	names := func(name string) []string {
		if old, ok := older[name]; ok {
			return []string{name, old}
		}
		return []string{name}
	}
	set(r, &t.CIDRs, f.cidrs, names("token_bound_cidrs")...)
	set(r, &t.ExplicitMax, f.duration, names("token_explicit_max_ttl")...)
	set(r, &t.MaxTTL, f.duration, names("token_max_ttl")...)
	set(r, &t.NoDefaultPolicy, f.flag, names("token_no_default_policy")...)
	set(r, &t.Period, f.duration, names("token_period")...)
	set(r, &t.Policies, f.list, names("token_policies")...)
	set(r, &t.Type, f.word, names("token_type")...)
	set(r, &t.TTL, f.duration, names("token_ttl")...)
	set(r, &t.Uses, f.count, names("token_num_uses")...)
	set(r, &t.StrictlyBindIP, f.flag, names("token_strictly_bind_ip")...)
	return r.err
}

// termsInfo is how those terms are shown.
type termsInfo struct {
	CIDRs           []string `json:"token_bound_cidrs"`
	ExplicitMax     int64    `json:"token_explicit_max_ttl"`
	MaxTTL          int64    `json:"token_max_ttl"`
	NoDefaultPolicy bool     `json:"token_no_default_policy"`
	Uses            int      `json:"token_num_uses"`
	Period          int64    `json:"token_period"`
	Policies        []string `json:"token_policies"`
	StrictlyBindIP  bool     `json:"token_strictly_bind_ip"`
	TTL             int64    `json:"token_ttl"`
	Type            string   `json:"token_type"`
}

func showTerms(t *auth.TokenTerms) termsInfo {
	kind := t.Type
	if kind == "" {
		kind = "default"
	}
	return termsInfo{
		CIDRs: showCIDRs(t.CIDRs), ExplicitMax: seconds(t.ExplicitMax), MaxTTL: seconds(t.MaxTTL), NoDefaultPolicy: t.NoDefaultPolicy, Uses: t.Uses,
		Period: seconds(t.Period), Policies: some(t.Policies), StrictlyBindIP: t.StrictlyBindIP, TTL: seconds(t.TTL), Type: kind,
	}
}

// showCIDRs writes a range of one address as that address, as the vendor does.
func showCIDRs(ps []netip.Prefix) []string {
	out := make([]string, 0, len(ps))
	for _, p := range ps {
		if p.IsSingleIP() {
			out = append(out, p.Addr().String())
			continue
		}
		out = append(out, p.String())
	}
	return out
}

// some is a list that JSON shows as [] when it is empty.
func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
