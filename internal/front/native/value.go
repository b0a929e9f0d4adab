package native

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
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
	a := valueAnswer{Version: r.Version.Number, Created: r.Version.Created}
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

// writeValue is PUT value/SPACE/PATH {"text": …} or {"bytes": BASE64}, with "cas" the newest version's number.
func writeValue(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	var in struct {
		Text  *string
		Bytes []byte
		CAS   *uint64
	}
	for name, dst := range map[string]any{"text": &in.Text, "bytes": &in.Bytes, "cas": &in.CAS} {
		if raw, ok := rq.body[name]; ok && json.Unmarshal(raw, dst) != nil {
			return nil, auth.Tell(secret.ErrInvalid, "member %q is of the wrong type", name)
		}
	}
	p := custody.Put{Kind: secret.Binary, Value: secret.NewValue(in.Bytes), CAS: in.CAS}
	if in.Text != nil {
		if !utf8.ValidString(*in.Text) {
			return nil, auth.Tell(secret.ErrInvalid, "the text is not valid UTF-8; give it as bytes")
		}
		p.Kind, p.Value = secret.Text, secret.NewValue([]byte(*in.Text))
	} else if in.Bytes == nil {
		return nil, auth.Tell(secret.ErrInvalid, "no value: give \"text\" or \"bytes\"")
	}
	r, err := rq.front.desk.Write(rq.http.Context(), rq.caller, ref, p)
	if err != nil {
		return nil, err
	}
	return map[string]any{"version": r.Version.Number, "created": r.Version.Created}, nil
}

// readEnv is GET env/SPACE[/FOLDER]: every text that lies directly there and that the caller may read.
func readEnv(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	f, err := rq.front.desk.ReadFolder(rq.http.Context(), rq.caller, ref, custody.MaxEnvironment)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string, len(f.Children))
	versions := make(map[string]uint64, len(f.Children))
	for _, c := range f.Children {
		values[c.Name] = string(c.Value.Reveal())
		versions[c.Name] = c.Version
	}
	lease := rq.front.desk.Lease(rq.caller, ref)
	return map[string]any{"values": values, "versions": versions, "revision": f.Revision, "updated": f.Updated, "lease": int64(lease / time.Second)}, nil
}
