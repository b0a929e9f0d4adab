package auth

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Entity is one person or program, however many ways it has to sign in.
type Entity struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Meta     []secret.Pair `json:"meta,omitempty"`
	Policies []string      `json:"policies,omitempty"`
	Disabled bool          `json:"disabled,omitempty"`
	Created  time.Time     `json:"created"`
	Updated  time.Time     `json:"updated"`
	Aliases  []Alias       `json:"aliases,omitempty"`
	Groups   []string      `json:"groups,omitempty"` // ids of the groups it is a member of
	Merged   []string      `json:"merged,omitempty"` // ids of the entities that became a part of it
}

// Alias is the name by which one mount knows an entity. It is kept in its entity's record; a second record leads from
// (mount, name) to the entity.
type Alias struct {
	ID      string        `json:"id"`
	Mount   string        `json:"mount"` // accessor
	Method  string        `json:"method"`
	Name    string        `json:"name"`
	Meta    []secret.Pair `json:"meta,omitempty"`   // what the method said at the last sign-in
	Custom  []secret.Pair `json:"custom,omitempty"` // what people say
	Created time.Time     `json:"created"`
	Updated time.Time     `json:"updated"`

	MergedFrom []string `json:"merged_from,omitempty"` // ids of the entities that had it before they were merged
}

// Group gives its policies to its members.
type Group struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Meta     []secret.Pair `json:"meta,omitempty"`
	Policies []string      `json:"policies,omitempty"`
	Members  []string      `json:"members,omitempty"` // entity ids
	Groups   []string      `json:"groups,omitempty"`  // ids of the groups whose members are its members too
	Parents  []string      `json:"parents,omitempty"` // ids of the groups that have it among theirs
	Created  time.Time     `json:"created"`
	Updated  time.Time     `json:"updated"`
}

// EntityKey is the record of an entity.
func EntityKey(ns secret.NamespaceID, id string) string { return record.Key("ent", ns, id) }

// EntityNameKey leads from an entity's name, which is compared without regard to case, to its id.
func EntityNameKey(ns secret.NamespaceID, name string) string {
	return record.Key("enn", ns, strings.ToLower(name))
}

// MergedKey leads from the id of an entity that became a part of another to the other's: tokens hold ids.
func MergedKey(ns secret.NamespaceID, id string) string { return record.Key("enm", ns, id) }

// AliasKey leads from a mount's accessor and a canonical alias name to the entity's id. An accessor holds no '/', so
// that no name reaches into another mount's aliases.
func AliasKey(ns secret.NamespaceID, mount, name string) string {
	return record.Key("als", ns, mount, name)
}

// AliasIDKey leads from an alias's id to its entity's.
func AliasIDKey(ns secret.NamespaceID, id string) string { return record.Key("ali", ns, id) }

// GroupNameKey leads from a group's name, compared without regard to case, to its id.
func GroupNameKey(ns secret.NamespaceID, name string) string {
	return record.Key("grn", ns, strings.ToLower(name))
}

// GroupKey is the record of a group.
func GroupKey(ns secret.NamespaceID, id string) string { return record.Key("grp", ns, id) }

// NewID returns a fresh random id in the vendor's form, a version 4 UUID.
func NewID() string {
	var b [16]byte
	randomBytes(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var text [36]byte
	at := text[:0]
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			at = append(at, '-')
		}
		at = hex.AppendEncode(at, part)
	}
	return string(at)
}

// enter finds or makes the entity that signs in, and notes what the method says of it.
func enter(ctx context.Context, v record.View, s SignIn) (*Entity, []record.Change, error) {
	ns, key := s.Mount.Namespace, AliasKey(s.Mount.Namespace, s.Mount.Accessor, s.Alias.Name)
	link, err := record.Get1(ctx, v, key)
	if err != nil {
		return nil, nil, err
	}
	now := v.Now().UTC()
	if !link.Found() {
		return newEntity(ns, s, link, now)
	}
	e := &Entity{}
	r, err := record.Load(ctx, v, EntityKey(ns, string(link.Value)), e)
	if err != nil {
		return nil, nil, err
	}
	if e.Disabled {
		return nil, nil, Tell(secret.ErrDenied, "permission denied")
	}
	for i := range e.Aliases {
		a := &e.Aliases[i]
		if a.Mount != s.Mount.Accessor || a.Name != s.Alias.Name || samePairs(a.Meta, s.Alias.Meta) {
			continue
		}
		a.Meta, a.Updated = s.Alias.Meta, now
		return e, []record.Change{r.Put(record.Encode(e))}, nil
	}
	return e, nil, nil
}

func newEntity(ns secret.NamespaceID, s SignIn, link record.Record, now time.Time) (*Entity, []record.Change, error) {
	id := NewID()
	e := &Entity{ID: id, Name: "entity_" + id[:8], Created: now, Updated: now, Aliases: []Alias{{
		ID: NewID(), Mount: s.Mount.Accessor, Method: s.Method, Name: s.Alias.Name, Meta: s.Alias.Meta, Created: now, Updated: now,
	}}}
	absent := uint64(0)
	return e, []record.Change{
		{Key: EntityKey(ns, id), Value: record.Encode(e), Expect: &absent},
		{Key: EntityNameKey(ns, e.Name), Value: []byte(id), Expect: &absent},
		{Key: AliasIDKey(ns, e.Aliases[0].ID), Value: []byte(id)},
		link.Put([]byte(id)),
	}, nil
}

func samePairs(a, b []secret.Pair) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// who is an entity with its groups, as a token's holder.
type who struct {
	entity *Entity
	groups []Group
	keys   []string // the records that were read
}

// size is about how many bytes of memory w takes.
func (w *who) size() int {
	n := 600
	for _, k := range w.keys {
		n += 16 + len(k)
	}
	return n + 400*len(w.entity.Aliases) + 60*len(w.entity.Policies) + 100*len(w.entity.Meta) + 600*len(w.groups)
}

// maxGroups bounds what one entity is a member of, through however many groups. Beyond it, it is a member of no more.
const maxGroups = 500

// GroupsOf reads the groups of those ids and those that they are in, each once and the nearest first. It answers what
// it read, too.
func GroupsOf(ctx context.Context, v record.View, ns secret.NamespaceID, ids []string) (groups []Group, keys []string, err error) {
	seen := map[string]bool{}
	for len(ids) > 0 {
		var fresh []string
		for _, id := range ids {
			if k := GroupKey(ns, id); !seen[k] && len(seen) < maxGroups {
				seen[k] = true
				fresh = append(fresh, k)
			}
		}
		ids = nil
		if len(fresh) == 0 {
			break
		}
		keys = append(keys, fresh...)
		rs, err := v.Get(ctx, fresh...)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range rs {
			if !r.Found() {
				continue
			}
			var g Group
			if err := decode(r, &g); err != nil {
				return nil, nil, err
			}
			groups, ids = append(groups, g), append(ids, g.Parents...)
		}
	}
	return groups, keys, nil
}

// loadWho reads an entity and its groups. A token whose entity is gone or disabled opens nothing.
func loadWho(ctx context.Context, v record.View, ns secret.NamespaceID, id string) (*who, error) {
	w := &who{entity: &Entity{}, keys: []string{EntityKey(ns, id)}}
	r, err := record.LoadIf(ctx, v, w.keys[0], w.entity)
	if err == nil && !r.Found() {
		var link record.Record
		if link, err = record.Get1(ctx, v, MergedKey(ns, id)); err == nil && link.Found() {
			w.keys = append(w.keys, EntityKey(ns, string(link.Value)))
			r, err = record.LoadIf(ctx, v, w.keys[1], w.entity)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case !r.Found() || w.entity.Disabled:
		return nil, errEntity
	}
	if len(w.entity.Groups) == 0 {
		return w, nil
	}
	groups, keys, err := GroupsOf(ctx, v, ns, w.entity.Groups)
	w.groups, w.keys = groups, append(w.keys, keys...)
	return w, err
}

// policies is what the entity and its groups add to a token's own.
func (w *who) policies() []string {
	if w == nil {
		return nil
	}
	names := w.entity.Policies
	for _, g := range w.groups {
		names = append(names[:len(names):len(names)], g.Policies...)
	}
	return names
}

// facts is what policy templates may speak of.
func (w *who) facts() policy.Facts {
	if w == nil {
		return policy.Facts{}
	}
	e := &policy.Entity{ID: w.entity.ID, Name: w.entity.Name, Metadata: pairMap(w.entity.Meta), Aliases: map[string]policy.Alias{}}
	for _, a := range w.entity.Aliases {
		e.Aliases[a.Mount] = policy.Alias{ID: a.ID, Name: a.Name, Metadata: pairMap(a.Meta), CustomMetadata: pairMap(a.Custom)}
	}
	f := policy.Facts{Entity: e}
	for _, g := range w.groups {
		f.Groups = append(f.Groups, policy.Group{ID: g.ID, Name: g.Name, Metadata: pairMap(g.Meta)})
	}
	return f
}
