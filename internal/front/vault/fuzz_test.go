package vault

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func FuzzWrapTTL(f *testing.F) {
	for _, s := range []string{"", "60", "60s", "5m", "7d", "-1", "9223372036854775807", "1e9", "36501d", "1h1h", "∞"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := wrapTTL(s); err == nil && d < 0 {
			t.Errorf("%q: got %s", s, d)
		}
	})
}

func FuzzRouteMatch(f *testing.F) {
	for _, r := range systemRoutes() {
		f.Add(r.pattern, strings.NewReplacer("{", "", "}", "", "...", "").Replace(r.pattern))
	}
	f.Add("mounts/{path...}/tune", "mounts/a/tune/tune")
	f.Add("mounts/{path...}/tune", "mounts/tune")
	f.Add("a/{x}", "a/")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if !known(pattern) {
			return
		}
		args, ok := route{pattern: pattern}.match(path)
		if !ok {
			return
		}
		// What matched, put back into the pattern, is the path.
		back := pattern
		for name, value := range args {
			back = strings.NewReplacer("{"+name+"...}", value, "{"+name+"}", value).Replace(back)
		}
		if strings.TrimSuffix(back, "/") != strings.TrimSuffix(path, "/") {
			t.Errorf("%s matched %q as %v, which makes %q", pattern, path, args, back)
		}
	})
}

// known keeps the fuzzer to patterns of the tables, and their like.
func known(pattern string) bool {
	for _, r := range slices.Concat(systemRoutes(), identityRoutes()) {
		if r.pattern == pattern {
			return true
		}
	}
	return pattern == "a/{x}"
}

func FuzzFields(f *testing.F) {
	for _, s := range []string{
		`{"x":1}`, `{"x":"1h"}`, `{"x":[1,"2"]}`, `{"x":"a,b"}`, `{"x":{"a":"b"}}`, `{"x":null}`, `{"x":true}`, `{"x":1e400}`, `{"x":-0}`, `{"x":"\u0000"}`, `{"x":[[]]}`, `{"versions":[1,"2","3,4"]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var o fields
		if json.Unmarshal(b, &o.raw) != nil {
			return
		}
		for name := range o.raw {
			_, _ = o.flag(name)
			_, _ = o.list(name)
			_, _ = o.pairs(name)
			_, _ = o.object(name)
			_, _ = o.duration(name)
			if n, err := o.decimal(name); err == nil && (math.IsNaN(n) || math.IsInf(n, 0)) {
				t.Errorf("%s: decimal %v", b, n)
			}
			var ttl time.Duration
			if err := o.ttl(name, &ttl); err == nil && ttl < 0 {
				t.Errorf("%s: ttl %s", b, ttl)
			}
		}
		rq := &request{fields: o}
		if raw, ok := o.raw["versions"]; ok && len(raw) < 1000 {
			if ns, err := numbers(rq.fields); err == nil && (len(ns) == 0 || !slices.IsSorted(ns)) {
				t.Errorf("%s: versions %v", b, ns)
			}
		}
	})
}

// FuzzMergePatch: RFC 7396, section 2; a patch applied twice changes nothing more.
func FuzzMergePatch(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":2}}`), []byte(`{"a":null,"b":{"d":[1]}}`))
	f.Add([]byte(`{}`), []byte(`{"a":{"b":null}}`))
	f.Add([]byte(`{"a":[1]}`), []byte(`{"a":{"b":1}}`))
	f.Add([]byte(`1`), []byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, old, change []byte) {
		once, err := mergePatch(old, change)
		if err != nil {
			return
		}
		twice, err := mergePatch(once, change)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s and %s: once %s, twice %s (%v)", old, change, once, twice, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":1.50,"a":"<&>","c":[{}]}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		once, err := canonical(b)
		if err != nil {
			return
		}
		if twice, err := canonical(once); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s: once %s, twice %s (%v)", b, once, twice, err)
		}
	})
}

func FuzzOperation(f *testing.F) {
	f.Add("GET", "list=true")
	f.Add("LIST", "")
	f.Add("GET", "scan=1&list=%zz")
	f.Fuzz(func(t *testing.T, method, query string) {
		if strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }) || method == "" {
			return
		}
		r := httptest.NewRequest(method, "/v1/x", nil)
		r.URL.RawQuery = query
		o, err := operation(r)
		if err == nil && (o == 0 || o&(o-1) != 0) {
			t.Errorf("%s ?%s: got %b, want one operation", method, query, o)
		}
	})
}
