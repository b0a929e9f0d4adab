package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// kv version 2, https://openbao.org/api-docs/secret/kv/kv-v2/

func routeKV2(rq *request, sp *secret.Space) (handler, error) {
	folder, path, _ := strings.Cut(rq.rest, "/")
	switch folder {
	case "config":
		if path == "" {
			return kvConfig(rq, sp)
		}
	case "data", "metadata", "delete", "undelete", "destroy", "subkeys":
		return routeVersions(rq, sp, folder, path)
	}
	if rq.caller.Refusal() != nil || !rq.front.desk.KnowsOf(rq.caller, sp) {
		return nil, rq.denied(errUnsupportedPath)
	}
	return notVersioned, nil
}

// notVersioned is the vendor's help for who forgot "data/": a 404 whose warning says so.
func notVersioned(*request) (answer, error) {
	return answer{status: http.StatusNotFound, warnings: []string{
		"Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv' for this operation.",
	}}, nil
}

// refuseFolder refuses what cannot be meant of a path that is written as a folder's: a '/' at its end makes no other
// name, and nobody who writes "a/" wants "a" changed.
func (rq *request) refuseFolder(sp *secret.Space) error {
	switch {
	case !rq.folder || rq.op&(list|scan) != 0:
		return nil
	case rq.op&(write|patch) != 0:
		return rq.refused(bad("cannot write to a path ending in '/'"))
	case rq.op == remove:
		return rq.refused(bad("cannot delete a path ending in '/'"))
	case sp != nil && sp.Settings.FolderRead:
		return nil
	}
	return rq.denied(secret.ErrNotFound)
}

func routeVersions(rq *request, sp *secret.Space, folder, path string) (handler, error) {
	ref := secret.Ref{Namespace: rq.ns, Space: sp.Name}
	if path != "" {
		ref.Path, _ = secret.ParsePath(path) // the whole path was parsed; a part of it is canonical too
	} else if folder != "metadata" || rq.op&(list|scan) == 0 {
		return nil, rq.refused(bad("missing path"))
	}
	var do func(*request, secret.Ref) (answer, error)
	switch {
	case folder == "data" && rq.op == read:
		do = readData
		if sp.Settings.FolderRead {
			do = readDataOrFolder
		}
	case folder == "data" && rq.op == write:
		do = writeData
	case folder == "data" && rq.op == patch:
		do = patchData
	case folder == "data" && rq.op == remove:
		do = func(rq *request, ref secret.Ref) (answer, error) {
			return emptyIfMissing(rq.front.desk.Delete(rq.ctx, rq.caller, ref))
		}
	case folder == "metadata" && rq.op&(list|scan) != 0:
		do = listNames
	case folder == "metadata" && rq.op == read:
		do = readMetadata
	case folder == "metadata" && rq.op&(write|patch) != 0:
		do = writeMetadata
	case folder == "metadata" && rq.op == remove:
		do = func(rq *request, ref secret.Ref) (answer, error) {
			return emptyIfMissing(rq.front.desk.Remove(rq.ctx, rq.caller, ref))
		}
	case folder == "subkeys" && rq.op == read:
		do = readSubkeys
	case folder == "delete" && rq.op == write:
		do = versionsOf((*custody.Desk).Delete)
	case folder == "undelete" && rq.op == write:
		do = versionsOf((*custody.Desk).Undelete)
	case folder == "destroy" && rq.op&(write|patch) != 0:
		do = versionsOf((*custody.Desk).Destroy)
	default:
		return nil, rq.denied(errOperation)
	}
	rq.ref, rq.verb = ref, do
	return onRef, nil
}

// onRef is the handler of what asks about one secret. What it is to do lies in the request: a closure would be made for
// every read.
func onRef(rq *request) (answer, error) { return rq.verb(rq, rq.ref) }

// emptyIfMissing is the vendor's answer to the removal of what is not there: nothing to say.
func emptyIfMissing(err error) (answer, error) {
	if err != nil && !errors.Is(err, secret.ErrNotFound) {
		return answer{}, err
	}
	return done()
}

func readData(rq *request, ref secret.Ref) (answer, error) {
	if err := rq.version(&ref); err != nil {
		return answer{}, err
	}
	r, err := rq.front.desk.Read(rq.ctx, rq.caller, ref)
	if err != nil {
		return goneAnswer("data", r, err)
	}
	loan := borrow()
	b := append((*loan)[:0], `{"data":`...)
	b = appendData(b, r)
	b = append(b, `,"metadata":`...)
	b = appendVersion(b, &r.Version, r.Head.Custom)
	return answer{data: append(b, '}'), mount: "kv", loan: loan}, nil
}

// appendData splices what kv wrote. What another dialect wrote as text or bytes is shown as a map with one member.
func appendData(b []byte, r custody.Reading) []byte {
	switch r.Version.Kind {
	case secret.Map:
		return append(b, r.Value.Reveal()...)
	case secret.Binary:
		return append(appendJSON(append(b, `{"value_base64":`...), r.Value.Reveal()), '}')
	}
	return append(appendJSON(append(b, `{"value":`...), string(r.Value.Reveal())), '}')
}

// goneAnswer is the vendor's 404 with a body: the version is known, its data is not to be had.
func goneAnswer(member string, r custody.Reading, err error) (answer, error) {
	if r.Version.Number == 0 || !isGone(err) {
		return answer{}, err
	}
	b := append([]byte(`{"`+member+`":null,"metadata":`), appendVersion(nil, &r.Version, r.Head.Custom)...)
	return answer{status: http.StatusNotFound, data: append(b, '}'), mount: "kv"}, nil
}

func isGone(err error) bool {
	for _, s := range []error{secret.ErrDeleted, secret.ErrDestroyed, secret.ErrDisabled, secret.ErrExpired} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

func (rq *request) version(ref *secret.Ref) error {
	if rq.http.URL.RawQuery == "" {
		return nil
	}
	v := rq.http.URL.Query().Get("version")
	if v == "" {
		return nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return bad("error converting input for field \"version\": expected a version number, got %q", v)
	}
	ref.Number = uint64(n) // 0 is the latest
	return nil
}

// appendVersion is the metadata of one version.
func appendVersion(b []byte, v *secret.Version, custom []secret.Pair) []byte {
	b = append(b, `{"created_time":"`...)
	b = appendTime(b, v.Created)
	b = append(b, `","custom_metadata":`...)
	b = appendCustom(b, custom)
	b = append(b, `,"deletion_time":"`...)
	b = appendTime(b, v.Deleted)
	b = append(b, `","destroyed":`...)
	b = strconv.AppendBool(b, v.State == secret.Destroyed)
	b = append(b, `,"version":`...)
	b = strconv.AppendUint(b, v.Number, 10)
	return append(b, '}')
}

func appendCustom(b []byte, custom []secret.Pair) []byte {
	if len(custom) == 0 {
		return append(b, "null"...)
	}
	for i, p := range custom {
		b = append(b, "{,"[min(i, 1)])
		b = append(appendJSON(b, p.Key), ':')
		b = appendJSON(b, p.Value)
	}
	return append(b, '}')
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}

func writeData(rq *request, ref secret.Ref) (answer, error) {
	data, cas, err := rq.dataAndCAS()
	if err != nil {
		return answer{}, err
	}
	r, err := rq.front.desk.Write(rq.ctx, rq.caller, ref, custody.Put{Value: secret.NewValue(data), Kind: secret.Map, CAS: cas})
	if err != nil {
		return answer{}, err
	}
	return answer{data: appendVersion(nil, &r.Version, r.Head.Custom), mount: "kv"}, nil
}

// dataAndCAS reads {"data": {…}, "options": {"cas": n}}.
func (rq *request) dataAndCAS() (data []byte, cas *uint64, err error) {
	if !rq.fields.has("data") {
		return nil, nil, rq.refused(bad("no data provided"))
	}
	if data, err = canonical(rq.fields.raw["data"]); err != nil {
		return nil, nil, rq.refused(err)
	}
	options, err := rq.fields.object("options")
	if err != nil || !options.has("cas") {
		return data, nil, err
	}
	n, err := options.number("cas")
	if err != nil || n < 0 {
		return nil, nil, bad("error parsing check-and-set parameter")
	}
	u := uint64(n)
	return data, &u, nil
}

// canonical is the stored form of a map: members sorted by name, no space, numbers as they were written.
func canonical(raw json.RawMessage) ([]byte, error) {
	b, err := wire.Canonical(raw)
	if err != nil {
		return nil, bad("\"data\" must be an object")
	}
	return b, nil
}

func patchData(rq *request, ref secret.Ref) (answer, error) {
	change, cas, err := rq.dataAndCAS()
	if err != nil {
		return answer{}, err
	}
	r, err := rq.front.desk.Patch(rq.ctx, rq.caller, ref, cas, func(old secret.Value) (secret.Value, error) {
		merged, err := mergePatch(old.Reveal(), change)
		return secret.NewValue(merged), err
	})
	if err != nil {
		return goneAnswer("data", r, err)
	}
	return answer{data: appendVersion(nil, &r.Version, r.Head.Custom), mount: "kv"}, nil
}

// mergePatch applies a JSON merge patch (RFC 7396).
func mergePatch(old, change []byte) ([]byte, error) {
	var o, c any
	for _, x := range []struct {
		src []byte
		dst *any
	}{{old, &o}, {change, &c}} {
		d := json.NewDecoder(bytes.NewReader(x.src))
		d.UseNumber()
		if d.Decode(x.dst) != nil {
			return nil, bad("the secret is no map and cannot be patched")
		}
	}
	b, err := json.Marshal(merge(o, c))
	if err != nil {
		return nil, bad("the patched data cannot be stored")
	}
	return canonical(b)
}

func merge(target, change any) any {
	c, ok := change.(map[string]any)
	if !ok {
		return change
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range c {
		if v == nil {
			delete(t, k)
		} else {
			t[k] = merge(t[k], v)
		}
	}
	return t
}

func versionsOf(do func(*custody.Desk, contextOf, callerOf, secret.Ref, ...uint64) error) func(*request, secret.Ref) (answer, error) {
	return func(rq *request, ref secret.Ref) (answer, error) {
		versions, err := numbers(rq.fields)
		if err != nil {
			return answer{}, rq.refused(err)
		}
		return emptyIfMissing(do(rq.front.desk, rq.ctx, rq.caller, ref, versions...))
	}
}

// numbers reads {"versions": [1, "2"]}.
func numbers(f fields) ([]uint64, error) {
	raw, ok := f.raw["versions"]
	var many []json.RawMessage
	if ok && json.Unmarshal(raw, &many) != nil {
		many = []json.RawMessage{raw}
	}
	var all []uint64
	for _, m := range many {
		for s := range strings.SplitSeq(strings.Trim(string(m), `"`), ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 63)
			if err != nil {
				return nil, bad("error converting input for field \"versions\": expected a list of version numbers")
			}
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil, bad("No version number provided")
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func listNames(rq *request, ref secret.Ref) (answer, error) {
	f := custody.Folder{Namespace: ref.Namespace, Space: ref.Space, Path: ref.Path, Deep: rq.op == scan}
	var err error
	if f.After, f.Limit, err = rq.page(); err != nil {
		return answer{}, rq.refused(err)
	}
	names, err := rq.front.desk.List(rq.ctx, rq.caller, f)
	if err != nil {
		return answer{}, err
	}
	return keys(names)
}

func readMetadata(rq *request, ref secret.Ref) (answer, error) {
	h, err := rq.front.desk.Describe(rq.ctx, rq.caller, ref)
	if err != nil {
		return answer{}, err
	}
	return answer{data: appendHead(nil, h), mount: "kv"}, nil
}

func appendHead(b []byte, h *secret.Head) []byte {
	oldest := uint64(0)
	if len(h.Versions) > 0 {
		oldest = h.Versions[0].Number
	}
	b = append(b, `{"cas_required":`...)
	b = strconv.AppendBool(b, h.Settings.CASRequired)
	b = append(b, `,"created_time":"`...)
	b = appendTime(b, h.Created)
	b = append(b, `","current_version":`...)
	b = strconv.AppendUint(b, h.Current, 10)
	b = append(b, `,"custom_metadata":`...)
	b = appendCustom(b, h.Custom)
	b = append(b, `,"delete_version_after":"`...)
	b = append(b, h.Settings.DeleteAfter.String()...)
	b = append(b, `","max_versions":`...)
	b = strconv.AppendUint(b, h.Settings.MaxVersions, 10)
	b = append(b, `,"oldest_version":`...)
	b = strconv.AppendUint(b, oldest, 10)
	b = append(b, `,"updated_time":"`...)
	b = appendTime(b, h.Updated)
	b = append(b, `","versions":{`...)
	for i := range h.Versions {
		v := &h.Versions[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = strconv.AppendUint(b, v.Number, 10)
		b = append(b, `":{"created_time":"`...)
		b = appendTime(b, v.Created)
		b = append(b, `","deletion_time":"`...)
		b = appendTime(b, v.Deleted)
		b = append(b, `","destroyed":`...)
		b = strconv.AppendBool(b, v.State == secret.Destroyed)
		b = append(b, '}')
	}
	b = append(b, '}')
	if !h.Settings.ExpiresAt.IsZero() {
		b = append(b, `,"expires_at":"`...)
		b = append(appendTime(b, h.Settings.ExpiresAt), '"')
	}
	return append(b, '}')
}

func writeMetadata(rq *request, ref secret.Ref) (answer, error) {
	_, err := rq.front.desk.Configure(rq.ctx, rq.caller, ref, rq.op == patch, func(h *secret.Head) (custody.Configuration, error) {
		return rq.configuration(h)
	})
	if err != nil {
		return answer{}, err
	}
	return done()
}

// configuration reads the members of a metadata write. custom_metadata is replaced by a write and merged by a patch.
func (rq *request) configuration(h *secret.Head) (c custody.Configuration, err error) {
	f := rq.fields
	if f.has("max_versions") {
		n, err := f.number("max_versions")
		if err != nil || n < 0 {
			return c, bad("max_versions must not be negative")
		}
		if n > secret.MostVersions {
			return c, bad("max_versions must be at most %d, the most versions that are kept of a secret", secret.MostVersions)
		}
		u := uint64(n)
		c.MaxVersions = &u
	}
	if f.has("cas_required") {
		b, err := f.flag("cas_required")
		if err != nil {
			return c, err
		}
		c.CASRequired = &b
	}
	if f.has("delete_version_after") {
		d, err := f.duration("delete_version_after")
		if err != nil {
			return c, err
		}
		c.DeleteAfter = &d
	}
	if f.has("expires_at") {
		t, err := time.Parse(time.RFC3339, f.text("expires_at"))
		if err != nil && f.text("expires_at") != "" {
			return c, bad("expires_at must be a time as RFC 3339 has it, for instance 2027-01-31T12:00:00Z")
		}
		c.ExpiresAt = &t
	}
	if raw, ok := f.raw["custom_metadata"]; ok {
		custom, err := customMetadata(raw, h, rq.op == patch)
		if err != nil {
			return c, err
		}
		c.Custom = &custom
	}
	return c, nil
}

// The vendor's bounds on custom metadata.
const (
	maxCustomKeys  = 64
	maxCustomKey   = 128
	maxCustomValue = 512
)

func customMetadata(raw json.RawMessage, h *secret.Head, merged bool) ([]secret.Pair, error) {
	var given map[string]*string
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, bad("custom_metadata must be an object of strings")
	}
	all := map[string]string{}
	if merged {
		for _, p := range h.Custom {
			all[p.Key] = p.Value
		}
	}
	for k, v := range given {
		if v == nil {
			delete(all, k)
			continue
		}
		if k == "" || len(k) > maxCustomKey || len(*v) > maxCustomValue {
			return nil, bad("custom_metadata validation failed: length of key must be 1 to %d and of value at most %d bytes", maxCustomKey, maxCustomValue)
		}
		all[k] = *v
	}
	if len(all) > maxCustomKeys {
		return nil, bad("custom_metadata validation failed: payload must contain at most %d keys, provided %d", maxCustomKeys, len(all))
	}
	pairs := make([]secret.Pair, 0, len(all))
	for k, v := range all {
		pairs = append(pairs, secret.Pair{Key: k, Value: v})
	}
	slices.SortFunc(pairs, func(a, b secret.Pair) int { return strings.Compare(a.Key, b.Key) })
	return pairs, nil
}

func readSubkeys(rq *request, ref secret.Ref) (answer, error) {
	if err := rq.version(&ref); err != nil {
		return answer{}, err
	}
	depth, err := strconv.Atoi("0" + rq.http.URL.Query().Get("depth"))
	if err != nil {
		return answer{}, bad("error converting input for field \"depth\": expected a number")
	}
	r, err := rq.front.desk.Subkeys(rq.ctx, rq.caller, ref)
	if err != nil {
		return goneAnswer("subkeys", r, err)
	}
	var m any
	if json.Unmarshal(appendData(nil, r), &m) != nil {
		return answer{}, secret.ErrDamaged
	}
	b := appendJSON([]byte(`{"metadata":`+string(appendVersion(nil, &r.Version, r.Head.Custom))+`,"subkeys":`), blank(m, depth))
	return answer{data: append(b, '}'), mount: "kv"}, nil
}

// blank replaces every value by null, below depth levels (0: all) whole objects too.
func blank(v any, depth int) any {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return nil
	}
	for k := range m {
		if depth == 1 {
			m[k] = nil
			continue
		}
		m[k] = blank(m[k], depth-1)
	}
	return m
}
