package gitleaks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/scan"
)

// Keep returns the findings that the configuration does not drop: by a rule's path, by allowlists, for want of a
// required neighbour, and generic ones that a more telling rule found too.
func (s *Set) Keep(in []scan.Finding) []scan.Finding {
	var kept []scan.Finding
	for _, f := range in {
		if s.rules[f.Rule].secret(&f) && !s.Drop(&f) {
			kept = append(kept, f)
		}
	}
	texts := map[text][]*scan.Finding{}
	for i := range kept {
		f := &kept[i]
		texts[textOf(f)] = append(texts[textOf(f)], f)
	}
	var out []scan.Finding
	for _, f := range kept {
		same := texts[textOf(&f)]
		r := s.rules[f.Rule]
		if r != nil && r.SkipReport || shadowed(&f, same) {
			continue
		}
		if r != nil && len(r.Required) > 0 {
			var ok bool
			if f.Required, ok = near(r.Required, &f, same); !ok {
				continue
			}
		}
		out = append(out, f)
	}
	return out
}

// secret takes the secret out of the match as the peer does: it looks for the groups in the match alone, without the line
// ends around it, and when the expression wanted those, the whole match is the secret. It reports that the secret is still
// one.
func (r *compiledRule) secret(f *scan.Finding) bool {
	if r == nil || r.alone == nil || f.Decoded != "" {
		return true
	}
	secret := f.Match
	if groups := r.alone().FindStringSubmatch(f.Match); len(groups) > 1 {
		if r.SecretGroup > 0 {
			secret = groups[r.SecretGroup]
		} else if i := slices.IndexFunc(groups[1:], func(g string) bool { return g != "" }); i >= 0 {
			secret = groups[1+i]
		}
	}
	if secret == f.Secret {
		return true
	}
	f.Secret, f.Entropy = secret, scan.Entropy(secret)
	return r.Entropy == 0 || f.Entropy > r.Entropy
}

// text is where findings stand together: one version of one file.
type text struct{ path, link, commit, object string }

func textOf(f *scan.Finding) text { return text{f.Path, f.Link, f.Commit, f.Object} }

// Named lists the rules that want a file for its path alone.
func (s *Set) Named(path string) (ids []string) {
	for _, r := range s.named {
		if r.path.MatchString(path) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// Wanted reports that a file is found for its path alone. It is nil when no rule does that.
func (s *Set) Wanted() func(path string) bool {
	if len(s.named) == 0 {
		return nil
	}
	return func(path string) bool { return len(s.Named(path)) > 0 }
}

// Drop reports that the rule's path or an allowlist excludes the finding.
func (s *Set) Drop(f *scan.Finding) bool {
	for _, a := range s.global {
		if a.allows(f) {
			return true
		}
	}
	r := s.rules[f.Rule]
	if r == nil {
		return false
	}
	if r.path != nil && !r.path.MatchString(f.Path) {
		return true
	}
	for _, a := range r.allows {
		if a.allows(f) {
			return true
		}
	}
	return false
}

// allows applies the list. With OR anything that is set may hold; with AND every kind that is set must.
func (a *Allow) allows(f *scan.Finding) bool {
	target := f.Secret
	switch a.RegexTarget {
	case "match":
		target = f.Match
	case "line":
		target = f.LineText
	}
	low := strings.ToLower(f.Secret)
	checks := []struct{ set, holds bool }{
		{len(a.Commits) > 0, slices.ContainsFunc(a.Commits, func(c string) bool { return f.Commit != "" && strings.EqualFold(c, f.Commit) })},
		{len(a.paths) > 0, matches(a.paths, f.Path)},
		{len(a.regexes) > 0, matches(a.regexes, target)},
		{len(a.Stopwords) > 0, slices.ContainsFunc(a.Stopwords, func(w string) bool { return strings.Contains(low, strings.ToLower(w)) })},
	}
	for _, c := range checks {
		if c.set && c.holds != a.all {
			return !a.all
		}
	}
	return a.all
}

func matches(list []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(text) })
}

// near returns what the required rules found close enough in the same text, and false when one of them found nothing.
func near(required []Required, f *scan.Finding, same []*scan.Finding) (found []scan.Near, ok bool) {
	for _, q := range required {
		n := len(found)
		for _, o := range same {
			if o.Rule == q.ID && within(q.WithinLines, o.Line-f.Line) && within(q.WithinColumns, o.Column-f.Column) {
				x := scan.Near{Rule: o.Rule, Line: o.Line, Secret: o.Secret}
				if !slices.Contains(found[n:], x) { // a text that stands in a commit twice
					found = append(found, x)
				}
			}
		}
		if len(found) == n {
			return nil, false
		}
	}
	return found, true
}

func within(most *int, distance int) bool {
	return most == nil || max(distance, -distance) <= *most
}

// shadowed reports a generic finding on a line where another rule found the same secret.
func shadowed(f *scan.Finding, same []*scan.Finding) bool {
	if !strings.Contains(strings.ToLower(f.Rule), "generic") {
		return false
	}
	return slices.ContainsFunc(same, func(o *scan.Finding) bool {
		return o.Line == f.Line && !strings.Contains(strings.ToLower(o.Rule), "generic") && strings.Contains(o.Secret, f.Secret)
	})
}
