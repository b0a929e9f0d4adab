package wire_test

import (
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/wire"
)

func TestObject(t *testing.T) {
	for _, c := range []struct{ in, fault string }{
		{``, ``}, {` `, ``}, {`{"a":1,"b":{"a":[1,{"x":null}]}}`, ``},
		{`{"a":1,"a":2}`, `stands twice`}, {`{"o":{"a":1,"a":2}}`, `stands twice`}, {`{"a\u0000":1}`, `holds a NUL`},
		{`[1]`, `must be a JSON object`}, {`null`, `must be a JSON object`}, {`{}{}`, `follows`}, {`{`, `well-formed`}, {`{"a":}`, `well-formed`},
		{strings.Repeat(`{"a":`, 9) + `1` + strings.Repeat(`}`, 9), `too deeply`}, {"{\"\xff\":1}", `UTF-8`},
	} {
		_, err := wire.Object([]byte(c.in), 8)
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%s: got %v", c.in, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: got %v, want %q", c.in, err, c.fault)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := wire.Object(b, 16); err == nil && len(b) > 0 && m == nil && len(strings.TrimSpace(string(b))) > 0 {
			t.Errorf("%q: neither an object nor an error", b)
		}
	})
}
