// Package policy decides who may do what: it compiles rules once and answers each request from them.
//
// A [Rule] says which capabilities a [Pattern] of resource names carries. A [Policy] is a named list of rules, whatever it was written in (Vault
// policy files, friendly grants, IAM-style views). [Compile] merges the policies of one caller into a [Set]; [Set.Decide] answers from it
// in time that depends on the length of the name, not on the number of policies. [Set.Explain] says why, and what was nearly right.
//
// The package is pure: no clock, no files, no network. Resource names are those of the Vault API below a Space's one canonical name
// (SPACE/data/PATH), whichever dialect asked; the table behind [Operation] maps every operation of every dialect to one. In a namespace
// other than the root, names begin with the namespace's path.
//
// Decisions are made in this order: absolute denies, then the most specific matching rule by the vendor's published priority rules
// (a deny in it absorbs everything else), then the protected Space rule, then conditions, then additive rules. Anything not granted is refused.
package policy

import "time"

// Effect says what a matching rule does.
type Effect uint8

// The effects.
const (
	Allow        Effect = iota // takes part in the priority order: of all that match, the most specific pattern decides alone
	Additive                   // adds its capabilities to whatever else is granted, as friendly grants and IAM statements do; a deny still wins
	AbsoluteDeny               // is decided before, and regardless of, everything else
)

// String is the effect's name.
func (e Effect) String() string {
	return [...]string{"allow", "additive", "absolute deny"}[e]
}

// Origin says where a rule was written.
type Origin struct {
	Policy string // name of the policy
	Line   int    // 1-based line in the policy's text, 0 when it has none
	Text   string // the rule's path as written, before templates were filled in
}

// Rule gives, or absolutely denies, capabilities on the names that a pattern matches.
type Rule struct {
	Effect       Effect
	Capabilities Capability // with Deny set the rest is ignored; an AbsoluteDeny without any denies all
	Pattern      Pattern
	Conditions   *Conditions // nil when the rule has none
	Expires      time.Time   // the rule ends then; zero means never
	Origin       Origin
}

// Policy is a named list of rules.
type Policy struct {
	Name      string
	Namespace string // path of the namespace it was written in, without slashes at the ends; "" is the root namespace
	Rules     []Rule
	Text      string // the source as it was given
}

// Templated reports whether a rule waits for [Policy.Render]; until then such rules match nothing.
func (p *Policy) Templated() bool {
	for i := range p.Rules {
		if p.Rules[i].Pattern.Templated() {
			return true
		}
	}
	return false
}
