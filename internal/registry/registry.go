// Package registry knows which namespaces, Spaces, sign-in mounts and policies an installation has. Its records are
// few, so the whole of it is held in memory as one immutable Table, which custody rebuilds from the store after each
// commit that changed it.
package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Keys of the registry's records. Everything below Prefix makes up the Table.
const (
	Prefix       = "reg/"
	spacePrefix  = Prefix + "space/"  // reg/space/ID
	mountPrefix  = Prefix + "auth/"   // reg/auth/ID
	nsPrefix     = Prefix + "ns/"     // reg/ns/ID
	policyPrefix = Prefix + "policy/" // reg/policy/NAMESPACE/NAME
	quotaPrefix  = Prefix + "quota/"  // reg/quota/NAME
	namePrefix   = "name/"            // name/space/NAMESPACE/NAME: reserves a name; not part of the Table
)

// Mount is a place where people and machines sign in: "approle", "userpass", "token".
type Mount struct {
	ID        string
	Namespace secret.NamespaceID
	Name      string // path below auth/, without slashes at the ends
	Type      string
	Accessor  string
	Created   time.Time
	Tuning    Tuning
}

// Tuning of a sign-in mount; zero durations are the system's.
type Tuning struct {
	Description string
	DefaultTTL  time.Duration
	MaxTTL      time.Duration
	TokenType   string // "default-service", "default-batch", "service", "batch"
	Listed      bool   // Vault's listing_visibility "unauth": everybody may know that it exists
	Options     map[string]string
	Lockout     Lockout `json:",omitzero"`
}

// Lockout is when somebody is locked out of a mount whose people have passwords. Zero fields are the server's.
type Lockout struct {
	Disabled  bool
	Threshold int           // failures
	Duration  time.Duration // of the lock-out
	Reset     time.Duration // without a failure, after which they are forgotten
}

// Namespace is a tenant. Its ID never changes; its path is a setting.
type Namespace struct {
	ID      secret.NamespaceID
	Parent  secret.NamespaceID
	Path    string // from the root, without slashes at the ends: "team/web"
	Created time.Time
	Custom  map[string]string
	Locked  bool
}

// Document is a stored policy: its source text, and the grants that made it where it was written as grants.
type Document struct {
	Namespace secret.NamespaceID
	Name      string
	Text      string
	Grants    json.RawMessage `json:",omitempty"` // the JSON of policy's grants, where it was made by those
	Updated   time.Time
}

// Quota limits the rate of requests below a path.
type Quota struct {
	Name     string
	Path     string  // "" is everything, else a namespace, mount or path prefix
	Rate     float64 // requests per Interval, per client address
	Interval time.Duration
	Block    time.Duration
}

// Table is everything the registry knows at one revision. It never changes.
type Table struct {
	spaces     []*secret.Space // sorted by namespace, then name
	mounts     []*Mount        // sorted by namespace, then name
	namespaces []*Namespace    // sorted by path
	policies   map[policyKey]*Document
	quotas     []*Quota
	spaceTree  map[secret.NamespaceID]map[string]*secret.Space
	mountTree  map[secret.NamespaceID]map[string]*Mount
	exposures  []Exposure // sorted by face
	faces      map[secret.Face]*secret.Space
	facesOf    map[secret.SpaceID][]secret.Face

	attachments []*Attachment // sorted by Space and path
	attached    map[attachedTo][]*Attachment
	named       map[principalKey][]*Attachment

	quotaConfig QuotaConfig
}

type policyKey struct {
	namespace secret.NamespaceID
	name      string
}

// Load reads every record of the registry and builds the Table.
func Load(ctx context.Context, v record.View) (*Table, error) {
	t := &Table{policies: map[policyKey]*Document{}}
	after := ""
	for {
		keys, err := v.List(ctx, record.Query{Prefix: Prefix, After: after, Limit: 500})
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 {
			break
		}
		records, err := v.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if err := t.add(r); err != nil {
				return nil, err
			}
		}
		after = keys[len(keys)-1]
	}
	t.index()
	return t, nil
}

func (t *Table) add(r record.Record) error {
	if !r.Found() {
		return nil
	}
	decode := func(dst any) error {
		if err := json.Unmarshal(r.Value, dst); err != nil {
			return fmt.Errorf("%s: %w: not readable", r.Key, secret.ErrDamaged)
		}
		return nil
	}
	switch {
	case strings.HasPrefix(r.Key, spacePrefix):
		s := new(secret.Space)
		t.spaces = append(t.spaces, s)
		return decode(s)
	case strings.HasPrefix(r.Key, mountPrefix):
		m := new(Mount)
		t.mounts = append(t.mounts, m)
		return decode(m)
	case strings.HasPrefix(r.Key, nsPrefix):
		n := new(Namespace)
		t.namespaces = append(t.namespaces, n)
		return decode(n)
	case strings.HasPrefix(r.Key, policyPrefix):
		d := new(Document)
		if err := decode(d); err != nil {
			return err
		}
		t.policies[policyKey{d.Namespace, d.Name}] = d
	case strings.HasPrefix(r.Key, exposurePrefix):
		var e Exposure
		if err := decode(&e); err != nil {
			return err
		}
		t.exposures = append(t.exposures, e)
	case strings.HasPrefix(r.Key, attachPrefix):
		a := new(Attachment)
		t.attachments = append(t.attachments, a)
		return decode(a)
	case r.Key == quotaConfigKey:
		return t.addQuotaConfig(r.Value)
	case strings.HasPrefix(r.Key, quotaPrefix):
		q := new(Quota)
		t.quotas = append(t.quotas, q)
		return decode(q)
	}
	return nil
}

func (t *Table) index() {
	slices.SortFunc(t.spaces, func(a, b *secret.Space) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.mounts, func(a, b *Mount) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(t.namespaces, func(a, b *Namespace) int { return strings.Compare(a.Path, b.Path) })
	t.spaceTree = map[secret.NamespaceID]map[string]*secret.Space{}
	for _, s := range t.spaces {
		if t.spaceTree[s.Namespace] == nil {
			t.spaceTree[s.Namespace] = map[string]*secret.Space{}
		}
		t.spaceTree[s.Namespace][s.Name] = s
	}
	t.mountTree = map[secret.NamespaceID]map[string]*Mount{}
	for _, m := range t.mounts {
		if t.mountTree[m.Namespace] == nil {
			t.mountTree[m.Namespace] = map[string]*Mount{}
		}
		t.mountTree[m.Namespace][m.Name] = m
	}
	t.indexFaces()
	t.indexAttachments()
}

// Space returns the Space with that canonical name.
func (t *Table) Space(ns secret.NamespaceID, name string) (*secret.Space, bool) {
	s, ok := t.spaceTree[ns][name]
	return s, ok
}

// ResolveSpace finds the Space that path begins with (the longest name wins) and answers what is left of the path,
// without its leading '/'.
func (t *Table) ResolveSpace(ns secret.NamespaceID, path string) (*secret.Space, string, bool) {
	return longest(t.spaceTree[ns], path)
}

// ResolveMount is ResolveSpace for a path below auth/.
func (t *Table) ResolveMount(ns secret.NamespaceID, path string) (*Mount, string, bool) {
	return longest(t.mountTree[ns], path)
}

// Mount returns the sign-in mount with that name.
func (t *Table) Mount(ns secret.NamespaceID, name string) (*Mount, bool) {
	m, ok := t.mountTree[ns][name]
	return m, ok
}

func longest[T any](tree map[string]T, path string) (found T, rest string, ok bool) {
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		if v, hit := tree[path[:end]]; hit {
			return v, strings.TrimPrefix(path[end:], "/"), true
		}
	}
	return found, "", false
}

// Spaces lists the Spaces of a namespace by name.
func (t *Table) Spaces(ns secret.NamespaceID) []*secret.Space {
	return only(t.spaces, func(s *secret.Space) bool { return s.Namespace == ns })
}

// Mounts lists the sign-in mounts of a namespace by name.
func (t *Table) Mounts(ns secret.NamespaceID) []*Mount {
	return only(t.mounts, func(m *Mount) bool { return m.Namespace == ns })
}

// MountFrom is the mount of a wanted type with the smallest id that is not below from, in any namespace; nil when there is none.
func (t *Table) MountFrom(from string, wanted func(kind string) bool) (first *Mount) {
	for _, m := range t.mounts {
		if m.ID >= from && wanted(m.Type) && (first == nil || m.ID < first.ID) {
			first = m
		}
	}
	return first
}

// Namespaces lists the direct children of a namespace by path.
func (t *Table) Namespaces(parent secret.NamespaceID) []*Namespace {
	return only(t.namespaces, func(n *Namespace) bool { return n.Parent == parent })
}

// Namespace returns the namespace with that id; the root is always there.
func (t *Table) Namespace(id secret.NamespaceID) (*Namespace, bool) {
	if id == "" {
		return &Namespace{}, true
	}
	for _, n := range t.namespaces {
		if n.ID == id {
			return n, true
		}
	}
	return nil, false
}

// ResolveNamespace finds the namespace that path begins with, and what is left of the path.
func (t *Table) ResolveNamespace(path string) (secret.NamespaceID, string) {
	for i := len(t.namespaces) - 1; i >= 0; i-- { // longer paths sort behind their prefixes
		n := t.namespaces[i]
		if path == n.Path {
			return n.ID, ""
		}
		if rest, ok := strings.CutPrefix(path, n.Path+"/"); ok {
			return n.ID, rest
		}
	}
	return "", path
}

// ResolveBelow is ResolveNamespace for a path as seen from a namespace.
func (t *Table) ResolveBelow(in secret.NamespaceID, path string) (secret.NamespaceID, string) {
	if in == "" {
		return t.ResolveNamespace(path)
	}
	n, ok := t.Namespace(in)
	if !ok {
		return in, path
	}
	return t.ResolveNamespace(n.Path + "/" + path)
}

// NamespaceByPath returns the namespace of exactly that path ("" is the root).
func (t *Table) NamespaceByPath(path string) (secret.NamespaceID, bool) {
	path = strings.Trim(path, "/")
	if path == "" || path == "root" {
		return "", true
	}
	id, rest := t.ResolveNamespace(path)
	return id, id != "" && rest == ""
}

// Relative is the path of namespace ns as seen from ancestor from, ending in '/' unless they are the same; ok is
// false when from is no ancestor of ns.
func (t *Table) Relative(from, ns secret.NamespaceID) (string, bool) {
	if from == ns {
		return "", true
	}
	a, okA := t.Namespace(from)
	b, okB := t.Namespace(ns)
	if !okA || !okB {
		return "", false
	}
	if a.Path == "" {
		return b.Path + "/", true
	}
	rest, ok := strings.CutPrefix(b.Path, a.Path+"/")
	return rest + "/", ok
}

// Policy returns a stored policy document.
func (t *Table) Policy(ns secret.NamespaceID, name string) (*Document, bool) {
	d, ok := t.policies[policyKey{ns, name}]
	return d, ok
}

// Policies lists the names of a namespace's stored policies.
func (t *Table) Policies(ns secret.NamespaceID) []string {
	var names []string
	for k := range t.policies {
		if k.namespace == ns {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return names
}

// Quotas lists the rate limits by name.
func (t *Table) Quotas() []*Quota { return t.quotas }

func only[T any](all []T, keep func(T) bool) []T {
	var out []T
	for _, v := range all {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// NewID makes an id of 128 random bits behind a readable prefix.
func NewID(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return prefix + hex.EncodeToString(b[:])
}

// Holds says that a record belongs to the Table, so that a change of it makes the Table stale.
func Holds(key string) bool { return strings.HasPrefix(key, Prefix) }
