package registry

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

const attachPrefix = Prefix + "attach/" // reg/attach/NAMESPACE/UID or space-ID/DIALECT

// Attachment is a policy that stands on a resource and not on who asks: on one secret, or on a whole Space. It was written in the words of a dialect, which
// are kept as they came; what decides are its bindings, which are rules like all others.
type Attachment struct {
	Namespace secret.NamespaceID
	Space     secret.SpaceID
	UID       secret.UID `json:",omitempty"` // of the secret; "" for the whole Space
	Path      string     `json:",omitempty"` // of the secret
	Dialect   secret.Dialect
	Text      json.RawMessage // in the dialect's own words
	Bindings  []policy.Binding
	Edition   uint64 // counts the changes
	Updated   time.Time
}

// AttachmentKey is the record of what is attached to a secret, or with no uid to a Space, in a dialect's words. It hangs on ids that never come again.
func AttachmentKey(sp *secret.Space, uid secret.UID, d secret.Dialect) string {
	on := string(uid)
	if on == "" {
		on = "space-" + string(sp.ID)
	}
	return attachPrefix + string(sp.Namespace) + "/" + on + "/" + d.String()
}

// Name is what explanations and records call the policy.
func (a *Attachment) Name(sp *secret.Space) string {
	name := a.Dialect.String() + " policy of " + sp.Name
	if a.UID != "" {
		name += "/" + a.Path
	}
	return name
}

// Attached answers what is attached to a secret, or with no uid to a Space, in any dialect's words.
func (t *Table) Attached(sp *secret.Space, uid secret.UID) []*Attachment {
	return t.attached[attachedTo{sp.ID, uid}]
}

// AttachedFor compiles what all attachments of a namespace say of some principals. They are called by the Space's name as it is now.
func (t *Table) AttachedFor(ns secret.NamespaceID, principals []string) ([]*policy.Policy, error) {
	var out []*policy.Policy
	seen := map[*Attachment]bool{}
	for _, who := range principals {
		for _, a := range t.named[principalKey{ns, who}] {
			sp, ok := t.SpaceByID(a.Space)
			if !ok || seen[a] {
				continue
			}
			seen[a] = true
			p, err := policy.AttachedPolicy(a.Name(sp), policy.Place{Space: sp.Name, Path: a.Path, Flat: !sp.Versioned}, a.Bindings, principals)
			if err != nil {
				return nil, err
			}
			if p != nil {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// Names reports whether some attachment of the namespace names the principal.
func (t *Table) Names(ns secret.NamespaceID, principal string) bool {
	return len(t.named[principalKey{ns, principal}]) > 0
}

type attachedTo struct {
	space secret.SpaceID
	uid   secret.UID
}

type principalKey struct {
	namespace secret.NamespaceID
	principal string
}

func (t *Table) indexAttachments() {
	t.attached, t.named = map[attachedTo][]*Attachment{}, map[principalKey][]*Attachment{}
	slices.SortFunc(t.attachments, func(a, b *Attachment) int {
		return strings.Compare(string(a.Space)+"/"+a.Path+"\x00"+a.Dialect.String(), string(b.Space)+"/"+b.Path+"\x00"+b.Dialect.String())
	})
	for _, a := range t.attachments {
		to := attachedTo{a.Space, a.UID}
		t.attached[to] = append(t.attached[to], a)
		for _, b := range a.Bindings {
			for _, who := range b.Principals {
				key := principalKey{a.Namespace, who}
				if n := len(t.named[key]); n == 0 || t.named[key][n-1] != a {
					t.named[key] = append(t.named[key], a)
				}
			}
		}
	}
}

// attachable are the dialects that have words for policies on resources.
var attachable = []secret.Dialect{secret.AWS, secret.GCP, secret.Azure}

// DropAttachments removes what is attached to a secret that goes, or with no uid to a Space.
func DropAttachments(sp *secret.Space, uid secret.UID) []record.Change {
	changes := make([]record.Change, len(attachable))
	for i, d := range attachable {
		changes[i] = record.Change{Key: AttachmentKey(sp, uid, d), Delete: true}
	}
	return changes
}
