package hcl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

// reader turns nodes into rules and gathers faults on the way.
type reader struct {
	file   string
	policy *policy.Policy
	faults []error
}

func (r *reader) fault(line int, format string, args ...any) {
	if len(r.faults) < maxErrors {
		r.faults = append(r.faults, &Error{File: r.file, Line: line, Err: fmt.Errorf(format, args...)})
	}
}

func (r *reader) top(n *node) {
	for _, it := range n.items {
		switch {
		case it.keys[0] == "name" && len(it.keys) == 1:
			// The vendor takes it and does not look at it: a policy is called what it is stored under.
		case it.keys[0] != "path":
			r.fault(it.line, "unknown key %q: a policy holds path \"…\" { … } blocks only", clip(it.keys[0]))
		case len(it.keys) == 2:
			r.path(it.keys[1], it.line, it.val)
		case len(it.keys) > 2:
			r.fault(it.line, "path with %d labels: write one block for each path", len(it.keys)-1)
		default:
			r.paths(it.val)
		}
	}
}

// paths reads the forms in which "path" is a key of its own, as JSON has it: {"P": {…}}, or a list of such objects.
func (r *reader) paths(n *node) {
	switch n.shape {
	case list:
		for _, e := range n.elems {
			if e.shape != object {
				r.fault(e.line, "a list of paths holds objects only")
				continue
			}
			r.paths(e)
		}
	case object:
		for _, it := range n.items {
			if len(it.keys) != 1 {
				r.fault(it.line, "path with %d labels: write one block for each path", len(it.keys))
				continue
			}
			r.path(it.keys[0], it.line, it.val)
		}
	default:
		r.fault(n.line, "path without a block: write path \"…\" { capabilities = [\"read\"] }")
	}
}

func (r *reader) path(path string, line int, n *node) {
	if n.shape == list { // JSON may give one path several blocks
		for _, e := range n.elems {
			r.path(path, e.line, e)
		}
		return
	}
	if n.shape != object {
		r.fault(line, "path %q has no block: write path %q { capabilities = [\"read\"] }", clip(path), clip(path))
		return
	}
	if len(r.policy.Rules) >= MaxRules {
		r.fault(line, "more than %d paths: split the policy", MaxRules)
		return
	}
	pattern, err := policy.ParsePattern(path)
	if err != nil {
		r.fault(line, "path %q: %w", clip(path), err)
		return
	}
	b := block{reader: r, path: path, line: line, seen: map[string]bool{}}
	rule := policy.Rule{Pattern: pattern, Origin: policy.Origin{Policy: r.policy.Name, Line: line, Text: path}}
	for _, it := range n.items {
		b.item(&rule, it)
	}
	b.finish(&rule)
	r.policy.Rules = append(r.policy.Rules, rule)
}

// block is one path's block while it is read.
type block struct {
	reader *reader
	path   string
	line   int
	seen   map[string]bool
	cond   policy.Conditions
}

func (b *block) fault(line int, format string, args ...any) {
	b.reader.fault(line, "path %q: "+format, append([]any{clip(b.path)}, args...)...)
}

func (b *block) item(rule *policy.Rule, it item) {
	key := it.keys[0]
	switch {
	case len(it.keys) > 1:
		b.fault(it.line, "%q is a block with a label: only plain keys are known here", clip(key))
		return
	case b.seen[key]:
		b.fault(it.line, "%s stands twice in one block: keep one", clip(key))
		return
	}
	b.seen[key] = true
	switch key {
	case "comment":
	case "capabilities":
		b.capabilities(rule, it.val)
	case "policy":
		b.shorthand(rule, it.val)
	case "allowed_parameters":
		b.cond.Allowed = b.parameters(key, it.val)
	case "denied_parameters":
		b.cond.Denied = b.parameters(key, it.val)
	case "required_parameters":
		b.cond.Required = b.strings(key, it.val)
	case "min_wrapping_ttl":
		b.cond.MinWrapTTL = b.duration(key, it.val)
	case "max_wrapping_ttl":
		b.cond.MaxWrapTTL = b.duration(key, it.val)
	case "pagination_limit":
		b.cond.PageLimit = b.number(key, it.val)
	case "expiration":
		rule.Expires = b.moment(key, it.val)
	case "mfa_methods", "control_group", "list_scan_response_keys_filter_path":
		b.fault(it.line, "%s is not supported, and ignoring it would grant more than is written: remove it", key)
	default:
		b.fault(it.line, "unknown key %q: known are capabilities, allowed_parameters, denied_parameters, required_parameters, "+
			"min_wrapping_ttl, max_wrapping_ttl, pagination_limit, expiration, comment, policy", clip(key))
	}
}

func (b *block) finish(rule *policy.Rule) {
	c := &b.cond
	if c.MinWrapTTL > 0 && c.MaxWrapTTL > 0 && c.MaxWrapTTL < c.MinWrapTTL {
		b.fault(b.line, "max_wrapping_ttl is less than min_wrapping_ttl")
	}
	if rule.Capabilities&policy.Deny != 0 {
		rule.Capabilities = policy.Deny // a deny absorbs everything, conditions too
		return
	}
	if len(c.Allowed) > 0 || len(c.Denied) > 0 || len(c.Required) > 0 || c.MinWrapTTL > 0 || c.MaxWrapTTL > 0 || c.PageLimit > 0 {
		rule.Conditions = c
	}
}

func (b *block) capabilities(rule *policy.Rule, n *node) {
	for _, name := range b.strings("capabilities", n) {
		c, err := policy.ParseCapability(name)
		if err != nil {
			b.fault(n.line, "%w", err)
		}
		rule.Capabilities |= c
	}
}

// shorthand reads the form that policies had before capabilities.
func (b *block) shorthand(rule *policy.Rule, n *node) {
	const write = policy.Create | policy.Read | policy.Update | policy.Delete | policy.List
	switch n.text {
	case "deny":
		rule.Capabilities |= policy.Deny
	case "read":
		rule.Capabilities |= policy.Read | policy.List
	case "write":
		rule.Capabilities |= write
	case "sudo":
		rule.Capabilities |= write | policy.Sudo
	default:
		b.fault(n.line, "policy is not read, write, sudo or deny: use capabilities")
	}
}

func (b *block) strings(key string, n *node) []string {
	elems := n.elems
	if n.shape == scalar {
		elems = []*node{n}
	}
	var out []string
	for _, e := range elems {
		if e.shape != scalar || !e.str {
			b.fault(e.line, "%s is not a list of strings", key)
			return nil
		}
		out = append(out, e.text)
	}
	if n.shape == object {
		b.fault(n.line, "%s is not a list of strings", key)
	}
	return out
}

func (b *block) parameters(key string, n *node) map[string][]policy.Value {
	if n.shape != object {
		b.fault(n.line, "%s is not a map: write %s = { \"name\" = [\"value\"] }", key, key)
		return nil
	}
	out := map[string][]policy.Value{}
	for _, it := range n.items {
		name := strings.ToLower(it.keys[0])
		_, twice := out[name]
		switch {
		case len(it.keys) > 1:
			b.fault(it.line, "%s holds a block with labels", key)
			continue
		case twice:
			b.fault(it.line, "%s names %q twice: keep one (upper and lower case are the same)", key, clip(name))
			continue
		}
		values := it.val.elems
		if it.val.shape != list {
			values = []*node{it.val}
		}
		out[name] = []policy.Value{}
		for _, v := range values {
			if v.shape != scalar {
				b.fault(v.line, "%s: a value of %q is neither text, number, boolean nor null", key, clip(name))
				continue
			}
			out[name] = append(out[name], v.value)
		}
		if name == "*" && len(out[name]) > 0 {
			b.fault(it.line, "%s: \"*\" stands for all other parameters and takes the empty list only", key)
		}
	}
	return out
}

var errDuration = errors.New("write a time such as \"90s\", \"5m\", \"1h\" or \"1d\", or a number of seconds")

func (b *block) duration(key string, n *node) time.Duration {
	d, err := parseDuration(n)
	if err != nil {
		b.fault(n.line, "%s: %w", key, err)
	}
	return d
}

func parseDuration(n *node) (time.Duration, error) {
	const most = 100 * 365 * 24 * time.Hour
	text, unit := strings.TrimSpace(n.text), time.Second
	if !n.str {
		text = string(n.value)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text, unit = days, 24*time.Hour
	}
	if count, err := strconv.ParseInt(text, 10, 64); err == nil {
		if count < 0 || count > int64(most/unit) {
			return 0, errDuration
		}
		return time.Duration(count) * unit, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most || unit != time.Second {
		return 0, errDuration
	}
	return d, nil
}

func (b *block) number(key string, n *node) int {
	text := n.text
	if !n.str {
		text = string(n.value)
	}
	count, err := strconv.Atoi(text)
	if err != nil || count < 0 {
		b.fault(n.line, "%s is not a whole number", key)
		return 0
	}
	return count
}

func (b *block) moment(key string, n *node) time.Time {
	t, err := time.Parse(time.RFC3339, n.text)
	if err != nil || t.IsZero() {
		b.fault(n.line, "%s is not a time of the form 2006-01-02T15:04:05Z", key)
	}
	return t
}

func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
