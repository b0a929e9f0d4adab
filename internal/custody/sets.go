package custody

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/hcl"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// setCache keeps compiled sets of policies, bounded by bytes, by namespace, names and, where a policy has templates, by what is
// known of who holds them. Distinct sets are far fewer than tokens: who has no entity has the same facts as everybody
// without one.
type setCache struct {
	mu         sync.Mutex
	parsed     map[*registry.Document]*policy.Policy
	sets       *simplelru.LRU[string, *policy.Set]
	bytes, max int64
}

func newSetCache(bytes int64) *setCache {
	s := &setCache{max: bytes, parsed: map[*registry.Document]*policy.Policy{}}
	s.sets, _ = simplelru.NewLRU(1<<30, func(key string, set *policy.Set) { s.bytes -= setSize(key, set) })
	return s
}

func setSize(key string, set *policy.Set) int64 { return int64(len(key)+set.Size()) + 200 }

func (s *setCache) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sets.Purge()
	clear(s.parsed)
}

// compile is auth's PolicySource.
func (o *opened) compile(d *Desk) func(context.Context, secret.NamespaceID, []string, policy.Facts) (*policy.Set, error) {
	return func(_ context.Context, ns secret.NamespaceID, names []string, facts policy.Facts) (*policy.Set, error) {
		return o.sets.get(d.now(), o.table.Load, ns, names, facts)
	}
}

// get asks for the table with the lock held: a set that was compiled from the table before a change must not be kept after the
// change has cleared the sets.
func (s *setCache) get(now time.Time, current func() *registry.Table, ns secret.NamespaceID, names []string, facts policy.Facts) (*policy.Set, error) {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	s.mu.Lock()
	defer s.mu.Unlock()
	table := current()
	space, ok := table.Namespace(ns)
	if !ok {
		return nil, secret.ErrDenied
	}
	policies, templated, err := s.named(table, ns, names)
	if err != nil {
		return nil, err
	}
	called := slices.DeleteFunc(slices.Clone(facts.Principals), func(who string) bool { return !table.Names(ns, who) })
	facts.Principals = nil // no template speaks of them
	key := string(ns) + "\x00" + strings.Join(names, "\x00") + "\x01" + strings.Join(called, "\x00")
	if templated && facts.Entity != nil {
		key += "\x01" + string(record.Encode(facts))
	}
	if set, ok := s.sets.Get(key); ok && (set.Expires().IsZero() || now.Before(set.Expires())) {
		return set, nil
	}
	for i, p := range policies {
		if p, err = p.Render(facts); err != nil {
			return nil, err
		}
		in := *p
		in.Namespace = space.Path
		policies[i] = &in
	}
	attached, err := table.AttachedFor(ns, called)
	if err != nil {
		return nil, err
	}
	for _, p := range attached {
		p.Namespace = space.Path
		policies = append(policies, p)
	}
	set := policy.Compile(now, policies...)
	s.keep(key, set)
	return set, nil
}

// named are the policies that there are of those names.
func (s *setCache) named(table *registry.Table, ns secret.NamespaceID, names []string) (policies []*policy.Policy, templated bool, err error) {
	for _, name := range names {
		doc, ok := table.Policy(ns, name)
		if !ok {
			if name != policy.NameDefault {
				continue
			}
			doc = defaultPolicy
		}
		p, err := s.parse(doc)
		if err != nil {
			return nil, false, err
		}
		policies, templated = append(policies, p), templated || p.Templated()
	}
	return policies, templated, nil
}

func (s *setCache) keep(key string, set *policy.Set) {
	s.sets.Remove(key) // so that the bytes of what was there are given back
	if setSize(key, set) > s.max {
		return
	}
	s.sets.Add(key, set)
	s.bytes += setSize(key, set)
	for s.bytes > s.max {
		s.sets.RemoveOldest()
	}
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
	p, err := policy.GrantPolicy(name, grants...)
	if err != nil {
		return nil, err
	}
	if holder := holderOf(p.Name, grants); holder != p.Name { // an identity is called by the name that people know
		p.Name = holder
		for i := range p.Rules {
			p.Rules[i].Origin.Policy = holder
		}
	}
	return p, nil
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
