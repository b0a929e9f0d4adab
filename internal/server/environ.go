package server

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

const environPrefix = "KEEPHOLD_SERVER_"

// override sets keys from the environment: KEEPHOLD_SERVER_STORAGE_PATH is [storage] path. A variable with the prefix
// that names no key is an error, like an unknown key in the file.
func override(f *File, environ []string) error {
	known := map[string]reflect.Value{}
	collect(reflect.ValueOf(f).Elem(), "", known)
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		key, ok := strings.CutPrefix(name, environPrefix)
		if !ok {
			continue
		}
		field, ok := known[key]
		if !ok {
			return fmt.Errorf("%s: no such key of the configuration%s", name, didYouMean(strings.ToLower(key)))
		}
		if err := assign(field, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// collect finds the keys that hold one value; lists of tables have no variable.
func collect(v reflect.Value, prefix string, known map[string]reflect.Value) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("toml")
		name := prefix + strings.ToUpper(tag)
		field := v.Field(i)
		if _, text := field.Addr().Interface().(encoding.TextUnmarshaler); text {
			known[name] = field
			continue
		}
		switch field.Kind() {
		case reflect.Struct:
			collect(field, name+"_", known)
		case reflect.String, reflect.Bool, reflect.Int:
			known[name] = field
		}
	}
}

func assign(field reflect.Value, value string) error {
	if t, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(value))
	}
	switch field.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		field.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is no number", value)
		}
		field.SetInt(int64(n))
	default:
		field.SetString(value)
	}
	return nil
}

// didYouMean names the known key that is nearest to a wrong one.
func didYouMean(wrong string) string {
	known := map[string]bool{}
	names(reflect.TypeFor[File](), "", known)
	last := wrong[strings.LastIndexAny(wrong, ".")+1:]
	best, distance := "", 4
	for k := range known {
		d := min(edits(wrong, k), edits(last, k[strings.LastIndexByte(k, '.')+1:]))
		if d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

func names(t reflect.Type, prefix string, known map[string]bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := prefix + f.Tag.Get("toml")
		known[name] = true
		ft := f.Type
		if ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			names(ft, name+".", known)
		}
	}
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
