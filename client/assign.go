package client

import (
	"encoding"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/settings"
)

// isText says whether a type takes an empty text as it is.
func isText(t reflect.Type) bool {
	return t.Kind() == reflect.String || t == reflect.TypeFor[Value]() || t == reflect.TypeFor[[]byte]()
}

// assign reads text as a type has it. Its errors hold no value.
func assign(to reflect.Value, text string) error {
	if to.Kind() == reflect.Pointer {
		made := reflect.New(to.Type().Elem())
		if err := assign(made.Elem(), text); err != nil {
			return err
		}
		to.Set(made)
		return nil
	}
	switch p := to.Addr().Interface().(type) {
	case *Value:
		*p = Value{[]byte(text)}
		return nil
	case *[]byte:
		*p = []byte(text)
		return nil
	case *time.Duration:
		return assignDuration(p, text)
	case *url.URL:
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" {
			return errors.New("not a URL") // the parser's error would show the value
		}
		*p = *u
		return nil
	case *netip.Addr:
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return errors.New("not an IP address")
		}
		*p = ip
		return nil
	case encoding.TextUnmarshaler:
		if p.UnmarshalText([]byte(text)) != nil {
			return errors.New("its type does not take the value")
		}
		return nil
	}
	return assignKind(to, text)
}

func assignKind(to reflect.Value, text string) error {
	number := strings.TrimSpace(text)
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
	case reflect.Bool:
		b, err := settings.ParseBool(number, settings.AnyWords)
		if err != nil {
			return err
		}
		to.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(number, 10, to.Type().Bits())
		if err != nil {
			return errors.New("not a whole number that fits " + to.Kind().String())
		}
		to.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(number, 10, to.Type().Bits())
		if err != nil {
			return errors.New("not a whole number from 0 that fits " + to.Kind().String())
		}
		to.SetUint(n)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(number, to.Type().Bits())
		if err != nil {
			return errors.New("not a number")
		}
		to.SetFloat(f)
	case reflect.Slice:
		return assignList(to, text)
	case reflect.Map, reflect.Struct, reflect.Interface, reflect.Array:
		made := reflect.New(to.Type())
		if json.Unmarshal([]byte(text), made.Interface()) != nil {
			return errors.New("not JSON of the wanted shape")
		}
		to.Set(made.Elem())
	default:
		return errors.New("a field of type " + to.Type().String() + " cannot be bound")
	}
	return nil
}

// assignDuration takes Go's form, and a number for seconds.
func assignDuration(p *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) { // NaN is not less
			return errors.New("not a duration such as 15m, and no number of seconds")
		}
		d = time.Duration(seconds * float64(time.Second))
	}
	*p = d
	return nil
}

// assignList takes a JSON list, or items with commas between.
func assignList(to reflect.Value, text string) error {
	var items []string
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "[") {
		var raw []json.RawMessage
		if json.Unmarshal([]byte(trimmed), &raw) != nil {
			return errors.New("not a JSON list")
		}
		for _, r := range raw {
			var s string
			if json.Unmarshal(r, &s) != nil {
				s = string(r)
			}
			items = append(items, s)
		}
	} else {
		for item := range strings.SplitSeq(trimmed, ",") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	made := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		if err := assign(made.Index(i), item); err != nil {
			return err
		}
	}
	to.Set(made)
	return nil
}
