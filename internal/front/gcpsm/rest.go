package gcpsm

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/keephold/keephold/internal/wire"
)

// route is one row of the REST form (google.api.http of the service): which paths, and how a request's message is made of
// the path, the query and the body.
type route struct {
	verb  string
	shape string // the kinds of segments behind the project and location, and the custom verb
	rpc   string
	name  string // member that the path fills
	body  string // member that the body is; "*" the whole message, "" none
}

func routes() []route {
	return []route{
		{http.MethodGet, "secrets", "ListSecrets", "parent", ""},
		{http.MethodPost, "secrets", "CreateSecret", "parent", "secret"},
		{http.MethodGet, "secrets/*", "GetSecret", "name", ""},
		{http.MethodPatch, "secrets/*", "UpdateSecret", "secret.name", "secret"},
		{http.MethodDelete, "secrets/*", "DeleteSecret", "name", ""},
		{http.MethodPost, "secrets/*:addVersion", "AddSecretVersion", "parent", "*"},
		{http.MethodGet, "secrets/*/versions", "ListSecretVersions", "parent", ""},
		{http.MethodGet, "secrets/*/versions/*", "GetSecretVersion", "name", ""},
		{http.MethodGet, "secrets/*/versions/*:access", "AccessSecretVersion", "name", ""},
		{http.MethodPost, "secrets/*/versions/*:disable", "DisableSecretVersion", "name", "*"},
		{http.MethodPost, "secrets/*/versions/*:enable", "EnableSecretVersion", "name", "*"},
		{http.MethodPost, "secrets/*/versions/*:destroy", "DestroySecretVersion", "name", "*"},
		{http.MethodGet, "secrets/*:getIamPolicy", "GetIamPolicy", "resource", ""},
		{http.MethodPost, "secrets/*:setIamPolicy", "SetIamPolicy", "resource", "*"},
		{http.MethodPost, "secrets/*:testIamPermissions", "TestIamPermissions", "resource", "*"},
		// Of a project, as its clients ask the Resource Manager (v1: projects.getIamPolicy and the like).
		{http.MethodPost, ":getIamPolicy", "GetIamPolicy", "resource", "*"},
		{http.MethodPost, ":setIamPolicy", "SetIamPolicy", "resource", "*"},
		{http.MethodPost, ":testIamPermissions", "TestIamPermissions", "resource", "*"},
		{http.MethodPost, "secrets/*:enableManagedRotation", "EnableManagedRotation", "parent", "*"},
		{http.MethodPost, "secrets/*:rotateSecret", "RotateSecret", "parent", "*"},
	}
}

// target is what a path says: its row, and the resource's name.
func (f *Front) target(verb, path string) (route, string, error) {
	name, custom, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), ":")
	if strings.Contains(path, "/projects/") { // the id of a project may hold a ':', a custom verb stands behind the last one
		if i, slash := strings.LastIndexByte(path, ':'), strings.LastIndexByte(path, '/'); i > slash {
			name, custom = strings.TrimPrefix(path[:i], "/v1/"), path[i+1:]
		} else {
			name, custom = strings.TrimPrefix(path, "/v1/"), ""
		}
	}
	parts := strings.Split(name, "/")
	if len(parts) < 3 && custom == "" || len(parts) < 2 || parts[0] != "projects" {
		return route{}, "", errNoRoute
	}
	kinds, bare := parts[2:], name
	if len(kinds) > 1 && kinds[0] == "locations" {
		kinds = kinds[2:]
	}
	shape := ""
	for i, k := range kinds {
		if i%2 == 1 {
			k = "*"
		}
		shape += "/" + k
	}
	if len(kinds)%2 == 1 { // a collection: the resource is what it is in
		bare = strings.Join(parts[:len(parts)-1], "/")
	}
	shape = strings.TrimPrefix(shape, "/")
	if custom != "" {
		shape += ":" + custom
	}
	for _, r := range f.routes {
		if r.shape == shape && r.verb == verb {
			return r, bare, nil
		}
	}
	return route{}, "", errNoRoute
}

var errNoRoute = faultf(codes.NotFound, "The requested URL was not found on this server.")

func (f *Front) serveREST(w http.ResponseWriter, r *http.Request) {
	out := output(r.URL.Query())
	if done := f.locations(w, r, out); done {
		return
	}
	row, name, err := f.target(verbOf(r), r.URL.Path)
	if err != nil {
		f.fail(w, out, f.told(nil, err))
		return
	}
	m := f.methods[row.rpc]
	answer, told := f.call(f.identify(r.Context(), r, m), func(*call) (proto.Message, error) {
		var body []byte
		if row.body != "" {
			if body, err = wire.Body(r, maxMessage); errors.Is(err, wire.ErrTooLarge) {
				return nil, bad("Request payload size exceeds the limit: %d bytes.", maxMessage)
			} else if err != nil {
				return nil, bad("The request body cannot be read.")
			}
		}
		in := m.request()
		return in, fill(in, row, name, body, r.URL.Query())
	})
	if told != nil {
		f.fail(w, out, told)
		return
	}
	b, err := out.message(answer)
	if err != nil {
		f.fail(w, out, f.told(nil, err))
		return
	}
	respond(w, http.StatusOK, b)
}

// verbOf is the request's method, which clients behind some proxies write into a header.
func verbOf(r *http.Request) string {
	if o := r.Header.Get("X-Http-Method-Override"); o != "" && r.Method == http.MethodPost {
		return o
	}
	return r.Method
}

// system are parameters that every method takes and that are no members of its message.
var system = []string{
	"alt", "prettyPrint", "fields", "key", "quotaUser", "userIp", "callback", "access_token", "oauth_token", "uploadType", "upload_protocol", "userProject",
}

// fill makes a message of a request. What the path says stands: neither the body nor the query may say otherwise.
func fill(in proto.Message, row route, name string, body []byte, query url.Values) error {
	if len(bytes.TrimSpace(body)) > 0 {
		if _, err := wire.Object(body, maxDepth); err != nil {
			return bad("Invalid JSON payload received. %s", clip(err.Error()))
		}
		into := in
		if row.body != "*" {
			into = in.ProtoReflect().Mutable(in.ProtoReflect().Descriptor().Fields().ByTextName(row.body)).Message().Interface()
		}
		if err := (protojson.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(body, into); err != nil {
			return bad("Invalid JSON payload received: a member is unknown or of the wrong type.")
		}
	}
	for key, values := range query {
		if slices.Contains(system, key) || strings.HasPrefix(key, "$") {
			continue
		}
		for _, v := range values {
			if err := setField(in.ProtoReflect(), key, v); err != nil {
				return err
			}
		}
	}
	return setField(in.ProtoReflect(), row.name, name)
}

// maxDepth bounds the nesting of a JSON body.
const maxDepth = 32

// format is how a client wants its answer.
type format struct {
	pretty  bool
	numbers bool // enums as numbers
}

func output(q url.Values) format {
	f := format{pretty: true}
	if p := q.Get("prettyPrint"); p == "false" || p == "0" {
		f.pretty = false
	}
	for _, alt := range append(q["alt"], q["$alt"]...) {
		f.numbers = f.numbers || strings.Contains(alt, "enum-encoding=int")
	}
	return f
}

func (f format) message(m proto.Message) ([]byte, error) {
	if v, ok := m.(*secretmanagerpb.AccessSecretVersionResponse); ok && f.pretty && len(v.Payload.GetData()) > 0 {
		return appendAccess(nil, v), nil
	}
	b, err := protojson.MarshalOptions{UseEnumNumbers: f.numbers}.Marshal(m)
	if err != nil {
		return nil, err
	}
	return f.shaped(b)
}

// appendAccess is what protojson and shaped make of the answer of nearly all requests, in one go.
func appendAccess(b []byte, v *secretmanagerpb.AccessSecretVersionResponse) []byte {
	b = slices.Grow(b, base64.StdEncoding.EncodedLen(len(v.Payload.Data))+len(v.Name)+100)
	b = wire.AppendText(append(b, "{\n  \"name\": "...), v.Name)
	b = append(b, ",\n  \"payload\": {\n    \"data\": \""...)
	b = base64.StdEncoding.AppendEncode(b, v.Payload.Data)
	b = append(b, "\",\n    \"dataCrc32c\": \""...)
	b = strconv.AppendInt(b, v.Payload.GetDataCrc32C(), 10)
	return append(b, "\"\n  }\n}\n"...)
}

// shaped gives JSON the spaces that were asked for; protojson's own are not the same in every build.
func (f format) shaped(b []byte) ([]byte, error) {
	var out bytes.Buffer
	var err error
	if f.pretty {
		err = json.Indent(&out, b, "", "  ")
	} else {
		err = json.Compact(&out, b)
	}
	out.WriteByte('\n')
	return out.Bytes(), err
}

func (f *Front) fail(w http.ResponseWriter, out format, e *fault) {
	s, ok := statuses[e.code]
	if !ok {
		s = statuses[codes.Internal]
	}
	var body struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Status  string `json:"status"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message, body.Error.Status = s.http, e.text, s.name
	b, err := json.Marshal(body)
	if err == nil {
		b, err = out.shaped(b)
	}
	if err != nil {
		b = nil
	}
	if e.code == codes.Unauthenticated {
		w.Header().Set("Www-Authenticate", `Bearer realm="https://accounts.google.com/"`)
	}
	respond(w, s.http, b)
}

// Of headers; nobody changes them.
var jsonType, noStore, noSniff = []string{"application/json; charset=UTF-8"}, []string{"private, no-store"}, []string{"nosniff"}

func respond(w http.ResponseWriter, status int, b []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["X-Content-Type-Options"] = jsonType, noStore, noSniff
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that went away has no use for the error
}
