package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Create makes a token: auth/token/create, create-orphan and create/ROLE
// (https://openbao.org/api-docs/auth/token/#create-token). A Caller without a stored token (the house itself, the local
// keep) makes orphans.
type Create struct {
	Mount           Mount  // of the tokens; its Accessor is needed for EntityAlias
	Role            string // create/ROLE
	OrphanPath      bool   // create-orphan
	Initial         bool   // the root token, which nobody asked one of these paths for
	ID              Proof  // custom text; sudo only
	Policies        []string
	NoParent        bool // sudo only
	NoDefaultPolicy bool
	TTL             time.Duration
	ExplicitMax     time.Duration
	Period          time.Duration // sudo only
	Uses            int
	Type            string // "", "service" or "batch"
	Meta            []secret.Pair
	NotRenewable    bool
	DisplayName     string
	EntityAlias     string // with a role that allows it
}

func (a Create) path() string {
	switch {
	case a.Initial:
		return "auth/token/root"
	case a.Role != "":
		return "auth/token/create/" + a.Role
	case a.OrphanPath:
		return "auth/token/create-orphan"
	}
	return "auth/token/create"
}

// Need of the act.
func (a Create) Need() record.Need {
	return record.Need{Action: "token.create", Resource: a.path(), Capability: policy.Update}
}

// Plan makes the token.
func (a Create) Plan(ctx context.Context, c Caller, v record.View) (Issued, []record.Change, error) {
	m := making{Create: a, c: c, v: v, ns: c.from.Namespace, sudo: c.Sudo(v, a.path())}
	if err := m.check(ctx); err != nil {
		return Issued{}, nil, err
	}
	t := &Token{
		Kind: m.kind, Namespace: m.ns, Path: a.path(), Method: "token", Mount: a.Mount.Accessor, Role: a.Role, Meta: a.Meta,
		Display: m.display(), Uses: m.uses(),
	}
	if m.role != nil && m.role.PathSuffix != "" {
		t.Path += "/" + m.role.PathSuffix
	}
	var err error
	if t.Policies, err = m.policies(); err != nil {
		return Issued{}, nil, err
	}
	if err := m.rootRules(t); err != nil {
		return Issued{}, nil, err
	}
	checks, err := m.descent(ctx, t)
	if err != nil {
		return Issued{}, nil, err
	}
	changes, entity, err := m.entity(ctx, t)
	if err != nil {
		return Issued{}, nil, err
	}
	warnings, err := m.live(t)
	if err != nil {
		return Issued{}, nil, err
	}
	var custom []byte
	if !a.ID.IsZero() {
		custom = slices.Clone(a.ID.b)
		switch r, err := record.Get1(ctx, v, tokenKey(v.Index(custom))); {
		case err != nil:
			return Issued{}, nil, err
		case r.Found():
			return Issued{}, nil, invalid("cannot create a token with a duplicate ID")
		}
	}
	issued, planted, err := c.authority.plant(v, t, custom, entity)
	issued.Warnings = append(warnings, issued.Warnings...)
	return issued, slices.Concat(changes, checks, planted), err
}

// making is one Create on its way.
type making struct {
	Create
	c    Caller
	v    record.View
	ns   secret.NamespaceID
	sudo bool

	role       *Role
	roleRecord record.Record
	kind       Kind
}

// parent is the Caller's own token; nil for a Caller without one.
func (m *making) parent() *Token { return m.c.token }

// parentPolicies are the policies that a token without any asked for inherits.
func (m *making) parentPolicies() []string {
	if m.parent() == nil {
		return m.c.identity.Policies
	}
	return m.parent().Policies
}

func (m *making) check(ctx context.Context) error {
	if m.c.authority == nil || m.c.refusal != nil {
		return errMissing
	}
	p := m.parent()
	switch {
	case p != nil && p.Kind == Batch:
		return invalid("batch tokens cannot create more tokens")
	case p != nil && p.Uses > 0:
		// Else it could escape the restriction.
		return invalid("restricted use token cannot generate child tokens")
	case p != nil && p.Namespace != m.ns && !m.sudo:
		return invalid("root or sudo privileges required to directly generate a token in a child namespace")
	case m.Uses < 0:
		return invalid("number of uses cannot be negative")
	case m.TTL < 0:
		return invalid("ttl must be positive")
	case m.ExplicitMax < 0:
		return invalid("explicit_max_ttl must be positive")
	case m.Period < 0:
		return invalid("period must be positive")
	case m.Period > 0 && !m.sudo:
		return invalid("root or sudo privileges required to create periodic token")
	}
	if m.Role != "" {
		m.role = &Role{}
		var err error
		m.roleRecord, err = record.Load(ctx, m.v, roleKey(m.ns, m.Role), m.role)
		if errors.Is(err, secret.ErrNotFound) {
			return invalid("unknown role %s", m.Role)
		}
		if err != nil {
			return err
		}
	}
	if err := m.setKind(); err != nil {
		return err
	}
	return m.checkID()
}

func (m *making) setKind() error {
	kind := m.Type
	if m.role != nil {
		switch m.role.Type {
		case "service", "batch":
			kind = m.role.Type
		case "default-batch":
			if kind == "" {
				kind = "batch"
			}
		}
	}
	switch kind {
	case "", "service":
		return nil
	case "batch":
	default:
		return invalid("invalid 'token_type' value")
	}
	m.kind = Batch
	switch {
	case m.ExplicitMax != 0:
		return invalid("batch tokens cannot have %q set", "explicit_max_ttl")
	case m.Uses != 0:
		return invalid("batch tokens cannot have %q set", "num_uses")
	case m.Period != 0:
		return invalid("batch tokens cannot have %q set", "period")
	case !m.ID.IsZero():
		return invalid("batch tokens cannot have %q set", "id")
	}
	return nil
}

func (m *making) checkID() error {
	switch id := m.ID.b; {
	case len(id) == 0:
		return nil
	case !m.sudo:
		return invalid("root or sudo privileges required to specify token id")
	case m.ns != "":
		return invalid("token IDs can only be manually specified in the root namespace")
	case hasTokenPrefix(id):
		return invalid("custom token ID cannot have a prefix of the keep's own tokens")
	case len(id) > 512 || slices.ContainsFunc(id, func(c byte) bool { return c <= ' ' || c >= 0x7f }):
		return invalid("custom token ID must be 1 to 512 printable characters without spaces")
	}
	return nil
}

func (m *making) display() string {
	if m.Initial {
		return m.DisplayName
	}
	if m.DisplayName == "" {
		return "token"
	}
	return displayName("token-" + m.DisplayName)
}

// uses is the lesser of what is asked for and the role's bound, where 0 is none.
func (m *making) uses() int {
	if m.role == nil || m.role.Uses == 0 || m.Uses > 0 && m.Uses < m.role.Uses {
		return m.Uses
	}
	return m.role.Uses
}

// rootRules keep root from being reached by what is less: sudo is not enough, nor is a parent that ends.
func (m *making) rootRules(t *Token) error {
	if !t.Root() {
		return nil
	}
	p := m.parent()
	switch {
	case p != nil && p.Namespace != m.ns:
		return invalid("root tokens may not be created from a parent namespace")
	case !slices.Contains(m.parentPolicies(), rootPolicy):
		return invalid("root tokens may not be created without parent token being root")
	case t.Kind == Batch:
		return invalid("batch tokens cannot be root tokens")
	}
	return nil
}

// descent hangs the token on its parent, unless it shall be an orphan, and asks that the parent still stands when the
// token is stored.
func (m *making) descent(ctx context.Context, t *Token) ([]record.Change, error) {
	p := m.parent()
	orphan := p == nil
	switch {
	case m.role != nil:
		orphan = orphan || m.role.Orphan
		t.CIDRs = m.role.CIDRs
	case m.NoParent:
		if !m.sudo {
			return nil, invalid("root or sudo privileges required to create orphan token")
		}
		orphan = true
	default:
		orphan = orphan || m.OrphanPath
	}
	if p == nil {
		return nil, nil
	}
	r, now, err := readToken(ctx, m.v, p.index)
	if err != nil {
		return nil, err
	}
	if now == nil || now.Hollow {
		return nil, errRevoked
	}
	checks := []record.Change{r.Unchanged()}
	if orphan {
		return checks, nil
	}
	if len(p.Ancestors) >= maxDepth-1 {
		return nil, invalid("token has %d ancestors already: no child can be made", len(p.Ancestors))
	}
	t.Ancestors = append([]string{p.index}, p.Ancestors...)
	if p.Namespace == m.ns {
		t.Entity = p.Entity
	}
	if m.role == nil {
		t.CIDRs = p.CIDRs
	}
	return checks, nil
}

// entity sets whose token it is, and answers that entity as far as its policies count.
func (m *making) entity(ctx context.Context, t *Token) ([]record.Change, *who, error) {
	if m.EntityAlias != "" {
		if m.role == nil {
			return nil, nil, invalid("'entity_alias' is only allowed in combination with token role")
		}
		name := strings.ToLower(m.EntityAlias)
		if !slices.ContainsFunc(m.role.EntityAliases, func(s string) bool { return globMatch(s, name) }) {
			return nil, nil, invalid("invalid 'entity_alias' value")
		}
		mount := m.Mount
		mount.Namespace = m.ns
		e, changes, err := enter(ctx, m.v, SignIn{Mount: mount, Method: "token", Alias: AliasName{Name: name}})
		if err != nil {
			return nil, nil, err
		}
		t.Entity = e.ID
		if len(changes) > 0 {
			return changes, &who{entity: e}, nil
		}
	}
	if t.Entity == "" {
		return nil, nil, nil
	}
	w, err := loadWho(ctx, m.v, m.ns, t.Entity)
	return nil, w, err
}

// live decides how long.
func (m *making) live(t *Token) ([]string, error) {
	explicit, period, warnings := m.bounds()
	ttl := m.TTL
	if period > 0 || ttl > 0 || !t.Root() {
		limits := m.Mount.Limits.within(m.c.authority.cfg.Limits)
		now := m.v.Now()
		granted, more, err := limits.grant(wish{TTL: ttl, Period: period, ExplicitMax: explicit}, now, now)
		if err != nil {
			return nil, err
		}
		ttl, warnings = granted, append(warnings, more...)
	}
	if ttl == 0 {
		ttl = explicit // a root token is bound by it all the same
	}
	renewable := !m.NotRenewable && t.Kind == Service && (m.role == nil || m.role.Renewable)
	if ttl == 0 {
		if p := m.parent(); p != nil && !p.Life.Expires.IsZero() {
			return nil, invalid("expiring root tokens cannot create non-expiring root tokens")
		}
		renewable, t.CIDRs = false, nil
	}
	t.Life = Life{TTL: ttl, Period: period, ExplicitMax: explicit, Max: m.Mount.Limits.Max, Renewable: renewable}
	return warnings, nil
}

// bounds are the lesser of the role's bounds and those asked for.
func (m *making) bounds() (explicit, period time.Duration, warnings []string) {
	explicit, period = m.ExplicitMax, m.Period
	if m.role == nil || m.kind == Batch {
		return explicit, period, nil
	}
	if r := m.role.ExplicitMax; r != 0 {
		if explicit != 0 {
			explicit = min(explicit, r)
			warnings = append(warnings, fmt.Sprintf("Explicit max TTL specified both during creation call and in role; using the lesser value of %d seconds", int64(explicit.Seconds())))
		} else {
			explicit = r
		}
	}
	if r := m.role.Period; r != 0 {
		if period != 0 {
			period = min(period, r)
			warnings = append(warnings, fmt.Sprintf("Period specified both during creation call and in role; using the lesser value of %d seconds", int64(period.Seconds())))
		} else {
			period = r
		}
	}
	return explicit, period, warnings
}
