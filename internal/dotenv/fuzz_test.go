package dotenv_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/dotenv"
)

// FuzzParse holds for any input in every dialect: no panic, the tree is its source, the pieces follow each other, a
// value never appears in an error.
func FuzzParse(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.Input)
	}
	for _, s := range []string{"a=$'\\x41\\u00e4'", "[settings]\na=%(b)s\nb = 1\n  2", "A=${B:-${C}}", "A=\"$(x", "A=\"\\",
		"export A B=2; C=~/x:~", "\ufeffA= # c", "A=`x`", "A='b'\r\nC=\"d\r\ne\"", "A=${A:-", "=\n:\n#", "A=\\\n", "A=\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, d := range dotenv.Dialects() {
			file, _, err := dotenv.ParseLenient(d, []byte(src))
			if err != nil {
				continue
			}
			if file.String() != src {
				t.Fatalf("%s: the tree is not its source", d)
			}
			at := 0
			for _, p := range file.Pieces() {
				if p.Start != at || p.End <= p.Start {
					t.Fatalf("%s: piece %+v does not follow offset %d", d, p, at)
				}
				if p.Kind == dotenv.Binding && (p.ValueStart > p.ValueEnd || p.ValueEnd > len(src)) {
					t.Fatalf("%s: value outside of its source: %+v", d, p)
				}
				at = p.End
			}
			if at != len(src) {
				t.Fatalf("%s: the pieces end at %d of %d", d, at, len(src))
			}
			env := func(name string) (string, bool) { return "${" + name + "}x$B", strings.HasPrefix(name, "B") }
			if _, err := file.Values(dotenv.Reading{Env: env}); err != nil {
				var e *dotenv.SyntaxError
				if !errors.As(err, &e) {
					t.Fatalf("%s: error without a place: %v", d, err)
				}
			}
		}
	})
}
