package native

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/policy/iam"
	"github.com/keephold/keephold/internal/secret"
)

type grant struct {
	policy.Grant
	Text string `json:"text"`
}

func grantsAnswer(g custody.Granted) any {
	list := make([]grant, len(g.Grants))
	for i, one := range g.Grants {
		list[i] = grant{one, one.String()}
	}
	return map[string]any{"role": g.To, "grants": list}
}

// readGrants is GET grants, the names of the roles, and GET grants/ROLE.
func readGrants(rq *request) (any, error) {
	ctx, d := rq.http.Context(), rq.front.desk
	if rq.path == "" {
		names, err := d.GrantRoles(ctx, rq.caller)
		return map[string]any{"roles": names}, err
	}
	grants, err := d.Grants(ctx, rq.caller, custody.Grantee(rq.path))
	if err != nil {
		return nil, err
	}
	return grantsAnswer(grants), nil
}

// writeGrant is PUT grants/ROLE {"verbs": ["read"], "pattern": "shop/prod/*", "remove": false}: one grant more, or one
// less. Verbs and pattern may be in a vendor's words.
func writeGrant(rq *request) (any, error) {
	pattern, err := rq.text("pattern")
	if err != nil {
		return nil, err
	}
	var verbs []string
	var less bool
	if json.Unmarshal(rq.body["verbs"], &verbs) != nil || len(verbs) == 0 {
		return nil, auth.Tell(secret.ErrInvalid, "\"verbs\" must be a list such as [\"read\", \"list\"]")
	}
	if raw, ok := rq.body["remove"]; ok && json.Unmarshal(raw, &less) != nil {
		return nil, auth.Tell(secret.ErrInvalid, "\"remove\" must be true or false")
	}
	g, err := rq.grant(verbs, pattern)
	if err != nil {
		return nil, err
	}
	grants, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, custody.WriteGrants{To: custody.Grantee(rq.path), Change: func(role string, old []policy.Grant) ([]policy.Grant, error) {
		g := g
		g.Role = role
		rest := slices.DeleteFunc(slices.Clone(old), func(o policy.Grant) bool { return o.String() == g.String() })
		if !less {
			return append(rest, g), nil
		}
		if len(rest) == len(old) {
			return nil, auth.Tell(secret.ErrNotFound, "there is no such grant: %s", g)
		}
		return rest, nil
	}})
	if err != nil {
		return nil, err
	}
	return grantsAnswer(grants), nil
}

// grant reads verbs and a pattern. Whose it is, the act finds out.
func (rq *request) grant(verbs []string, pattern string) (policy.Grant, error) {
	if rq.front.desk.Table() == nil {
		return policy.Grant{}, secret.ErrSealed
	}
	if err := rq.caller.Refusal(); err != nil {
		return policy.Grant{}, err
	}
	g, err := rq.where(pattern)
	if err != nil {
		return g, err
	}
	made, err := policy.NewGrant("web", spread(verbs, g), g.Space, "", g.Flat) // the verbs, on everything
	if err != nil {
		return g, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	g.Verbs = made.Verbs
	if _, err := g.Rules(); err != nil {
		return g, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	if more := policy.Also(g.Verbs, false); len(more) > 0 && strings.HasPrefix(string(g.Verbs[0]), "secretsmanager:") {
		names := make([]string, len(more))
		for i, v := range more {
			names[i] = string(v)
		}
		return g, auth.Tell(secret.ErrInvalid, "this also gives %s, which cannot be told apart here; name them too", strings.Join(names, ", "))
	}
	return g, nil
}

// spread names what patterns such as secretsmanager:Get* stand for where g is.
func spread(verbs []string, g policy.Grant) []string {
	var out []string
	for _, v := range verbs {
		if !strings.ContainsAny(v, "*?") {
			out = append(out, v)
			continue
		}
		before := len(out)
		for _, w := range policy.Words("") {
			if iam.Like(strings.ToLower(v), strings.ToLower(string(w))) && (slices.Equal(g.Paths, []string{"*"}) || !w.OnSpace()) {
				out = append(out, string(w))
			}
		}
		if len(out) == before {
			out = append(out, v) // which is refused as what it is
		}
	}
	return out
}

// where reads SPACE/PATH, or a name of a vendor's: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, projects/PROJECT/secrets/SECRET, azure:VAULT/NAME
// or https://VAULT.vault.azure.net/secrets/NAME.
func (rq *request) where(pattern string) (policy.Grant, error) {
	azure := strings.TrimPrefix(pattern, "azure:")
	if m := vaultURL().FindStringSubmatch(pattern); m != nil {
		azure = m[1] + "/" + m[2]
	}
	switch {
	case strings.HasPrefix(pattern, "arn:"):
		return rq.whereARN(pattern)
	case azure != pattern:
		vault, name, _ := strings.Cut(strings.TrimSuffix(azure, "/"), "/")
		return rq.whereFace(secret.Face{Dialect: secret.Azure, Name: strings.ToLower(vault)}, strings.ToLower(name), pattern)
	case strings.HasPrefix(pattern, "projects/"):
		project, rest, _ := strings.Cut(strings.TrimPrefix(pattern, "projects/"), "/")
		name, ok := strings.CutPrefix(rest, "secrets/")
		if rest != "" && (!ok || strings.Contains(name, "/")) {
			return policy.Grant{}, auth.Tell(secret.ErrInvalid, "%q is neither projects/PROJECT nor projects/PROJECT/secrets/SECRET", pattern)
		}
		return rq.whereFace(secret.Face{Dialect: secret.GCP, Name: project}, name, pattern)
	}
	var names []string
	flat := map[string]bool{}
	for _, sp := range rq.front.desk.Table().Spaces(rq.ns) {
		names = append(names, sp.Name)
		flat[sp.Name] = !sp.Versioned
	}
	space, path, err := policy.SplitGrant(pattern, names)
	if err != nil {
		return policy.Grant{}, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	g, err := policy.NewGrant("web", []string{"read"}, space, path, flat[space])
	if err != nil {
		return policy.Grant{}, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	return g, nil
}

var (
	vaultURL = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^https://([0-9A-Za-z-]+)\.vault\.azure\.net(?:/secrets/([0-9A-Za-z*?-]+))?/?$`)
	})
	suffixed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`-[0-9A-Za-z]{6}$`) })
)

// whereFace is a name, or a pattern of names with * and ?, in the Space that a dialect calls so. As is how it was written.
func (rq *request) whereFace(f secret.Face, name, as string) (policy.Grant, error) {
	g := policy.Grant{Match: policy.MatchGlob, As: as}
	in, sp, ok := rq.front.desk.Table().ResolveFace(f.Dialect, f.Name)
	if !ok || in != rq.ns {
		return g, auth.Tell(secret.ErrNotFound, "no Space is reached as %s: `keephold expose` lists those there are", f)
	}
	g.Space, g.Flat = sp.Name, !sp.Versioned
	if name == "" || name == "*" {
		g.Paths, g.Match = []string{"*"}, policy.MatchPattern
		return g, nil
	}
	path, err := escapePattern(f.Dialect, name)
	g.Paths = []string{path}
	if !strings.ContainsAny(name, "*?") {
		g.Match = policy.MatchExact
	}
	return g, err
}

// escapePattern is secret.EscapeName for a pattern, whose wildcards stand for letters of a name.
func escapePattern(d secret.Dialect, pattern string) (string, error) {
	plain := strings.NewReplacer("*", "x", "?", "x").Replace(pattern)
	escaped, err := secret.EscapeName(d, plain)
	if err != nil {
		return "", auth.Tell(secret.ErrInvalid, "%q is no name of a secret in %s's words", pattern, d)
	}
	segments, was := strings.Split(escaped.String(), "/"), strings.Split(pattern, "/")
	for i, s := range was {
		if strings.ContainsAny(s, "*?") {
			segments[i] = s
		}
	}
	return strings.Join(segments, "/"), nil
}

// whereARN reads the ARN of a secret as IAM's policies have it: the name goes on with a hyphen and six characters, which belong to one life of the secret.
func (rq *request) whereARN(arn string) (policy.Grant, error) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || parts[1] != "aws" || parts[2] != "secretsmanager" || parts[5] != "secret" || strings.ContainsAny(parts[3]+parts[4], "*?") {
		return policy.Grant{}, auth.Tell(secret.ErrInvalid, "%q is not arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, with a region and an account of their own", arn)
	}
	name := parts[6]
	if suffixed().MatchString(name) {
		return policy.Grant{}, auth.Tell(secret.ErrInvalid, "the end of %q belongs to one life of the secret: write %s-?????? for the secret of that name", arn, name[:len(name)-7])
	}
	bare, cut := strings.CutSuffix(name, "-??????")
	if !cut {
		bare, cut = strings.CutSuffix(name, "-*")
	}
	g, err := rq.whereFace(secret.Face{Dialect: secret.AWS, Name: parts[4] + "/" + parts[3]}, bare, arn)
	if err == nil && cut && strings.HasSuffix(name, "-*") { // the secret itself, and those whose names go on
		g.Paths, g.Match = append(g.Paths, g.Paths[0]+"-*"), policy.MatchGlob
	}
	return g, err
}

// dropGrants is DELETE grants/ROLE.
func dropGrants(rq *request) (any, error) {
	_, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, custody.DropGrants{To: custody.Grantee(rq.path)})
	return map[string]string{"role": rq.path}, err
}
