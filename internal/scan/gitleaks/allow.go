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
		if !s.Drop(&f) {
			kept = append(kept, f)
		}
	}
	var out []scan.Finding
	for _, f := range kept {
		r := s.rules[f.Rule]
		if r != nil && (r.SkipReport || !near(r.Required, f, kept)) || shadowed(f, kept) {
			continue
		}
		out = append(out, f)
	}
	return out
}

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

// near reports that all required rules found something close enough in the same place.
func near(required []Required, f scan.Finding, all []scan.Finding) bool {
	for _, q := range required {
		ok := slices.ContainsFunc(all, func(o scan.Finding) bool {
			return o.Rule == q.ID && o.Path == f.Path && o.Commit == f.Commit && within(q.WithinLines, o.Line-f.Line) && within(q.WithinColumns, o.Column-f.Column)
		})
		if !ok {
			return false
		}
	}
	return true
}

func within(most *int, distance int) bool {
	return most == nil || max(distance, -distance) <= *most
}

// shadowed reports a generic finding on a line where another rule found the same secret.
func shadowed(f scan.Finding, all []scan.Finding) bool {
	if !strings.Contains(strings.ToLower(f.Rule), "generic") {
		return false
	}
	return slices.ContainsFunc(all, func(o scan.Finding) bool {
		return o.Line == f.Line && o.Commit == f.Commit && o.Path == f.Path && !strings.Contains(strings.ToLower(o.Rule), "generic") && strings.Contains(o.Secret, f.Secret)
	})
}
