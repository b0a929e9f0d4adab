// Package dotenv_test holds the .env readers of the Go world against ours. They are in this module so that they never
// enter the dependency graph of the product.
package dotenv_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	composedotenv "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/joho/godotenv"

	"github.com/keephold/keephold/internal/dotenv"
)

var surroundings = map[string]string{"x": "SET", "B": "SET"}

func lookup(name string) (string, bool) { v, ok := surroundings[name]; return v, ok }

type peer struct {
	name    string
	dialect dotenv.Dialect
	read    func(src string) (map[string]string, error)
}

func peers() []peer {
	return []peer{
		{"compose-go", dotenv.Compose, func(src string) (map[string]string, error) {
			return composedotenv.ParseWithLookup(strings.NewReader(src), lookup)
		}},
		{"godotenv", dotenv.Godotenv, func(src string) (m map[string]string, err error) {
			defer func() { // it panics on a comment in place of a value
				if r := recover(); r != nil {
					err = fmt.Errorf("panic: %v", r)
				}
			}()
			return godotenv.Unmarshal(src)
		}},
		{"docker", dotenv.Docker, func(src string) (map[string]string, error) {
			lines, err := kvfile.ParseFromReader(strings.NewReader(src), lookup)
			m := map[string]string{}
			for _, l := range lines {
				k, v, _ := strings.Cut(l, "=")
				m[k] = v
			}
			return m, err
		}},
	}
}

func randomText(r *rand.Rand) string {
	pieces := []string{"a", "B", "7", " ", "  ", "#", " #", "'", "\"", "`", "\\", "$", "$x", "${x}", "${B:-y}", "${u-z}", "${u:+w}", "$$",
		"\r\n", "\t", "=", ":", ";", "%", "é", "日", "\\n", "\\\"", "\\t", "\\0101", "~", "{a}", "}", "(", "export ", "\u00a0"}
	var b strings.Builder
	for range r.IntN(9) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// together are the dialects that quote: what is written for all of them must come back from each.
func together() []dotenv.Dialect {
	return []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Decouple, dotenv.Compose, dotenv.Node, dotenv.NodeExpand, dotenv.Godotenv, dotenv.POSIX}
}

// TestPeersReadWhatWeWrite: for each peer 10,000 random values that it can carry alone, and 10,000 that all quoting ones
// carry at once. internal/dotenv has the same test for the peers that are no Go packages.
func TestPeersReadWhatWeWrite(t *testing.T) {
	values := 10_000
	if testing.Short() {
		values = 500
	}
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for _, dialects := range [][]dotenv.Dialect{{p.dialect}, together()} {
				if p.dialect == dotenv.Docker && len(dialects) > 1 { // it has no quotes, and so nothing in common with them
					continue
				}
				for written := 0; written < values; {
					var vars []dotenv.Variable
					for len(vars) < 20 {
						v := dotenv.Variable{Name: fmt.Sprintf("KEY_%d", len(vars)), Value: randomText(r)}
						if _, err := dotenv.Encode(v.Name, v.Value, dialects...); err == nil {
							vars = append(vars, v)
						}
					}
					written += len(vars)
					readBack(t, &p, vars, dialects)
				}
			}
		})
	}
}

func readBack(t *testing.T, p *peer, vars []dotenv.Variable, dialects []dotenv.Dialect) {
	t.Helper()
	src, err := dotenv.Write(vars, dialects...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.read(src)
	if err != nil {
		t.Fatalf("%v\n%q", err, src)
	}
	for _, v := range vars {
		if got[v.Name] != v.Value {
			t.Fatalf("%s: got %q, want %q\n%q", v.Name, got[v.Name], v.Value, src)
		}
	}
}

// TestPeersReadAsWeDo compares random files: the same values, and a refusal where the peer refuses. The release of
// godotenv differs from its main branch, which the dialect follows, in comments and in names with a dash.
func TestPeersReadAsWeDo(t *testing.T) {
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			readable := 0
			for range 20_000 {
				src := randomFile(r)
				if p.dialect == dotenv.Godotenv && (strings.Count(src, "#") > 0 || strings.Contains(src, `\\`) || strings.Contains(src, "${B")) {
					continue
				}
				want, peerErr := p.read(src)
				got, err := ours(p.dialect, src)
				if (err != nil) != (peerErr != nil) {
					t.Fatalf("we say %v, the peer %v\n%q", err, peerErr, src)
				}
				if err != nil {
					continue
				}
				readable++
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("we read %q\nthe peer %q\n%q", got, want, src)
				}
			}
			if readable < 1_000 {
				t.Errorf("only %d files were readable", readable)
			}
		})
	}
}

func randomFile(r *rand.Rand) string {
	var b strings.Builder
	for i := range 1 + r.IntN(3) {
		quote := []string{"", "", "'", "\""}[r.IntN(4)]
		prefix := []string{"", "", "", "export ", " "}[r.IntN(5)]
		sign := []string{"=", "=", "=", " = ", ": ", ""}[r.IntN(6)]
		fmt.Fprintf(&b, "%sKEY_%d%s%s%s%s\n", prefix, i, sign, quote, randomText(r), quote)
	}
	return b.String()
}

func ours(d dotenv.Dialect, src string) (map[string]string, error) {
	f, err := dotenv.Parse(d, []byte(src))
	if err != nil {
		return nil, err
	}
	env := lookup
	if d == dotenv.Godotenv { // its release looks at the file only
		env = func(string) (string, bool) { return "", false }
	}
	vars, err := f.Values(dotenv.Reading{Env: env})
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, v := range vars {
		out[v.Name] = v.Value
	}
	return out, nil
}
