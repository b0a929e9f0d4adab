package custody

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/hcl"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// setCache keeps compiled sets of policies by namespace and names. Distinct sets are far fewer than tokens. Sets that
// depend on who holds them (templates) are compiled for each holder, which auth keeps with the token.
type setCache struct {
	mu     sync.Mutex
	parsed map[*registry.Document]*policy.Policy
	sets   map[string]*policy.Set
}

const maxSets = 4096

func (s *setCache) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets, s.parsed = map[string]*policy.Set{}, map[*registry.Document]*policy.Policy{}
}

// compile is auth's PolicySource.
func (o *opened) compile(d *Desk) func(context.Context, secret.NamespaceID, []string, policy.Facts) (*policy.Set, error) {
	return func(_ context.Context, ns secret.NamespaceID, names []string, facts policy.Facts) (*policy.Set, error) {
		return o.sets.get(d, o.table.Load(), ns, names, facts)
	}
}

func (s *setCache) get(d *Desk, table *registry.Table, ns secret.NamespaceID, names []string, facts policy.Facts) (*policy.Set, error) {
	names = slices.Clone(names)
	slices.Sort(names)
	named := slices.DeleteFunc(slices.Clone(facts.Principals), func(who string) bool { return !table.Names(ns, who) })
	key := string(ns) + "\x00" + strings.Join(names, "\x00") + "\x01" + strings.Join(named, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	now := d.now()
	if set, ok := s.sets[key]; ok && (set.Expires().IsZero() || now.Before(set.Expires())) {
		return set, nil
	}
	space, ok := table.Namespace(ns)
	if !ok {
		return nil, secret.ErrDenied
	}
	var policies []*policy.Policy
	templated := false
	for _, name := range slices.Compact(names) {
		doc, ok := table.Policy(ns, name)
		if !ok {
			if name != policy.NameDefault {
				continue
			}
			doc = defaultPolicy
		}
		p, err := s.parse(doc)
		if err != nil {
			return nil, err
		}
		if p.Templated() {
			templated = true
			if p, err = p.Render(facts); err != nil {
				return nil, err
			}
		}
		in := *p
		in.Namespace = space.Path
		policies = append(policies, &in)
	}
	attached, err := table.AttachedFor(ns, named)
	if err != nil {
		return nil, err
	}
	for _, p := range attached {
		p.Namespace = space.Path
		policies = append(policies, p)
	}
	set := policy.Compile(now, policies...)
	if !templated {
		if len(s.sets) >= maxSets {
			clear(s.sets)
		}
		s.sets[key] = set
	}
	return set, nil
}

func (s *setCache) parse(doc *registry.Document) (*policy.Policy, error) {
	if p, ok := s.parsed[doc]; ok {
		return p, nil
	}
	p, err := compileDocument(doc)
	if err == nil {
		s.parsed[doc] = p
	}
	return p, err
}

// compileDocument reads a stored policy: its text, or the grants it was made from.
func compileDocument(doc *registry.Document) (*policy.Policy, error) {
	grants, err := doc.ReadGrants()
	if err != nil {
		return nil, err
	}
	if len(grants) == 0 {
		return hcl.Parse(doc.Name, doc.Name, []byte(doc.Text))
	}
	name, err := policy.NormalizeName(doc.Name)
	if err != nil {
		return nil, err
	}
	return policy.GrantPolicy(name, grants...)
}

// defaultPolicy is what "default" means until somebody writes their own: a token may look after itself, see what it
// may do, use its cubbyhole, wrap and unwrap.
var defaultPolicy = &registry.Document{Name: policy.NameDefault, Text: DefaultPolicyText}

// DefaultPolicyText is the text of the built-in default policy.
const DefaultPolicyText = `# What every token may do unless it was made without the default policy.
path "auth/token/lookup-self"        { capabilities = ["read"] }
path "auth/token/renew-self"         { capabilities = ["update"] }
path "auth/token/revoke-self"        { capabilities = ["update"] }
path "sys/capabilities-self"         { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }
path "sys/renew"                     { capabilities = ["update"] }
path "sys/leases/renew"              { capabilities = ["update"] }
path "sys/leases/lookup"             { capabilities = ["update"] }
path "cubbyhole/*"                   { capabilities = ["create", "read", "update", "delete", "list"] }
path "sys/wrapping/wrap"             { capabilities = ["update"] }
path "sys/wrapping/lookup"           { capabilities = ["update"] }
path "sys/wrapping/unwrap"           { capabilities = ["update"] }
path "sys/tools/hash"                { capabilities = ["update"] }
path "sys/tools/hash/*"              { capabilities = ["update"] }
path "sys/control-group/request"     { capabilities = ["update"] }
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "keephold/why"                  { capabilities = ["update"] }
path "keephold/search"               { capabilities = ["update"] }
`
