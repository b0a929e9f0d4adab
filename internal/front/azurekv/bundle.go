package azurekv

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/secret"
)

// bundle is a secret's version with its bytes, as the vendor answers it.
type bundle struct {
	Value       string            `json:"value,omitempty"`
	ID          string            `json:"id"`
	ContentType string            `json:"contentType,omitempty"`
	Attributes  attributes        `json:"attributes"`
	Tags        map[string]string `json:"tags,omitempty"`
	*deletion
}

// deletion is what is added to what was deleted.
type deletion struct {
	RecoveryID         string `json:"recoveryId"`
	DeletedDate        int64  `json:"deletedDate"`
	ScheduledPurgeDate int64  `json:"scheduledPurgeDate"`
}

// attributes of a version; times are seconds since 1970.
type attributes struct {
	Enabled         bool   `json:"enabled"`
	NotBefore       *int64 `json:"nbf,omitempty"`
	Expires         *int64 `json:"exp,omitempty"`
	Created         int64  `json:"created"`
	Updated         int64  `json:"updated"`
	RecoveryLevel   string `json:"recoveryLevel"`
	RecoverableDays int    `json:"recoverableDays"`
}

// show is everything of a version but its bytes. withVersion says that the id names the version.
func (rq *request) show(path secret.Path, h *secret.Head, v *secret.Version, withVersion bool) bundle {
	name := spelling(path, h)
	id := "https://" + rq.http.Host + "/secrets/" + name
	if withVersion {
		id += "/" + h.VersionID(secret.Azure, v)
	}
	b := bundle{ID: id, ContentType: v.ContentType, Attributes: attributes{
		Enabled:   v.StateAt(time.Now()) == secret.Enabled,
		NotBefore: unix(v.NotBefore), Expires: unix(v.Expires),
		Created: v.Created.Unix(), Updated: v.Created.Unix(),
		RecoveryLevel: "Recoverable+Purgeable", RecoverableDays: rq.days,
	}}
	if !v.Changed.IsZero() {
		b.Attributes.Updated = v.Changed.Unix()
	}
	if rq.locked {
		b.Attributes.RecoveryLevel = "Recoverable"
	}
	for _, f := range v.Facts {
		if key, ok := strings.CutPrefix(f.Key, secret.FactAzureTag); ok {
			if b.Tags == nil {
				b.Tags = map[string]string{}
			}
			b.Tags[key] = f.Value
		}
	}
	if t := h.Tombstone; t != nil {
		b.deletion = &deletion{"https://" + rq.http.Host + "/deletedsecrets/" + name, t.At.Unix(), t.PurgeAt.Unix()}
	}
	return b
}

// spelling is the name as its first client spelled it: names match without regard to case.
func spelling(path secret.Path, h *secret.Head) string {
	if h.Name != "" {
		return h.Name
	}
	return path.String()
}

// binaryType marks bytes that are no text, which this API has no other way to carry.
const binaryType = "application/octet-stream;base64"

// text is a version's bytes as this API carries them. Text and maps, which are JSON, go as they are.
func text(v secret.Value, version *secret.Version, b *bundle) {
	bytes := v.Reveal()
	switch {
	case version.Kind == secret.Binary || !utf8.Valid(bytes):
		b.Value = base64.StdEncoding.EncodeToString(bytes)
		if b.ContentType == "" {
			b.ContentType = binaryType
		}
	default:
		b.Value = string(bytes)
		if b.ContentType == "" && version.Kind == secret.Map {
			b.ContentType = "application/json"
		}
	}
}

func unix(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	s := t.Unix()
	return &s
}

// newest is the version that a name stands for on this face; nil: it has none.
func (rq *request) newest(h *secret.Head) *secret.Version { return h.Latest(rq.home, secret.Azure) }

// tagFacts replaces the tags among a version's facts.
func tagFacts(facts []secret.Pair, tags map[string]string) []secret.Pair {
	out := slices.DeleteFunc(slices.Clone(facts), func(f secret.Pair) bool { return strings.HasPrefix(f.Key, secret.FactAzureTag) })
	for k, v := range tags {
		out = append(out, secret.Pair{Key: secret.FactAzureTag + k, Value: v})
	}
	slices.SortFunc(out, func(a, b secret.Pair) int { return strings.Compare(a.Key, b.Key) })
	return out
}
