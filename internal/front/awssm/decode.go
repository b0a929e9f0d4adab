package awssm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
)

// into fills the fields of a struct from the members of the same name: exactly that name, which encoding/json alone would
// not insist on. Unknown members are ignored, as the vendor does.
func (rq *request) into(dst any) error {
	v := reflect.ValueOf(dst).Elem()
	for i := range v.NumField() {
		raw, ok := rq.members[v.Type().Field(i).Name]
		if !ok {
			continue
		}
		to := v.Field(i).Addr().Interface()
		if text, ok := to.(*string); ok && plain(raw) {
			*text = string(raw[1 : len(raw)-1])
			continue
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return &apiError{"SerializationException", "", http.StatusBadRequest}
		}
	}
	return nil
}

// plain says that JSON is a string in which every byte stands for itself, as nearly all are.
func plain(raw json.RawMessage) bool { return raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 }
