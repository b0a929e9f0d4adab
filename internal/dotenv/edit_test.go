package dotenv_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/dotenv"
)

func TestSetKeepsTheRest(t *testing.T) {
	for _, c := range []struct {
		name, src, key, value, want string
		dialect                     dotenv.Dialect
	}{
		{"bare, comment stays", "# top\nA=1 # one\nB=2\n", "A", "9", "# top\nA=9 # one\nB=2\n", dotenv.PythonDotenv},
		{"quotes stay", "A=\"x\"\nB='y'\n", "A", "z", "A=\"z\"\nB='y'\n", dotenv.PythonDotenv},
		{"quotes change if they must", "A=x # c\n", "A", "a b", "A='a b' # c\n", dotenv.PythonDotenv},
		{"byte order mark and crlf", "\ufeffA=1\r\nB=2\r\n", "B", "3", "\ufeffA=1\r\nB=3\r\n", dotenv.PythonDotenv},
		{"append in the newline style", "A=1\r\n", "B", "2", "A=1\r\nB=2\r\n", dotenv.Node},
		{"append without a last newline", "A=1", "B", "2", "A=1\nB=2\n", dotenv.PythonDotenv},
		{"an empty file", "", "B", "2", "B=2\n", dotenv.PythonDotenv},
		{"spaces round the sign stay", "  export A = 1\n", "A", "2", "  export A = 2\n", dotenv.PythonDotenv},
		{"the last one decides", "A=1\nA=2\n", "A", "3", "A=1\nA=3\n", dotenv.PythonDotenv},
		{"no value yet", "A\nB=1\n", "A", "2", "A=2\nB=1\n", dotenv.PythonDotenv},
		{"empty before a comment", "A= # c\n", "A", "2", "A=2 # c\n", dotenv.PythonDotenv},
		{"multi-line", "A=\"x\ny\" # c\nB=1\n", "A", "z", "A=\"z\" # c\nB=1\n", dotenv.Node},
		{"decouple's comment is the value", "A=b # c\n", "A", "d", "A=d\n", dotenv.Decouple},
		{"ini", "[other]\nA=1\n[settings]\n; c\nDebug = on\n\n[more]\nX=1\n", "debug", "50%",
			"[other]\nA=1\n[settings]\n; c\nDebug = 50%%\n\n[more]\nX=1\n", dotenv.DecoupleINI},
		{"ini, new", "[settings]\nA=1\n\n[more]\nX=1\n", "B", "2", "[settings]\nA=1\nB=2\n\n[more]\nX=1\n", dotenv.DecoupleINI},
		{"posix, two on a line", "A=1 B=2\n", "A", "a b", "A='a b' B=2\n", dotenv.POSIX},
		{"docker takes it raw", "A=1\n", "A", "a b'c", "A=a b'c\n", dotenv.Docker},
		{"dollar in compose", "A=\"1\"\n", "A", "a$b", "A=\"a\\$b\"\n", dotenv.Compose},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := dotenv.Parse(c.dialect, []byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Set(c.key, c.value); err != nil {
				t.Fatal(err)
			}
			if f.String() != c.want {
				t.Errorf("got %q, want %q", f.String(), c.want)
			}
		})
	}
}

func TestUnset(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"first line", "A=1 # c\nB=2\n", "B=2\n"},
		{"last line", "B=2\nA=1", "B=2\n"},
		{"every one", "A=1\nB=2\nA='x\ny'\n# end\n", "B=2\n# end\n"},
		{"not there", "B=2\n", "B=2\n"},
		{"crlf", "\ufeffA=1\r\nB=2\r\n", "\ufeffB=2\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := dotenv.Parse(dotenv.PythonDotenv, []byte(c.src))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Unset("A"); err != nil {
				t.Fatal(err)
			}
			if f.String() != c.want {
				t.Errorf("got %q, want %q", f.String(), c.want)
			}
		})
	}
}

func TestEncodeForms(t *testing.T) {
	all := []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Decouple, dotenv.Compose, dotenv.Docker, dotenv.Node,
		dotenv.NodeExpand, dotenv.Godotenv, dotenv.SOPS, dotenv.POSIX}
	quoting := []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Decouple, dotenv.Compose, dotenv.Node, dotenv.NodeExpand,
		dotenv.Godotenv, dotenv.POSIX}
	for _, c := range []struct {
		name, value, want string
		dialects          []dotenv.Dialect
	}{
		{"bare", "postgres://u:p@h/db", "postgres://u:p@h/db", all},
		{"empty", "", "", all},
		{"hash", "pa#ss", "'pa#ss'", quoting},
		{"space", " a b ", "' a b '", quoting},
		{"newline", "a\nb", `"a\nb"`, []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Compose, dotenv.Node, dotenv.Godotenv}},
		{"single quote", "it's", `"it's"`, quoting},
		{"dollar", "a$b", `'a$b'`, []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Compose, dotenv.Godotenv, dotenv.POSIX}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := dotenv.Encode("K", c.value, c.dialects...)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	for _, c := range []struct {
		name, value string
		disagree    dotenv.Dialect
		dialects    []dotenv.Dialect
	}{
		{"docker has no quotes for a newline", "a\nb", dotenv.Docker, []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Docker}},
		{"python-dotenv expands everywhere", "${X}", dotenv.PythonDotenv, []dotenv.Dialect{dotenv.PythonDotenv}},
		{"decouple reads lines", "a\nb", dotenv.Decouple, []dotenv.Dialect{dotenv.Decouple, dotenv.Compose}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := dotenv.Encode("K", c.value, c.dialects...)
			var refused *dotenv.RefusedError
			if !errors.As(err, &refused) || len(refused.Disagree) != 1 || refused.Disagree[0] != c.disagree {
				t.Errorf("got %q, %v; want a refusal that names %s", got, err, c.disagree)
			}
			if err != nil && strings.Contains(err.Error(), c.value) {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
	if _, err := dotenv.Encode("K", "a\x00b", dotenv.PythonDotenv); err == nil {
		t.Error("a NUL was written")
	}
}

// randomValue mixes what parsers stumble over.
func randomValue(r *rand.Rand) string {
	pieces := []string{"a", "B", "7", " ", "  ", "#", " #", "'", "\"", "`", "\\", "$", "$x", "${x}", "${x:-y}", "$$", "\n", "\r\n",
		"\t", "=", ":", ";", "&", "%", "%%", "%(a)s", "é", "日", "\\n", "\\\"", "~", "!", "*", "{a,b}", "(", ")", "<", "[", "export "}
	var b strings.Builder
	for range r.IntN(9) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// TestWriteReadsBack: whatever Encode agrees to write, every chosen reader gives back, in the midst of other lines.
func TestWriteReadsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	all := dotenv.Dialects()
	rounds := 1_200
	if testing.Short() {
		rounds = 200
	}
	written := 0
	for range rounds {
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		chosen := all[:1+r.IntN(3)]
		vars := []dotenv.Variable{}
		for _, name := range []string{"A", "B_2", "C"} {
			v := dotenv.Variable{Name: name, Value: randomValue(r)}
			if _, err := dotenv.Encode(v.Name, v.Value, chosen...); err == nil {
				vars = append(vars, v)
			}
		}
		src, err := dotenv.Write(vars, chosen...)
		if err != nil {
			t.Fatal(err)
		}
		written += len(vars)
		for _, d := range chosen {
			if src[:min(1, len(src))] == "[" && d != dotenv.DecoupleINI {
				continue
			}
			f, err := dotenv.Parse(d, []byte(src))
			if err != nil {
				t.Fatalf("%s: %v\n%q", d, err, src)
			}
			got, err := f.Values(dotenv.Reading{Env: func(n string) (string, bool) { return "E", len(n) > 3 }})
			if err != nil || len(got) != len(vars) {
				t.Fatalf("%s: got %d of %d, %v\n%q", d, len(got), len(vars), err, src)
			}
			for i := range vars {
				if got[i].Value != vars[i].Value {
					t.Fatalf("%s: got %q, want %q\n%q", d, got[i].Value, vars[i].Value, src)
				}
			}
		}
	}
	if written < rounds {
		t.Errorf("only %d values were written: the writer refuses too much", written)
	}
}
