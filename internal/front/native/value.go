package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// valueAnswer is one version's bytes: as text, as base64, or as the map that kv wrote.
type valueAnswer struct {
	Kind    string            `json:"kind"`
	Text    *string           `json:"text,omitempty"`
	Bytes   []byte            `json:"bytes,omitempty"`
	Map     json.RawMessage   `json:"map,omitempty"`
	Version uint64            `json:"version"`
	Created time.Time         `json:"created"`
	Custom  map[string]string `json:"custom,omitempty"`

	ContentType string   `json:"content_type,omitempty"`
	ID          string   `json:"id,omitempty"` // as clients of AWS know it, where it was given
	Labels      []string `json:"labels,omitempty"`
}

// readValue is GET value/SPACE/PATH[?version=N|LABEL].
func readValue(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	if v := rq.http.URL.Query().Get("version"); v != "" {
		if n, err := strconv.ParseUint(v, 10, 63); err == nil {
			ref.Number = n
		} else {
			ref.Label = v
		}
	}
	r, err := rq.front.desk.Read(rq.http.Context(), rq.caller, ref)
	if err != nil {
		return nil, err
	}
	a := valueAnswer{Version: r.Version.Number, Created: r.Version.Created, ContentType: r.Version.ContentType, ID: r.Version.AWSID, Labels: r.Version.Labels}
	switch r.Version.Kind {
	case secret.Map:
		a.Kind, a.Map = "map", r.Value.Reveal()
	case secret.Binary:
		a.Kind, a.Bytes = "binary", r.Value.Reveal()
	default:
		text := string(r.Value.Reveal())
		a.Kind, a.Text = "text", &text
	}
	for _, p := range r.Head.Custom {
		if a.Custom == nil {
			a.Custom = map[string]string{}
		}
		a.Custom[p.Key] = p.Value
	}
	return a, nil
}

// writeValue is PUT value/SPACE/PATH {"text": …}, {"bytes": BASE64} or {"map": {…}}, with "cas" the newest version's number. What
// came from another store brings the names that its clients know it by.
func writeValue(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	var in valueSent
	if err := rq.read(map[string]any{
		"text": &in.text, "bytes": &in.bytes, "map": &in.object, "cas": &in.cas, "content_type": &in.contentType, "id": &in.id, "labels": &in.labels, "suffix": &in.suffix, "tags": &in.tags,
	}); err != nil {
		return nil, err
	}
	p, err := in.put()
	if err != nil {
		return nil, err
	}
	if err := in.tag(&p, rq.front.homeOf(ref)); err != nil {
		return nil, err
	}
	r, err := rq.front.desk.Write(rq.http.Context(), rq.caller, ref, p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"version": r.Version.Number, "created": r.Version.Created}, nil
}

// valueSent is the body of a write.
type valueSent struct {
	text            *string
	bytes           []byte
	object          json.RawMessage
	cas             *uint64
	contentType, id string
	labels          []string
	suffix          string
	tags            map[string]string
}

const maxName = 256 // bytes of a label, of a content type

func (in *valueSent) put() (custody.Put, error) {
	p := custody.Put{CAS: in.cas, ContentType: in.contentType, AWSID: in.id, Once: in.id != "", Stages: in.labels}
	given := 0
	if in.text != nil {
		given++
		p.Kind, p.Value = secret.Text, secret.NewValue([]byte(*in.text))
	}
	if in.bytes != nil {
		given++
		p.Kind, p.Value = secret.Binary, secret.NewValue(in.bytes)
	}
	if in.object != nil {
		given++
		b, err := wire.Canonical(in.object)
		if err != nil {
			return p, auth.Tell(secret.ErrInvalid, "member \"map\" must be an object")
		}
		p.Kind, p.Value = secret.Map, secret.NewValue(b)
	}
	switch {
	case given != 1:
		return p, auth.Tell(secret.ErrInvalid, "one value, please: give \"text\", \"bytes\" or \"map\"")
	case in.text != nil && !utf8.ValidString(*in.text):
		return p, auth.Tell(secret.ErrInvalid, "the text is not valid UTF-8; give it as bytes")
	case in.id != "" && (len(in.id) < 32 || len(in.id) > 64 || !printable(in.id)):
		return p, auth.Tell(secret.ErrInvalid, "member \"id\" is 32 to 64 printable characters, as AWS has them")
	case in.suffix != "" && (len(in.suffix) != 6 || !secret.Alphanumeric(in.suffix)):
		return p, auth.Tell(secret.ErrInvalid, "member \"suffix\" is the six letters and digits at the end of an ARN")
	case len(in.contentType) > maxName || !printable(in.contentType):
		return p, auth.Tell(secret.ErrInvalid, "member \"content_type\" is at most %d printable characters", maxName)
	}
	for _, l := range in.labels {
		if err := checkLabel(l); err != nil {
			return p, err
		}
	}
	if in.suffix != "" {
		p.Revise = func(h *secret.Head) (custody.Configuration, error) {
			facts := secret.SetFact(h.Facts, secret.FactARNSuffix, in.suffix)
			return custody.Configuration{Facts: &facts}, nil
		}
	}
	return p, nil
}

// tag puts tags where the clients of the Space's home look for them: in Azure each version has its own, elsewhere the secret has them
// and one that is there already keeps those it has.
func (in *valueSent) tag(p *custody.Put, home secret.Dialect) error {
	if len(in.tags) > maxTags {
		return auth.Tell(secret.ErrInvalid, "member \"tags\" has more than %d", maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(in.tags)) {
		value := in.tags[key]
		if key == "" || len(key) > maxTag || len(value) > maxTagValue || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return auth.Tell(secret.ErrInvalid, "a tag has a name of 1 to %d bytes and a value of %d at most", maxTag, maxTagValue)
		}
		if home == secret.Azure {
			p.Facts = append(p.Facts, secret.Pair{Key: secret.FactAzureTag + key, Value: value})
		} else {
			p.Custom = append(p.Custom, secret.Pair{Key: key, Value: value})
		}
	}
	return nil
}

// What the largest of the stores takes that tags come from: 64 labels of Google, 128 and 256 characters of AWS.
const (
	maxTags     = 64
	maxTag      = 512
	maxTagValue = 1024
)

// homeOf is the home dialect of a Space; that of Vault where there is none.
func (f *Front) homeOf(ref secret.Ref) secret.Dialect {
	if table := f.desk.Table(); table != nil {
		if sp, ok := table.Space(ref.Namespace, ref.Space); ok {
			return sp.Home
		}
	}
	return secret.Vault
}

func checkLabel(l string) error {
	if l == "" || len(l) > maxName || !printable(l) {
		return auth.Tell(secret.ErrInvalid, "a label is 1 to %d printable characters", maxName)
	}
	return nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// moveLabels is PUT labels/SPACE/PATH {"labels": {"current": ID}}: each label goes to the version that a client of AWS knows by that
// id. An empty id takes it away.
func moveLabels(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	var to map[string]string
	if err := rq.read(map[string]any{"labels": &to}); err != nil {
		return nil, err
	}
	for l := range to {
		if err := checkLabel(l); err != nil {
			return nil, err
		}
	}
	h, err := rq.front.desk.Revise(rq.http.Context(), rq.caller, ref, func(h *secret.Head) (custody.Configuration, error) {
		var cfg custody.Configuration
		for _, l := range slices.Sorted(maps.Keys(to)) { // "current" before "previous", which it would move
			move := custody.Labelling{Label: l}
			if id := to[l]; id != "" {
				v := h.ByID(id)
				if v == nil {
					return cfg, fmt.Errorf("%s: no version has the id %.64q: %w", ref, id, secret.ErrNotFound)
				}
				move.Number = v.Number
			}
			cfg.Labels = append(cfg.Labels, move)
		}
		return cfg, nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"version": h.Current}, nil
}

// readEnv is GET env/SPACE[/FOLDER]: every text that lies directly there and that the caller may read. "partial" says that
// there may be others: whoever merges environments must not take a name that is not here for one that has no value.
func readEnv(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	f, err := rq.front.desk.ReadFolder(rq.http.Context(), rq.caller, ref, custody.MaxEnvironment)
	if err != nil && (!f.Partial || !errors.Is(err, secret.ErrNotFound)) {
		return nil, err
	}
	return appendEnv(nil, &f, rq.front.desk.Lease(rq.caller, ref)), nil
}

// appendEnv writes an environment by hand, because a program of a thousand settings waits for it at each of its starts.
func appendEnv(b []byte, f *custody.FolderReading, lease time.Duration) written {
	size := 256
	for i := range f.Children {
		size += 2*len(f.Children[i].Name) + f.Children[i].Value.Len() + 16
	}
	b = append(slices.Grow(b, size), `{"data":{"values":{`...)
	for i := range f.Children {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, []byte(f.Children[i].Name)), ':')
		b = appendText(b, f.Children[i].Value.Reveal())
	}
	b = append(b, `},"versions":{`...)
	for i := range f.Children {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, []byte(f.Children[i].Name)), ':')
		b = strconv.AppendUint(b, f.Children[i].Version, 10)
	}
	b = strconv.AppendUint(append(b, `},"revision":`...), f.Revision, 10)
	b = f.Updated.AppendFormat(append(b, `,"updated":"`...), time.RFC3339Nano)
	b = strconv.AppendInt(append(b, `","lease":`...), int64(lease/time.Second), 10)
	if f.Partial {
		b = append(b, `,"partial":true`...)
	}
	return append(b, '}', '}')
}

// appendText appends a JSON string. Texts that hold no character with a meaning there are copied.
func appendText(b, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(string(text)) // strings always marshal
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// fingerprint is a text as fingerprints shows it.
type fingerprint struct {
	Fingerprint string    `json:"fingerprint"`
	Version     uint64    `json:"version"`
	Created     time.Time `json:"created"`
}

// readFingerprints is GET fingerprints/SPACE[/FOLDER]: what env answers, with a keyed hash in place of each value.
func readFingerprints(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	all, err := rq.front.desk.Fingerprints(rq.http.Context(), rq.caller, ref, custody.MaxEnvironment)
	if err != nil {
		return nil, err
	}
	out := make(map[string]fingerprint, len(all))
	for _, f := range all {
		out[f.Name] = fingerprint{f.Text, f.Version, f.Created}
	}
	return map[string]any{"fingerprints": out}, nil
}
