package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

const (
	exposurePrefix = Prefix + "expose/"   // reg/expose/DIALECT/NAME
	facePrefix     = namePrefix + "face/" // name/face/DIALECT/NAME: reserves a face, whether implied or exposed
)

// Exposure is another name under which one dialect reaches a Space. It is an alias: the decision, and the record, always
// name the Space's canonical name.
type Exposure struct {
	Face      secret.Face
	Namespace secret.NamespaceID
	Space     secret.SpaceID
}

// ResolveFace finds the Space that clients of a dialect reach by that name: by the Space's own name where that is its home,
// or by an exposure. The Vault dialect's mounts are found by ResolveSpace.
func (t *Table) ResolveFace(face secret.Dialect, name string) (secret.NamespaceID, *secret.Space, bool) {
	s, ok := t.faces[secret.Face{Dialect: face, Name: name}]
	if !ok {
		return "", nil, false
	}
	return s.Namespace, s, true
}

// Faces lists every face of a Space besides its mount: the one that its name implies, then those it is exposed as.
func (t *Table) Faces(s *secret.Space) []secret.Face { return t.facesOf[s.ID] }

// Exposures lists the exposures of a namespace's Spaces by dialect and name.
func (t *Table) Exposures(ns secret.NamespaceID) []Exposure {
	return only(t.exposures, func(e Exposure) bool { return e.Namespace == ns })
}

// OfAccount answers the namespaces in which an AWS account has Spaces; the root namespace for one that nobody has.
func (t *Table) OfAccount(account string) []secret.NamespaceID {
	var out []secret.NamespaceID
	for f, s := range t.faces {
		if of, _, _ := strings.Cut(f.Name, "/"); f.Dialect == secret.AWS && of == account {
			out = append(out, s.Namespace)
		}
	}
	if len(out) == 0 {
		return []secret.NamespaceID{""}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SpaceByID answers the Space with that id.
func (t *Table) SpaceByID(id secret.SpaceID) (*secret.Space, bool) {
	for _, s := range t.spaces {
		if s.ID == id {
			return s, true
		}
	}
	return nil, false
}

func (t *Table) indexFaces() {
	slices.SortFunc(t.exposures, func(a, b Exposure) int { return strings.Compare(a.Face.String(), b.Face.String()) })
	t.faces, t.facesOf = map[secret.Face]*secret.Space{}, map[secret.SpaceID][]secret.Face{}
	add := func(f secret.Face, s *secret.Space) {
		t.faces[f] = s
		t.facesOf[s.ID] = append(t.facesOf[s.ID], f)
	}
	byID := make(map[secret.SpaceID]*secret.Space, len(t.spaces))
	for _, s := range t.spaces {
		byID[s.ID] = s
		if f, ok, err := secret.FaceOf(s.Home, s.Name); ok && err == nil {
			add(f, s)
		}
	}
	for _, e := range t.exposures {
		if s, ok := byID[e.Space]; ok { // one whose Space is being removed leads nowhere
			add(e.Face, s)
		}
	}
}

// Expose gives a Space another face.
type Expose struct {
	Space string
	As    secret.Face
}

// Need of the act.
func (a Expose) Need() record.Need {
	return record.Need{Action: "space.expose", Resource: "keephold/exposures/" + a.Space, Capability: policy.Update, Sudo: true}
}

// Plan stores the exposure and reserves its name.
func (a Expose) Plan(ctx context.Context, c auth.Caller, v record.View) (Exposure, []record.Change, error) {
	s, r, err := readSpace(ctx, v, c.From().Namespace, a.Space)
	if err != nil {
		return Exposure{}, nil, err
	}
	switch {
	case a.As.Dialect == secret.Vault:
		return Exposure{}, nil, fmt.Errorf("%w: a Space has one mount, its name; rename the Space instead", secret.ErrInvalid)
	case !s.Versioned:
		return Exposure{}, nil, fmt.Errorf("%w: %s keeps no versions, which other dialects need", secret.ErrUnsupported, s.Name)
	}
	name, err := reserve(ctx, v, a.As)
	if err != nil {
		return Exposure{}, nil, err
	}
	e := Exposure{Face: a.As, Namespace: s.Namespace, Space: s.ID}
	zero := record.Rev(0)
	return e, []record.Change{r.Unchanged(), name.Put([]byte(s.ID)), {Key: exposureKey(a.As), Value: record.Encode(e), Expect: &zero}}, nil
}

// Conceal takes a face from a Space again.
type Conceal struct {
	Space string
	As    secret.Face
}

// Need of the act.
func (a Conceal) Need() record.Need {
	return record.Need{Action: "space.conceal", Resource: "keephold/exposures/" + a.Space, Capability: policy.Delete, Sudo: true}
}

// Plan removes the exposure.
func (a Conceal) Plan(ctx context.Context, c auth.Caller, v record.View) (struct{}, []record.Change, error) {
	s, _, err := readSpace(ctx, v, c.From().Namespace, a.Space)
	if err != nil {
		return struct{}{}, nil, err
	}
	var e Exposure
	r, err := record.LoadIf(ctx, v, exposureKey(a.As), &e)
	if err != nil {
		return struct{}{}, nil, err
	}
	if !r.Found() || e.Space != s.ID {
		return struct{}{}, nil, fmt.Errorf("%s is not exposed as %s: %w", a.Space, a.As, secret.ErrNotFound)
	}
	return struct{}{}, []record.Change{r.Remove(), {Key: faceName(a.As), Delete: true}}, nil
}

// ownFace is the Change that reserves the face which a Space's name implies; none where its home is the Vault dialect.
func ownFace(ctx context.Context, v record.View, s *secret.Space) ([]record.Change, error) {
	f, ok, err := secret.FaceOf(s.Home, s.Name)
	if err != nil || !ok {
		return nil, err
	}
	name, err := reserve(ctx, v, f)
	if err != nil {
		return nil, err
	}
	return []record.Change{name.Put([]byte(s.ID))}, nil
}

// dropFaces is the Changes that take every face from a Space that goes.
func dropFaces(ctx context.Context, v record.View, s *secret.Space) ([]record.Change, error) {
	var changes []record.Change
	if f, ok, err := secret.FaceOf(s.Home, s.Name); ok && err == nil {
		changes = append(changes, record.Change{Key: faceName(f), Delete: true})
	}
	keys, err := v.List(ctx, record.Query{Prefix: exposurePrefix})
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		var e Exposure
		r, err := record.LoadIf(ctx, v, key, &e)
		if err != nil {
			return nil, err
		}
		if r.Found() && e.Space == s.ID {
			changes = append(changes, r.Remove(), record.Change{Key: faceName(e.Face), Delete: true})
		}
	}
	return changes, nil
}

// reserve reads the record that reserves a face, and refuses one that is taken, whoever has it.
func reserve(ctx context.Context, v record.View, f secret.Face) (record.Record, error) {
	name, err := record.Get1(ctx, v, faceName(f))
	if err == nil && name.Found() {
		err = fmt.Errorf("%w: %s is another Space's already", secret.ErrExists, f)
	}
	return name, err
}

func exposureKey(f secret.Face) string { return exposurePrefix + f.Dialect.String() + "/" + f.Name }
func faceName(f secret.Face) string    { return facePrefix + f.Dialect.String() + "/" + f.Name }
