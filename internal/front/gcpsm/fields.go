package gcpsm

import (
	"encoding/base64"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// setField sets the member that a query parameter names, by its proto or its JSON name, with a dot for each level
// (google.api.http, "any fields in the request message which are not bound by the path").
func setField(m protoreflect.Message, path, value string) error {
	head, rest, below := strings.Cut(path, ".")
	fd := m.Descriptor().Fields().ByTextName(head)
	if fd == nil {
		fd = m.Descriptor().Fields().ByJSONName(head)
	}
	switch {
	case fd == nil || fd.IsMap() || fd.IsList():
		return bad("Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", clip(path))
	case below && fd.Message() != nil:
		return setField(m.Mutable(fd).Message(), rest, value)
	case below:
		return bad("Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", clip(path))
	case fd.Message() != nil:
		return setMessage(m, fd, path, value)
	}
	v, ok := scalar(fd, value)
	if !ok {
		return bad("Invalid value at %q: %q.", clip(path), clip(value))
	}
	m.Set(fd, v)
	return nil
}

// setMessage reads those messages that have a form as text: a field mask, a time, a duration.
func setMessage(m protoreflect.Message, fd protoreflect.FieldDescriptor, path, value string) error {
	to := m.NewField(fd)
	switch fd.Message().FullName() {
	case "google.protobuf.FieldMask":
		paths := to.Message().Mutable(fd.Message().Fields().ByName("paths")).List()
		for p := range strings.SplitSeq(value, ",") {
			if p = strings.TrimSpace(p); p != "" {
				paths.Append(protoreflect.ValueOfString(snake(p)))
			}
		}
	case "google.protobuf.Timestamp", "google.protobuf.Duration":
		if protojson.Unmarshal([]byte(strconv.Quote(value)), to.Message().Interface()) != nil {
			return bad("Invalid value at %q: %q.", clip(path), clip(value))
		}
	default:
		return bad("Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", clip(path))
	}
	m.Set(fd, to)
	return nil
}

func scalar(fd protoreflect.FieldDescriptor, s string) (protoreflect.Value, bool) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.ToValidUTF8(s, "?")), true
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(s)
		return protoreflect.ValueOfBool(b), err == nil
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(s, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err == nil
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(s, 10, 64)
		return protoreflect.ValueOfInt64(n), err == nil
	case protoreflect.BytesKind:
		b, err := base64.StdEncoding.DecodeString(s)
		return protoreflect.ValueOfBytes(b), err == nil
	case protoreflect.EnumKind:
		if v := fd.Enum().Values().ByName(protoreflect.Name(s)); v != nil {
			return protoreflect.ValueOfEnum(v.Number()), true
		}
		n, err := strconv.ParseInt(s, 10, 32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), err == nil
	}
	return protoreflect.Value{}, false
}
