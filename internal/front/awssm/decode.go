package awssm

import (
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
		if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
			return &apiError{"SerializationException", "", http.StatusBadRequest}
		}
	}
	return nil
}
