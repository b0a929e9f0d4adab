package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Set is the compiled policies of one caller. It is immutable and safe for concurrent use. The nil Set grants nothing.
type Set struct {
	root    bool
	within  string // a root Set's namespace path with a slash at its end, or ""
	allows  *index
	adds    *index // additive rules; nil when there are none
	denies  *index // absolute denies; nil when there are none
	expires time.Time
	params  bool
	left    []*Rule // templates without a value: they match nothing, and Explain tells of them
	size    int     // see Size
}

// entry is everything that all rules with one pattern say together.
type entry struct {
	pattern    Pattern
	rank       rank
	caps       Capability // Deny alone once any rule denies
	conditions *Conditions
	rules      []*Rule
}

// Request is one question to a Set.
type Request struct {
	Resource   string                     // the name, with its namespace's path before it
	Capability Capability                 // what is to be done; several mean all of them (a sudo path needs Sudo and the operation's own)
	Protected  string                     // canonical name of the protected Space that the resource is in (namespace path before it), or ""
	Params     map[string]json.RawMessage // top-level parameters of the request's body; needed only when Set.NeedsParams
	WrapTTL    time.Duration              // the wrapping that the client asked for, zero when none
	Now        time.Time                  // needed only when Set.Expires is not zero
}

// Reason says why a decision came out as it did.
type Reason uint8

// The reasons.
const (
	ReasonNoMatch      Reason = iota // no rule matches
	ReasonGranted                    // the deciding rule grants it
	ReasonRoot                       // root may do everything
	ReasonAbsoluteDeny               // an absolute deny matches
	ReasonDeny                       // the deciding rule denies
	ReasonCapability                 // the deciding rule does not hold the capability
	ReasonProtected                  // the deciding rule does not name the protected Space
	ReasonParameter                  // a parameter is refused or missing
	ReasonWrapTTL                    // the wrapping time is missing or out of bounds
	ReasonExpired                    // a rule has expired since the Set was compiled: compile again
)

// String is a short text for audit records and answers.
func (r Reason) String() string {
	return [...]string{
		"no rule matches", "granted", "root", "absolute deny", "denied by a rule", "capability not granted",
		"protected space not named", "parameter not permitted", "wrapping time not permitted", "policies out of date",
	}[r]
}

// Decision is the answer to a Request.
type Decision struct {
	Allowed      bool
	Reason       Reason
	Rule         *Rule      // the rule that decided; nil when none did. Not to be changed
	Capabilities Capability // everything that the deciding pattern grants
	PageLimit    int        // for a list: the most names to answer; zero sets no bound
}

// Root is the Set that may do everything, everywhere.
func Root() *Set { return &Set{root: true} }

// RootOf is the Set that may do everything in one namespace and those below it.
func RootOf(namespace string) *Set {
	if namespace == "" {
		return Root()
	}
	return &Set{root: true, within: namespace + "/"}
}

// Compile merges policies into a Set as of now. Rules that have expired by then, and templates that were not rendered, are left out. A policy's name
// gives it no power: one called "root" is a policy like any other, and only [Root] makes a root Set.
func Compile(now time.Time, policies ...*Policy) *Set {
	s := &Set{allows: newIndex()}
	for _, p := range policies {
		if p == nil {
			continue
		}
		for i := range p.Rules {
			s.add(now, p, &p.Rules[i])
		}
	}
	for _, x := range []*index{s.allows, s.adds, s.denies} {
		x.close()
	}
	s.size = s.allows.size() + s.adds.size() + s.denies.size() + 8*len(s.left)
	return s
}

// Size is about how many bytes of memory the Set takes beside the policies that it was compiled from.
func (s *Set) Size() int {
	if s == nil {
		return 0
	}
	return s.size + 100
}

func (s *Set) add(now time.Time, p *Policy, r *Rule) {
	if !r.Expires.IsZero() {
		if !now.Before(r.Expires) {
			return
		}
		if s.expires.IsZero() || r.Expires.Before(s.expires) {
			s.expires = r.Expires
		}
	}
	pattern, ok := r.Pattern.in(p.Namespace)
	if pattern.Templated() {
		s.left = append(s.left, r)
		return
	}
	if !ok {
		return
	}
	x := s.index(r.Effect)
	e := x.known[pattern]
	if e == nil {
		e = &entry{pattern: pattern, rank: pattern.rank()}
		x.insert(pattern, e)
	}
	e.merge(r)
	s.params = s.params || e.conditions != nil && e.conditions.parameters()
}

// index is where rules of an effect belong.
func (s *Set) index(e Effect) *index {
	x := &s.allows
	switch e {
	case Additive:
		x = &s.adds
	case AbsoluteDeny:
		x = &s.denies
	}
	if *x == nil {
		*x = newIndex()
	}
	return *x
}

// merge adds one more rule for the entry's pattern: capabilities add up, a deny absorbs everything.
func (e *entry) merge(r *Rule) {
	caps := r.gives()
	e.rules = append(e.rules, r)
	switch {
	case e.caps&Deny != 0:
	case caps&Deny != 0:
		e.caps, e.conditions = Deny, nil
	default:
		e.caps |= caps
		e.conditions = mergeConditions(e.conditions, r.Conditions)
	}
}

// giver is the rule that gave the lowest capability of c, or else the first rule.
func (e *entry) giver(c Capability) *Rule {
	if len(e.rules) == 1 {
		return e.rules[0]
	}
	for i := range capabilityCount {
		if c&(1<<i) == 0 {
			continue
		}
		for _, r := range e.rules {
			if r.gives()&(1<<i) != 0 {
				return r
			}
		}
	}
	return e.rules[0]
}

// gives is the capabilities that a rule says: an absolute deny without any denies all.
func (r *Rule) gives() Capability {
	if r.Effect == AbsoluteDeny && r.Capabilities == 0 {
		return Every
	}
	return r.Capabilities
}

// Expires is when the Set must be compiled again because a rule in it ends; zero means never. From then on it refuses everything.
func (s *Set) Expires() time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.expires
}

// NeedsParams reports whether any rule looks at parameters, so that a caller need not take bodies apart for nothing.
func (s *Set) NeedsParams() bool { return s != nil && s.params }

// IsRoot reports whether the Set may do everything, somewhere.
func (s *Set) IsRoot() bool { return s != nil && s.root }

// Decide answers a request.
func (s *Set) Decide(r Request) Decision {
	d, _ := s.decide(&r)
	return d
}

// decide is Decide, and the entry that it went by.
func (s *Set) decide(r *Request) (Decision, *entry) {
	switch {
	case s == nil || r.Capability == 0:
		return Decision{}, nil
	case s.root && strings.HasPrefix(r.Resource, s.within):
		return Decision{Allowed: true, Reason: ReasonRoot, Capabilities: Every}, nil
	case s.root:
		return Decision{}, nil
	case !s.expires.IsZero() && (r.Now.IsZero() || !r.Now.Before(s.expires)):
		return Decision{Reason: ReasonExpired}, nil
	}
	if e := s.absolute(r); e != nil {
		return Decision{Reason: ReasonAbsoluteDeny, Rule: e.giver(r.Capability)}, e
	}
	e := s.find(r.Resource, r.Capability&(List|Scan) != 0)
	d := Decision{}
	if e != nil {
		d = e.decide(r)
	}
	if s.adds == nil || d.Allowed || d.Reason == ReasonDeny {
		return d, e
	}
	return s.decideMore(r, d, e)
}

// decide is the decision by the entry with the highest priority.
func (e *entry) decide(r *Request) Decision {
	d := Decision{Capabilities: e.caps}
	switch {
	case e.caps&Deny != 0:
		d.Reason, d.Rule = ReasonDeny, e.giver(Deny)
	case r.Protected != "" && !e.rank.names(r.Protected):
		d.Reason, d.Rule, d.Capabilities = ReasonProtected, e.giver(r.Capability), 0
	case !e.caps.Has(r.Capability):
		d.Reason, d.Rule = ReasonCapability, e.giver(r.Capability)
	case e.conditions == nil:
		d.Allowed, d.Reason, d.Rule = true, ReasonGranted, e.giver(r.Capability)
	default:
		d.Reason, d.Rule, d.PageLimit = e.conditions.permits(r), e.giver(r.Capability), e.conditions.PageLimit
		d.Allowed = d.Reason == ReasonGranted
	}
	return d
}

// decideMore adds what additive rules give to a decision that did not grant the request. What the deciding entry holds counts only where it has no
// conditions, so that nothing is granted by half of a condition.
func (s *Set) decideMore(r *Request, d Decision, e *entry) (Decision, *entry) {
	caps := Capability(0)
	if e != nil && e.conditions == nil {
		caps = d.Capabilities
	}
	var giver, hidden *entry
	consider := func(a *entry) {
		switch {
		case a.caps&r.Capability == 0:
		case r.Protected != "" && !a.rank.names(r.Protected):
			hidden = a
		case a.conditions == nil || a.conditions.permits(r) == ReasonGranted:
			caps |= a.caps
			if giver == nil || a.rank.above(&giver.rank) {
				giver = a
			}
		}
	}
	s.adds.each(r.Resource, consider)
	if bare, slash := strings.CutSuffix(r.Resource, "/"); slash && r.Capability&(List|Scan) != 0 {
		s.adds.each(bare, consider)
	}
	switch {
	case giver != nil && caps.Has(r.Capability):
		return Decision{Allowed: true, Reason: ReasonGranted, Rule: giver.giver(r.Capability), Capabilities: caps}, giver
	case e == nil && giver != nil:
		return Decision{Reason: ReasonCapability, Rule: giver.giver(r.Capability), Capabilities: caps}, giver
	case e == nil && hidden != nil:
		return Decision{Reason: ReasonProtected, Rule: hidden.giver(r.Capability)}, hidden
	}
	return d, e
}

// absolute is the absolute deny that forbids the request, or nil.
func (s *Set) absolute(r *Request) *entry {
	if s.denies == nil {
		return nil
	}
	var found *entry
	consider := func(e *entry) {
		if e.caps&(r.Capability|Deny) != 0 && (found == nil || e.rank.above(&found.rank)) {
			found = e
		}
	}
	s.denies.each(r.Resource, consider)
	if bare, slash := strings.CutSuffix(r.Resource, "/"); slash {
		s.denies.each(bare, consider)
	}
	return found
}

// find is the entry with the highest priority among those that match. A list asks about "dir/", and a rule for "dir" answers it too, after those that
// match with the slash.
func (s *Set) find(name string, listing bool) *entry {
	bare := name
	if listing {
		bare = strings.TrimSuffix(name, "/")
	}
	if e := s.allows.literals[name]; e != nil {
		return e
	}
	if len(bare) != len(name) {
		if e := s.allows.literals[bare]; e != nil {
			return e
		}
	}
	e := s.allows.best(name)
	if e == nil && len(bare) != len(name) {
		e = s.allows.best(bare)
	}
	return e
}

// Capabilities is everything that the Set grants on a name outside protected Spaces; zero means nothing, Deny that a rule forbids it. Like the vendor
// it lets a rule for "dir" answer for "dir/", and does not look at conditions.
func (s *Set) Capabilities(resource string) Capability { return s.CapabilitiesIn("", resource) }

// CapabilitiesIn is Capabilities for a name in the protected Space of that name.
func (s *Set) CapabilitiesIn(protected, resource string) Capability {
	switch {
	case s == nil:
		return 0
	case s.root:
		if strings.HasPrefix(resource, s.within) {
			return Every
		}
		return 0
	}
	caps := Capability(0)
	add := func(e *entry) {
		if protected == "" || e.rank.names(protected) {
			caps |= e.caps
		}
	}
	e := s.find(resource, true)
	if e != nil && e.caps&Deny != 0 {
		return Deny
	}
	if e != nil {
		add(e)
	}
	if s.adds != nil {
		s.adds.each(resource, add)
		if bare, slash := strings.CutSuffix(resource, "/"); slash {
			s.adds.each(bare, func(e *entry) { // a rule for "dir" gives on "dir/" what concerns lists only
				if protected == "" || e.rank.names(protected) {
					caps |= e.caps & (List | Scan)
				}
			})
		}
	}
	if s.denies != nil {
		s.denies.each(resource, func(e *entry) {
			caps &^= e.caps
			if e.caps&Deny != 0 {
				caps = Deny
			}
		})
	}
	return caps
}

// CapabilityNames is Capabilities in the vendor's form: sorted names, ["deny"] for nothing, ["root"] for root.
func (s *Set) CapabilityNames(resource string) []string { return s.CapabilityNamesIn("", resource) }

// CapabilityNamesIn is CapabilityNames for a name in the protected Space of that name.
func (s *Set) CapabilityNamesIn(protected, resource string) []string {
	caps := s.CapabilitiesIn(protected, resource)
	switch {
	case s.IsRoot() && caps != 0:
		return []string{"root"}
	case caps == 0 || caps&Deny != 0:
		return []string{"deny"}
	}
	return caps.Names()
}

// MayList reports whether the Set grants List on a name that ends in a slash, conditions aside.
func (s *Set) MayList(prefix string) bool { return s.CapabilitiesIn("", prefix)&List != 0 }

// HasAnyBelow reports whether the Set grants anything at or below names that begin with prefix: whether its holder may know that a mount exists.
// It looks at patterns, not at each name, and never says no when something is granted.
func (s *Set) HasAnyBelow(prefix string) bool { return s.HasAnyBelowIn("", prefix) }

// HasAnyBelowIn is HasAnyBelow in the protected Space of that name.
func (s *Set) HasAnyBelowIn(protected, prefix string) bool {
	switch {
	case s == nil:
		return false
	case s.root:
		return strings.HasPrefix(prefix, s.within)
	}
	gives := func(e *entry) bool {
		return e.caps != 0 && e.caps&Deny == 0 && (protected == "" || e.rank.names(protected))
	}
	return s.allows.below(prefix, gives) || s.adds != nil && s.adds.below(prefix, gives)
}

// Patterns lists the patterns that the Set grants something on, sorted; for "who can read this" and tests.
func (s *Set) Patterns() []string {
	if s == nil || s.root {
		return nil
	}
	var out []string
	for _, e := range s.granting() {
		out = append(out, e.pattern.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// granting lists every entry that grants something, in no order.
func (s *Set) granting() []*entry {
	var out []*entry
	for _, x := range []*index{s.allows, s.adds} {
		if x == nil {
			continue
		}
		for _, e := range x.all {
			if e.caps&Deny == 0 {
				out = append(out, e)
			}
		}
	}
	return out
}
