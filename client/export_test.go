package client

import "time"

// ValuesOf makes Values without a server.
func ValuesOf(values map[string]string) *Values {
	v := &Values{values: map[string]Value{}, versions: map[string]uint64{}, now: time.Now}
	for name, text := range values {
		v.values[name] = Value{[]byte(text)}
	}
	return v
}
