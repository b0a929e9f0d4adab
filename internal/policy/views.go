package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// View is a rule as the policies of one dialect would say it. The rule is the same one: these are its names.
type View struct {
	Dialect secret.Dialect
	Text    string // "" where the dialect has no words for it
	Why     string // then: what it lacks
}

// Standpoint is the secret that a rule is looked at from, and how other dialects call the Space that it is in.
type Standpoint struct {
	Space string // with its namespace's path before it, as in a Request
	Flat  bool
	Path  secret.Path
	Faces []secret.Face
	Who   string // what the vendors call the caller; "" where they do not know it
}

// Views says the rule that decided x in the words of each dialect, as far as it is about the secret at the standpoint. What other rules of the same
// policy give there belongs to it where a vendor has one word for all.
func (s *Set) Views(x Explanation, at Standpoint) []View {
	rule := x.Decision.Rule
	if s == nil || rule == nil {
		return nil
	}
	own := s.of(rule.Origin.Policy)
	deny := rule.Effect == AbsoluteDeny
	if rule.Capabilities&Deny != 0 && !deny { // a deny of Vault's keeps away only what other Vault policies give
		return []View{vaultView(rule), {secret.AWS, "", noDeny}, {secret.GCP, "", noDeny}, {secret.Azure, "", noDeny}}
	}
	says := func(prefix string) []Verb {
		var out []Verb
		for _, v := range Words(prefix) {
			if own.says(v, &x.Request, at, deny) {
				out = append(out, v)
			}
		}
		return out
	}
	return []View{vaultView(rule), awsView(says("secretsmanager:"), at, deny), gcpView(says("roles/"), at, deny), azureView(says("azure:"), at, deny)}
}

const noDeny = "its policies have no deny that others may reach past"

// of is the part of a Set that was written in one policy.
func (s *Set) of(policy string) *Set {
	out := &Set{allows: newIndex()}
	for _, x := range []*index{s.allows, s.adds, s.denies} {
		if x == nil {
			continue
		}
		for _, e := range x.all { // a closed index knows no patterns
			for _, r := range e.rules {
				if r.Origin.Policy != policy {
					continue
				}
				to := out.index(r.Effect)
				if to.known[e.pattern] == nil {
					to.insert(e.pattern, &entry{pattern: e.pattern, rank: e.rank})
				}
				to.known[e.pattern].merge(r)
			}
		}
	}
	return out
}

// says reports whether everything that a vendor's verb gives on the secret is given (or with deny kept away), and what was asked is part of it.
func (s *Set) says(v Verb, asked *Request, at Standpoint, deny bool) bool {
	part := false
	for _, o := range words[v] {
		if o.giving().whole != v.OnSpace() {
			continue
		}
		r := Request{Resource: o.Resource(at.Space, at.Path.String()), Capability: o.Capability(), Protected: asked.Protected, Now: asked.Now}
		if at.Flat {
			r.Resource = o.FlatResource(at.Space, at.Path.String())
		}
		part = part || r.Resource == asked.Resource && r.Capability&asked.Capability != 0
		if deny && s.absolute(&r) == nil || !deny && !s.Decide(r).Allowed {
			return false
		}
	}
	return part
}

func vaultView(rule *Rule) View {
	v := View{Dialect: secret.Vault}
	caps := rule.Capabilities
	switch {
	case rule.Effect == AbsoluteDeny && caps != 0 && caps != Every:
		v.Why = "a deny there keeps everything away, and this one only " + caps.String()
	case rule.Effect == AbsoluteDeny:
		caps = Deny
	}
	if inner := strings.TrimSuffix(rule.Pattern.text, "*"); rule.Pattern.kind == KindGlob && strings.ContainsAny(inner, "*?+") {
		v.Why = "a \"*\" or \"?\" in the middle of a path is no wildcard there"
	}
	if v.Why == "" {
		names, _ := json.Marshal(caps.Names()) // texts always marshal
		v.Text = `path "` + rule.Origin.Text + `" { capabilities = ` + strings.ReplaceAll(string(names), ",", ", ") + ` }`
	}
	return v
}

// named is what a dialect calls the secret, and its Space.
func (at Standpoint) named(d secret.Dialect) (space, name string, ok bool) {
	i := slices.IndexFunc(at.Faces, func(f secret.Face) bool { return f.Dialect == d })
	if i < 0 {
		return "", "", false
	}
	name, ok = secret.NameOn(d, at.Path)
	return at.Faces[i].Name, name, ok
}

func lacking(d secret.Dialect, verbs []Verb, ok bool) (View, bool) {
	switch {
	case len(verbs) == 0:
		return View{d, "", "it has no word that gives just this"}, true
	case !ok:
		return View{d, "", "its clients have no name for the secret: `keephold expose` gives the Space one"}, true
	}
	return View{Dialect: d}, false
}

func awsView(verbs []Verb, at Standpoint, deny bool) View {
	face, name, ok := at.named(secret.AWS)
	v, done := lacking(secret.AWS, verbs, ok)
	if done {
		return v
	}
	account, region, _ := strings.Cut(face, "/")
	effect := "Allow"
	if deny {
		effect = "Deny"
	}
	v.Text = compact(struct {
		Effect   string
		Action   []Verb
		Resource string
	}{effect, verbs, "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + name + "-??????"})
	return v
}

func gcpView(roles []Verb, at Standpoint, deny bool) View {
	project, name, ok := at.named(secret.GCP)
	v, done := lacking(secret.GCP, roles, ok)
	switch {
	case deny:
		return View{secret.GCP, "", "its bindings only give"}
	case done:
		return v
	}
	if slices.Contains(roles, "roles/secretmanager.admin") {
		roles = []Verb{"roles/secretmanager.admin"}
	}
	member := "serviceAccount:EMAIL"
	if strings.HasSuffix(at.Who, ".iam.gserviceaccount.com") {
		member = "serviceAccount:" + at.Who
	}
	lines := make([]string, len(roles))
	for i, r := range roles {
		lines[i] = "projects/" + project + "/secrets/" + name + " " + compact(struct {
			Role    Verb     `json:"role"`
			Members []string `json:"members"`
		}{r, []string{member}})
	}
	v.Text = strings.Join(lines, "\n")
	return v
}

func azureView(verbs []Verb, at Standpoint, deny bool) View {
	vault, _, ok := at.named(secret.Azure)
	v, done := lacking(secret.Azure, verbs, ok)
	switch {
	case deny:
		return View{secret.Azure, "", "its access policies only give"}
	case done:
		return v
	}
	names := make([]string, len(verbs))
	for i, w := range verbs {
		names[i] = strings.TrimPrefix(string(w), "azure:")
	}
	v.Text = "vault " + vault + " " + compact(map[string]any{"permissions": map[string]any{"secrets": names}})
	return v
}

func compact(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts always marshal
	return strings.TrimSpace(b.String())
}
