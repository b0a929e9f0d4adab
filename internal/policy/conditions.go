package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Conditions narrow a rule. Their meaning, and how those of several rules for one pattern merge, is the vendor's
// (https://openbao.org/docs/concepts/policies/#fine-grained-control): parameters are the top-level names of a request's body, compared without
// regard to case; an empty list stands for every value; the name "*" for every other parameter.
type Conditions struct {
	Allowed    map[string][]Value // when not empty, other parameters are refused unless "*" is a key
	Denied     map[string][]Value // wins over Allowed; "*" as a key refuses every parameter
	Required   []string           // the request must hold them
	MinWrapTTL time.Duration      // the answer must be wrapped for at least this; zero sets no bound
	MaxWrapTTL time.Duration      // the answer must be wrapped for at most this; zero sets no bound
	PageLimit  int                // most names that one list may ask for; zero sets no bound
}

// clone copies c with parameter names in lower case. A nil c stays nil.
func (c *Conditions) clone() *Conditions {
	if c == nil {
		return nil
	}
	d := *c
	d.Allowed, d.Denied, d.Required = lowerKeys(c.Allowed), lowerKeys(c.Denied), slices.Clone(c.Required)
	return &d
}

func lowerKeys(m map[string][]Value) map[string][]Value {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string][]Value, len(m))
	mergeValues(out, m)
	return out
}

// mergeConditions is what holds when rules with conditions a and b share a pattern: restrictions add up, a rule without any lifts none; lists of values
// for one parameter are joined, an empty one wins; of wrapping times and page limits the lower holds.
func mergeConditions(a, b *Conditions) *Conditions {
	if a == nil || b == nil {
		if a == nil {
			return b.clone()
		}
		return a
	}
	a.Allowed = mergeMaps(a.Allowed, b.Allowed)
	a.Denied = mergeMaps(a.Denied, b.Denied)
	for _, name := range b.Required {
		if !slices.Contains(a.Required, name) {
			a.Required = append(a.Required, name)
		}
	}
	a.MinWrapTTL = lower(a.MinWrapTTL, b.MinWrapTTL)
	a.MaxWrapTTL = lower(a.MaxWrapTTL, b.MaxWrapTTL)
	a.PageLimit = lower(a.PageLimit, b.PageLimit)
	return a
}

func mergeMaps(a, b map[string][]Value) map[string][]Value {
	if len(a) == 0 {
		return lowerKeys(b)
	}
	mergeValues(a, b)
	return a
}

func mergeValues(into, from map[string][]Value) {
	for name, values := range from {
		name = strings.ToLower(name)
		old, ok := into[name]
		if len(values) == 0 || ok && len(old) == 0 {
			into[name] = nil
			continue
		}
		into[name] = append(slices.Clip(old), values...)
	}
}

// lower is the smaller of two bounds, where zero is no bound.
func lower[T int | time.Duration](a, b T) T {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// parameters reports whether the conditions look at a request's parameters at all.
func (c *Conditions) parameters() bool {
	return len(c.Allowed) > 0 || len(c.Denied) > 0 || len(c.Required) > 0 || c.PageLimit > 0
}

// permits reports whether the request meets the conditions, and if not why.
func (c *Conditions) permits(r *Request) Reason {
	if !c.permitsWrap(r.WrapTTL) {
		return ReasonWrapTTL
	}
	if r.Capability&(List|Scan) != 0 {
		if !c.permitsPage(r.Params) {
			return ReasonParameter
		}
		return ReasonGranted
	}
	if r.Capability&(Read|Update|Create|Patch) != 0 && !c.permitsParams(r.Params) {
		return ReasonParameter
	}
	return ReasonGranted
}

func (c *Conditions) permitsWrap(ttl time.Duration) bool {
	if c.MinWrapTTL == 0 && c.MaxWrapTTL == 0 {
		return true
	}
	// Merged rules can ask for the impossible (min > max); both tests together then refuse everything.
	return ttl > 0 && (c.MinWrapTTL == 0 || ttl >= c.MinWrapTTL) && (c.MaxWrapTTL == 0 || ttl <= c.MaxWrapTTL)
}

func (c *Conditions) permitsParams(params map[string]json.RawMessage) bool {
	for _, name := range c.Required {
		if _, ok := params[strings.ToLower(name)]; !ok {
			return false
		}
	}
	if len(params) == 0 || len(c.Denied) == 0 && len(c.Allowed) == 0 {
		return true
	}
	if _, all := c.Denied["*"]; all {
		return false
	}
	_, rest := c.Allowed["*"]
	for name, raw := range params {
		name = strings.ToLower(name)
		got, err := ParseValue(raw)
		if err != nil {
			return false
		}
		if values, ok := c.Denied[name]; ok && listed(got, values, true) {
			return false
		}
		if len(c.Allowed) == 0 {
			continue
		}
		values, ok := c.Allowed[name]
		if !ok && !rest || ok && !listed(got, values, false) {
			return false
		}
	}
	return true
}

// permitsPage checks the "limit" of a list request. Absent, zero and "max" mean "as much as is permitted", which Decision.PageLimit tells; absent is
// refused when the policy requires the parameter.
func (c *Conditions) permitsPage(params map[string]json.RawMessage) bool {
	if c.PageLimit <= 0 {
		return true
	}
	raw, ok := params["limit"]
	if !ok {
		return !slices.ContainsFunc(c.Required, func(s string) bool { return strings.EqualFold(s, "limit") })
	}
	text := strings.Trim(string(raw), `"`)
	if text == "max" {
		return true
	}
	var n int
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return false
	}
	return n >= 0 && n <= c.PageLimit
}
