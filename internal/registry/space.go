package registry

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// reserved are first segments that no Space may have: the Vault API uses them itself, and Google's REST form lives
// under /v1/projects.
var reserved = map[string]bool{"auth": true, "sys": true, "cubbyhole": true, "identity": true, "audit": true, "projects": true, "keephold": true}

// vendorVersions is how many versions of a secret each vendor keeps, as far as it says so.
var vendorVersions = map[secret.Dialect]uint64{secret.AWS: 100, secret.GCP: 1000, secret.Azure: 500}

// MakeSpace makes a Space.
type MakeSpace struct {
	Space secret.Space // Name, Home, Versioned and Settings are read; the rest is filled in
}

func (a MakeSpace) Need() record.Need {
	return record.Need{Action: "space.make", Resource: "sys/mounts/" + a.Space.Name, Capability: policy.Update}
}

func (a MakeSpace) Plan(ctx context.Context, c auth.Caller, v record.View) (*secret.Space, []record.Change, error) {
	s := a.Space
	if _, err := secret.ParsePath(s.Name); err != nil {
		return nil, nil, fmt.Errorf("name of the Space: %w", err)
	}
	first, _, _ := strings.Cut(s.Name, "/")
	if reserved[first] {
		return nil, nil, fmt.Errorf("%w: cannot mount under the reserved name %q", secret.ErrInvalid, first)
	}
	s.ID = secret.SpaceID(NewID("s"))
	s.Namespace = c.From().Namespace
	s.Created = v.Now()
	if s.Home != secret.Vault {
		s.Versioned = true
		s.Settings.MaxVersions = cmp.Or(s.Settings.MaxVersions, vendorVersions[s.Home])
	}
	if s.Accessor == "" {
		s.Accessor = "kv_" + string(s.ID[1:9])
	}
	if err := refuseOverlap(ctx, v, s.Namespace, s.Name); err != nil {
		return nil, nil, err
	}
	name, err := record.Get1(ctx, v, spaceName(s.Namespace, s.Name))
	if err != nil {
		return nil, nil, err
	}
	if name.Found() {
		return nil, nil, fmt.Errorf("%w: path is already in use at %s/", secret.ErrExists, s.Name)
	}
	if err := refuseNamespaceAt(ctx, v, s.Namespace, first); err != nil {
		return nil, nil, err
	}
	face, err := ownFace(ctx, v, &s)
	if err != nil {
		return nil, nil, err
	}
	return &s, append(face, name.Put([]byte(s.ID)), record.Change{Key: spaceKey(s.ID), Value: record.Encode(s)}), nil
}

// refuseOverlap keeps a Space from hiding below another one: "a" and "a/b" cannot both be Spaces, or one resource
// would have two readings.
func refuseOverlap(ctx context.Context, v record.View, ns secret.NamespaceID, name string) error {
	below, err := v.List(ctx, record.Query{Prefix: spaceName(ns, name) + "/", Limit: 1})
	if err != nil {
		return err
	}
	if len(below) > 0 {
		return fmt.Errorf("%w: path is already in use at %s", secret.ErrExists, strings.TrimPrefix(below[0], spaceName(ns, "")))
	}
	var parents []string
	for i, r := range name {
		if r == '/' {
			parents = append(parents, spaceName(ns, name[:i]))
		}
	}
	if len(parents) == 0 {
		return nil
	}
	records, err := v.Get(ctx, parents...)
	if err != nil {
		return err
	}
	for i, r := range records {
		if r.Found() {
			return fmt.Errorf("%w: path is already in use at %s/", secret.ErrExists, strings.TrimPrefix(parents[i], spaceName(ns, "")))
		}
	}
	return nil
}

// refuseNamespaceAt and refuseSpaceAt keep a Space and a namespace from one name: the path of a request says both, and the
// namespace would win.
func refuseNamespaceAt(ctx context.Context, v record.View, parent secret.NamespaceID, name string) error {
	r, err := record.Get1(ctx, v, namespaceName(parent, name))
	if err == nil && r.Found() {
		err = fmt.Errorf("%w: path is already in use by the namespace %s/", secret.ErrExists, name)
	}
	return err
}

func refuseSpaceAt(ctx context.Context, v record.View, ns secret.NamespaceID, name string) error {
	r, err := record.Get1(ctx, v, spaceName(ns, name))
	if err == nil && r.Found() {
		err = fmt.Errorf("%w: path is already in use at %s/", secret.ErrExists, name)
	}
	if err != nil {
		return err
	}
	below, err := v.List(ctx, record.Query{Prefix: spaceName(ns, name) + "/", Limit: 1})
	if err == nil && len(below) > 0 {
		err = fmt.Errorf("%w: path is already in use at %s/", secret.ErrExists, strings.TrimPrefix(below[0], spaceName(ns, "")))
	}
	return err
}

// TuneSpace changes a Space's settings.
type TuneSpace struct {
	Name   string
	Action string // resource of the decision; "" is the Vault tune path
	Change func(*secret.SpaceSettings) error
	// Upgrade is the kv version that the Space shall have, "" for the one it has. Version 1 becomes 2, where each
	// secret begins with one version; there is no way back.
	Upgrade string
}

func (a TuneSpace) Need() record.Need {
	resource := a.Action
	if resource == "" {
		return record.Need{Action: "space.tune", Resource: "sys/mounts/" + a.Name + "/tune", Capability: policy.Update}
	}
	return record.Need{Action: "space.tune", Resource: resource, Capability: policy.Update}
}

func (a TuneSpace) Plan(ctx context.Context, c auth.Caller, v record.View) (*secret.Space, []record.Change, error) {
	s, r, err := readSpace(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return nil, nil, err
	}
	switch a.Upgrade {
	case "":
	case "1":
		if s.Versioned {
			return nil, nil, fmt.Errorf("%w: cannot downgrade mount from version 2", secret.ErrInvalid)
		}
	case "2":
		s.Versioned = true
	default:
		return nil, nil, fmt.Errorf("%w: options.version must be \"1\" or \"2\"", secret.ErrInvalid)
	}
	if err := a.Change(&s.Settings); err != nil {
		return nil, nil, err
	}
	return s, []record.Change{r.Put(record.Encode(s))}, nil
}

// RenameSpace gives a Space another name; its secrets do not move, because nothing stored holds the name.
type RenameSpace struct{ From, To string }

func (a RenameSpace) Need() record.Need {
	return record.Need{Action: "space.rename", Resource: "sys/remount", Capability: policy.Update, Sudo: true}
}

func (a RenameSpace) Plan(ctx context.Context, c auth.Caller, v record.View) (*secret.Space, []record.Change, error) {
	ns := c.From().Namespace
	s, r, err := readSpace(ctx, v, ns, a.From)
	if err != nil {
		return nil, nil, err
	}
	if s.Home != secret.Vault {
		return nil, nil, fmt.Errorf("%w: the name of %s says which %s clients it serves, so it stays", secret.ErrInvalid, s.Name, s.Home)
	}
	to := MakeSpace{Space: secret.Space{Name: a.To}}
	if _, _, err := to.Plan(ctx, c, v); err != nil {
		return nil, nil, err
	}
	s.Name = a.To
	zero := record.Rev(0)
	return s, []record.Change{
		{Key: spaceName(ns, a.From), Delete: true},
		{Key: spaceName(ns, a.To), Value: []byte(s.ID), Expect: &zero},
		r.Put(record.Encode(s)),
	}, nil
}

// DropSpace takes a Space out of the registry; custody removes what it held as a resumable job named by the Space's
// id, which is written in the same commit.
type DropSpace struct{ Name string }

func (a DropSpace) Need() record.Need {
	return record.Need{Action: "space.drop", Resource: "sys/mounts/" + a.Name, Capability: policy.Delete}
}

func (a DropSpace) Plan(ctx context.Context, c auth.Caller, v record.View) (*secret.Space, []record.Change, error) {
	ns := c.From().Namespace
	s, r, err := readSpace(ctx, v, ns, a.Name)
	if err != nil {
		return nil, nil, err
	}
	faces, err := dropFaces(ctx, v, s)
	if err != nil {
		return nil, nil, err
	}
	return s, append(append(faces, DropAttachments(s, "")...),
		r.Remove(),
		record.Change{Key: spaceName(ns, a.Name), Delete: true},
		record.Change{Key: PurgeKey(s.Namespace, s.ID), Value: record.Encode(s)}), nil
}

// PurgePrefix holds one record per dropped Space whose secrets are not all gone yet.
const PurgePrefix = "job/purge/"

// PurgeKey names the purge job of a Space.
func PurgeKey(ns secret.NamespaceID, id secret.SpaceID) string {
	return PurgePrefix + string(ns) + "/" + string(id)
}

func readSpace(ctx context.Context, v record.View, ns secret.NamespaceID, name string) (*secret.Space, record.Record, error) {
	id, err := record.Get1(ctx, v, spaceName(ns, name))
	if err != nil {
		return nil, id, err
	}
	if !id.Found() {
		return nil, id, fmt.Errorf("no Space at %s/: %w", name, secret.ErrNotFound)
	}
	s := new(secret.Space)
	r, err := record.Load(ctx, v, spaceKey(secret.SpaceID(id.Value)), s)
	return s, r, err
}

func spaceKey(id secret.SpaceID) string { return spacePrefix + string(id) }

func spaceName(ns secret.NamespaceID, name string) string {
	return namePrefix + "space/" + string(ns) + "/" + name
}
