package gcpsm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/keephold/keephold/internal/secret"
)

// resource is a name of the vendor's: projects/PROJECT[/locations/LOCATION][/secrets/SECRET[/versions/VERSION]].
type resource struct {
	project  string // id or number
	location string // "" for a global one
	secret   string
	version  string
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func invalidName(s string) error {
	return bad("Invalid resource field value in the request: %q.", clip(s))
}

// clip keeps a client's own text in an answer short.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// parseResource reads a name of any of the forms.
func parseResource(s string) (resource, error) {
	var n resource
	if len(s) > 1024 {
		return n, invalidName(s)
	}
	parts := strings.Split(s, "/")
	if len(parts)%2 != 0 {
		return n, invalidName(s)
	}
	var kinds []string
	for i := 0; i < len(parts); i += 2 {
		dst := map[string]*string{"projects": &n.project, "locations": &n.location, "secrets": &n.secret, "versions": &n.version}[parts[i]]
		if dst == nil || *dst != "" || !isSegment(parts[i+1]) {
			return resource{}, invalidName(s)
		}
		*dst = parts[i+1]
		kinds = append(kinds, parts[i])
	}
	switch strings.Join(kinds, "/") {
	case "projects", "projects/locations", "projects/secrets", "projects/locations/secrets", "projects/secrets/versions", "projects/locations/secrets/versions":
		return n, nil
	}
	return resource{}, invalidName(s)
}

// isSegment says that s may stand between two slashes of a name: a project may hold a domain, "example.com:web".
func isSegment(s string) bool {
	if s == "" || len(s) > 255 || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.:", c) >= 0) {
			return false
		}
	}
	return true
}

// parseParent reads the name of a project or of a location in one.
func parseParent(s string) (resource, error) {
	n, err := parseResource(s)
	if err == nil && n.secret != "" {
		err = invalidName(s)
	}
	return n, err
}

// parseSecret reads the name of a secret.
func parseSecret(s string) (resource, error) {
	n, err := parseResource(s)
	if err == nil && (n.secret == "" || n.version != "") {
		err = invalidName(s)
	}
	return n, err
}

// parseVersion reads the name of a version.
func parseVersion(s string) (resource, error) {
	n, err := parseResource(s)
	if err == nil && n.version == "" {
		err = invalidName(s)
	}
	return n, err
}

// parent is the name of where the secret is.
func (n resource) parent() string {
	if n.location != "" {
		return "projects/" + n.project + "/locations/" + n.location
	}
	return "projects/" + n.project
}

func (n resource) secretName() string { return n.parent() + "/secrets/" + n.secret }

func (n resource) numbered(number uint64) string {
	return n.secretName() + "/versions/" + strconv.FormatUint(number, 10)
}

func (n resource) aSecret() string { return "Secret [" + n.secretName() + "]" }

func (n resource) aVersion(number uint64) string {
	if number == 0 {
		return "Secret Version [" + n.secretName() + "/versions/" + n.version + "]"
	}
	return "Secret Version [" + n.numbered(number) + "]"
}

// number is the version's number; 0 when it is named by "latest" or by an alias.
func (n resource) number() (uint64, error) {
	if c := n.version[0]; c < '0' || c > '9' {
		return 0, nil
	}
	v, err := strconv.ParseUint(n.version, 10, 63)
	if err != nil || v == 0 || n.version[0] == '0' {
		return 0, bad("Invalid version: %q.", clip(n.version))
	}
	return v, nil
}

const latest = "latest"

// place is where a request leads: the Space behind a project, and how answers name it.
type place struct {
	resource               // with the project as answers name it
	space    *secret.Space // nil: no such project here, which the Desk says to those who may know
	ref      secret.Ref    // without a path where there is no secret
	faces    int           // by how many names the Space is reached
}

// locate finds the Space of a project, by its id or its number. A project of another namespace than the caller's is like
// none: what stands in a namespace is decided by the policies of that namespace.
func (c *call) locate(n resource) (place, error) {
	t := c.front.desk.Table()
	if t == nil {
		return place{}, secret.ErrSealed
	}
	id := n.project
	if known, ok := c.front.ids[id]; ok {
		id = known
	}
	ns := c.caller.From().Namespace
	p := place{resource: n, ref: secret.Ref{Namespace: ns, Space: "gcp/" + id}}
	if in, sp, ok := t.ResolveFace(secret.GCP, id); ok && in == ns {
		p.space, p.ref.Space, p.faces = sp, sp.Name, len(t.Faces(sp))
	}
	if number := c.front.cfg.Projects[id]; number > 0 {
		p.project = decimal(number)
	}
	if n.secret == "" {
		return p, nil
	}
	var err error
	if p.ref.Path, err = secret.EscapeName(secret.GCP, n.secret); err != nil {
		return p, bad("The provided Secret ID [%s] does not match the expected format [[a-zA-Z_0-9-]+]", clip(n.secret))
	}
	return p, nil
}

// name is the secret's id of a path; false when clients of this dialect have no word for it.
func name(p secret.Path) (string, bool) { return secret.NameOn(secret.GCP, p) }

// An alias is a stage label that this dialect's clients can name. The three words that are the house's own are marked, so
// that an alias "current" is not the label "current".
var aliasForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
})

func labelOf(alias string) string {
	if isHouseLabel(alias) {
		return "~" + alias
	}
	return alias
}

// aliasOf is the alias of a label; false when it has none.
func aliasOf(label string) (string, bool) {
	if isHouseLabel(label) {
		return "", false
	}
	if rest, ok := strings.CutPrefix(label, "~"); ok && isHouseLabel(rest) {
		return rest, true
	}
	return label, aliasForm().MatchString(label) && label != latest
}

func isHouseLabel(s string) bool {
	return s == secret.LabelCurrent || s == secret.LabelPrevious || s == secret.LabelPending
}

// selector fills in which version is meant.
func (p place) selector() (secret.Ref, error) {
	number, err := p.number()
	ref := p.ref
	switch {
	case err != nil:
		return ref, err
	case number != 0:
		ref.Number = number
	case p.version != latest:
		if !aliasForm().MatchString(p.version) {
			return ref, bad("Invalid version: %q.", clip(p.version))
		}
		ref.Label = labelOf(p.version)
	}
	return ref, nil
}

// numberOnly is selector for calls that take neither "latest" nor an alias.
func (p place) numberOnly() (secret.Ref, error) {
	ref, err := p.selector()
	if err == nil && ref.Number == 0 {
		err = bad("Invalid resource field value in the request: a version must be named by its number, not %q.", clip(p.version))
	}
	return ref, err
}

// pick finds the version that a ref names in a head, by the Space's rule, as reading does.
func (p place) pick(h *secret.Head, ref secret.Ref) (*secret.Version, error) {
	var v *secret.Version
	switch {
	case ref.Number != 0:
		v = h.Find(ref.Number)
	case ref.Label != "":
		v = h.Labelled(ref.Label)
	case p.space != nil:
		v = h.Latest(p.space.Home, secret.GCP)
	default:
		v = h.Find(h.Current)
	}
	if v == nil {
		return nil, fmt.Errorf("%s: %w", ref, secret.ErrNotFound)
	}
	return v, nil
}
