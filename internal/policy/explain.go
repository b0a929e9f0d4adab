package policy

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Explanation says why a request was decided as it was.
type Explanation struct {
	Request  Request
	Decision Decision
	Matches  []Match // every rule that matches, the one that decides first
	Misses   []Miss  // rules that nearly grant it, the nearest first; empty when it is granted
	Views    []View  // the deciding rule in the words of each dialect; only where Set.Views was asked
}

// Match is a rule that matches a request's name.
type Match struct {
	Rule     *Rule
	Rank     int    // 1 decides; rules with one pattern share a rank
	Pattern  string // as seen from the root namespace
	Grants   bool   // the rule by itself holds the capability
	Deciding bool
}

// Miss is a rule that would grant the request if it were written a little differently.
type Miss struct {
	Rule    *Rule
	Why     string // what is different
	Suggest string // the path to write, or "" when the path is right

	weight int
}

// mostMisses bounds an Explanation.
const mostMisses = 5

// Explain decides a request and says why: the deciding rule and where it was written, every other rule that matches, and what was nearly right. It looks at
// every rule and is not meant for each request.
func (s *Set) Explain(r Request) Explanation {
	d, decider := s.decide(&r)
	x := Explanation{Request: r, Decision: d}
	if s == nil || s.root {
		return x
	}
	x.Matches = s.matches(&r, decider)
	if !d.Allowed {
		x.Misses = s.misses(&r, x.Matches)
	}
	return x
}

func (s *Set) matches(r *Request, decider *entry) []Match {
	var found []*entry
	gather := func(e *entry) {
		if !slices.Contains(found, e) {
			found = append(found, e)
		}
	}
	names := []string{r.Resource}
	if bare, slash := strings.CutSuffix(r.Resource, "/"); slash && r.Capability&(List|Scan) != 0 {
		names = append(names, bare)
	}
	for _, name := range names {
		for _, x := range []*index{s.denies, s.allows, s.adds} {
			if x != nil {
				x.each(name, gather)
			}
		}
	}
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i], found[j]
		return a == decider || b != decider && a.rank.above(&b.rank)
	})
	var out []Match
	for i, e := range found {
		for _, rule := range e.rules {
			out = append(out, Match{
				Rule: rule, Rank: i + 1, Pattern: e.pattern.String(), Deciding: e == decider,
				Grants: rule.Effect != AbsoluteDeny && rule.Capabilities&Deny == 0 && rule.Capabilities.Has(r.Capability),
			})
		}
	}
	return out
}

func (s *Set) misses(r *Request, matches []Match) []Miss {
	var out []Miss
	for _, m := range matches {
		if miss, ok := missOfMatch(r, m, matches[0]); ok {
			out = append(out, miss)
		}
	}
	for _, e := range s.granting() {
		if e.pattern.Matches(r.Resource) {
			continue
		}
		miss, ok := nearly(e.pattern, r)
		if !ok {
			continue
		}
		miss.Rule = e.giver(r.Capability)
		if !e.caps.Has(r.Capability) {
			miss.Why += fmt.Sprintf("; and it does not hold %s", r.Capability&^e.caps)
			miss.weight += 10
		}
		out = append(out, miss)
	}
	for _, left := range s.left {
		if glob := templateGlob(left.Pattern.text); globMatch(glob, r.Resource) {
			out = append(out, Miss{Rule: left, weight: 2, Why: "its template has no value for this caller, so it matches nothing"})
		}
	}
	slices.SortFunc(out, func(a, b Miss) int {
		if a.weight != b.weight {
			return a.weight - b.weight
		}
		return strings.Compare(a.Rule.Origin.Policy+"\x00"+a.Suggest, b.Rule.Origin.Policy+"\x00"+b.Suggest)
	})
	return out[:min(len(out), mostMisses)]
}

// missOfMatch is for rules that match and yet do not grant.
func missOfMatch(r *Request, m, first Match) (Miss, bool) {
	miss := Miss{Rule: m.Rule}
	switch {
	case m.Rule.Effect == AbsoluteDeny || m.Rule.Capabilities&Deny != 0:
		return miss, false
	case m.Grants && !m.Deciding:
		miss.Why = fmt.Sprintf("it grants %s, but %q in policy %s is more specific and decides alone", r.Capability, first.Pattern, first.Rule.Origin.Policy)
		miss.weight = -1
	case m.Grants && r.Protected != "":
		miss.Why = fmt.Sprintf("the Space %s is protected: only a rule that spells its whole name reaches it", r.Protected)
		miss.Suggest = r.Protected + strings.TrimPrefix(r.Resource, r.Protected)
	case m.Deciding && !m.Grants:
		miss.Why = fmt.Sprintf("it matches, but does not hold %s", r.Capability&^m.Rule.Capabilities)
	default:
		return miss, false
	}
	return miss, true
}

// engineWords are the first segments below a Space that keeps versions.
func engineWords() []string {
	return []string{"data", "metadata", "delete", "undelete", "destroy", "subkeys"}
}

// nearly reports how the pattern, which does not match, would have to be written to match the request's name.
func nearly(p Pattern, r *Request) (Miss, bool) {
	for _, test := range []func(Pattern, string) (Miss, bool){nearWord, nearSlash, nearStar, nearCase, nearTypo} {
		if miss, ok := test(p, r.Resource); ok {
			if written, err := ParsePattern(miss.Suggest); err != nil || !written.Matches(r.Resource) {
				miss.Suggest = r.Resource // the rule differs in more than one way
			}
			return miss, true
		}
	}
	return Miss{}, false
}

// nearWord finds rules that lack data/ or metadata/, have the other one, or have one on a Space that does not use them.
func nearWord(p Pattern, name string) (Miss, bool) {
	segments := strings.Split(name, "/")
	for i := 1; i < len(segments); i++ {
		before, after := strings.Join(segments[:i], "/")+"/", strings.Join(segments[i+1:], "/")
		if slices.Contains(engineWords(), segments[i]) {
			if p.Matches(before + after) {
				return Miss{Suggest: insertSegment(p, i, segments[i]), Why: "the Space keeps versions (kv v2), whose names have " + segments[i] + "/ after the Space"}, true
			}
			for _, word := range engineWords() {
				if p.Matches(before + word + "/" + after) {
					return Miss{Suggest: replaceSegment(p, i, segments[i]), Why: "it is for " + word + "/, and this needs " + segments[i] + "/", weight: 1}, true
				}
			}
			continue
		}
		for _, word := range []string{"data", "metadata"} {
			if p.Matches(before + word + "/" + segments[i] + strings.TrimSuffix("/"+after, "/")) {
				return Miss{Suggest: removeSegment(p, i), Why: "the Space keeps no versions (kv v1), whose names have no " + word + "/ after the Space", weight: 1}, true
			}
		}
	}
	return Miss{}, false
}

func insertSegment(p Pattern, i int, word string) string {
	parts := strings.Split(p.String(), "/")
	return strings.Join(slices.Insert(parts, min(i, len(parts)), word), "/")
}

func replaceSegment(p Pattern, i int, word string) string {
	parts := strings.Split(p.String(), "/")
	if i < len(parts) {
		parts[i] = word
	}
	return strings.Join(parts, "/")
}

func removeSegment(p Pattern, i int) string {
	parts := strings.Split(p.String(), "/")
	if i < len(parts) {
		parts = slices.Delete(parts, i, i+1)
	}
	return strings.Join(parts, "/")
}

// nearSlash finds a name and a directory that were taken for each other, and a missing "*".
func nearSlash(p Pattern, name string) (Miss, bool) {
	text := p.String()
	switch {
	case !p.prefix && p.Matches(strings.TrimSuffix(name, "/")):
		return Miss{Suggest: text + "/", Why: "the name ends in a slash"}, true
	case !p.prefix && p.Matches(name+"/"):
		return Miss{Suggest: strings.TrimSuffix(text, "/"), Why: "the name does not end in a slash"}, true
	case p.prefix && p.Matches(name+"/"):
		return Miss{Suggest: name, Why: "it matches what is below the name, not the name itself"}, true
	}
	if p.kind == KindGlob || p.prefix {
		return Miss{}, false
	}
	below := p
	below.text, below.prefix = strings.TrimSuffix(p.text, "/")+"/", true
	if below.kind == KindLiteral {
		below.kind = KindPrefix
	}
	if below.Matches(name) {
		return Miss{Suggest: below.String(), Why: "without a \"*\" at its end it matches one name only"}, true
	}
	return Miss{}, false
}

// nearStar finds a "*" that does not stand at the end, where it is an ordinary character.
func nearStar(p Pattern, name string) (Miss, bool) {
	if p.kind == KindGlob || !strings.Contains(p.text, "*") || !globMatch(strings.ReplaceAll(p.String(), "+", "*"), name) {
		return Miss{}, false
	}
	suggest := strings.ReplaceAll(p.text, "*", "+")
	if p.prefix {
		suggest += "*"
	}
	return Miss{Suggest: suggest, Why: "\"*\" is a wildcard only as the last character; \"+\" stands for one segment", weight: 1}, true
}

func nearCase(p Pattern, name string) (Miss, bool) {
	folded := p
	folded.text = strings.ToLower(p.text)
	if !folded.Matches(strings.ToLower(name)) {
		return Miss{}, false
	}
	return Miss{Suggest: name, Why: "upper and lower case differ", weight: 3}, true
}

// nearTypo finds patterns one or two letters away.
func nearTypo(p Pattern, name string) (Miss, bool) {
	const most, longest = 2, 256
	if p.kind == KindGlob || len(p.text) > longest || len(p.text) < 4 {
		return Miss{}, false
	}
	head := name
	if p.prefix {
		head = name[:min(len(name), len(p.text))]
	}
	if d := distance(p.text, head, most); d <= most {
		return Miss{Suggest: head + strings.TrimPrefix(p.String(), p.text), Why: "the spelling differs", weight: 3 + d}, true
	}
	return Miss{}, false
}

// distance is the number of bytes to insert, remove or change between a and b, or something above most.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// templateGlob is a template with a "*" for each selector.
func templateGlob(template string) string {
	var b strings.Builder
	pieces, _ := splitTemplate(template) // checked when it was parsed
	for _, p := range pieces {
		if p.selector {
			b.WriteByte('*')
			continue
		}
		b.WriteString(strings.ReplaceAll(p.text, "+", "*"))
	}
	return b.String()
}

// String is the explanation in words, one line for each thing to say.
func (x Explanation) String() string {
	var b strings.Builder
	verdict := "denied"
	if x.Decision.Allowed {
		verdict = "allowed"
	}
	fmt.Fprintf(&b, "%s: %s %s: %s\n", verdict, x.Request.Capability, x.Request.Resource, x.Decision.Reason)
	if x.Decision.Rule != nil {
		fmt.Fprintf(&b, "decided by %s\n", x.Decision.Rule.Origin)
	}
	for _, m := range x.Matches {
		if !m.Deciding {
			fmt.Fprintf(&b, "also matches, and does not count: %s\n", m.Rule.Origin)
		}
	}
	for _, m := range x.Misses {
		fmt.Fprintf(&b, "nearly: %s: %s", m.Rule.Origin, m.Why)
		if m.Suggest != "" {
			fmt.Fprintf(&b, "; did you mean %q?", m.Suggest)
		}
		b.WriteByte('\n')
	}
	for _, v := range x.Views {
		if v.Text == "" {
			fmt.Fprintf(&b, "as %s: %s\n", v.Dialect, v.Why)
			continue
		}
		for line := range strings.SplitSeq(v.Text, "\n") {
			fmt.Fprintf(&b, "as %s: %s\n", v.Dialect, line)
		}
	}
	return b.String()
}

// String is the place in words: path "secret/*" (policy web, line 3).
func (o Origin) String() string {
	if o.Line == 0 {
		return fmt.Sprintf("path %q (policy %s)", o.Text, o.Policy)
	}
	return fmt.Sprintf("path %q (policy %s, line %d)", o.Text, o.Policy, o.Line)
}
