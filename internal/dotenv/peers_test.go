package dotenv_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/dotenv"
)

// peer is a real parser on this machine. KEEPHOLD_PEER_PYTHON names a python that has the packages, NODE_PATH the folder
// of the node modules; the Go peers are in the conformance module.
type peer struct {
	name     string
	dialect  dotenv.Dialect
	probe    []string // succeeds if the peer is there
	read     []string // prints the values of the file, its last argument, as a JSON object
	nulEnded bool     // prints NAME=value pairs ended by NUL instead
}

func peers() []peer {
	python := os.Getenv("KEEPHOLD_PEER_PYTHON")
	if python == "" {
		python = "python3"
	}
	const jsonOf = "import sys, json; json.dump(%s, sys.stdout)"
	return []peer{
		{name: "python-dotenv", dialect: dotenv.PythonDotenv, probe: []string{python, "-c", "import dotenv"},
			read: []string{python, "-c", "import dotenv\n" + fmt.Sprintf(jsonOf, "dotenv.dotenv_values(sys.argv[1])")}},
		{name: "decouple", dialect: dotenv.Decouple, probe: []string{python, "-c", "import decouple"},
			read: []string{python, "-c", "import decouple\n" + fmt.Sprintf(jsonOf, "decouple.RepositoryEnv(sys.argv[1]).data")}},
		{name: "decouple ini", dialect: dotenv.DecoupleINI, probe: []string{python, "-c", "import decouple"},
			read: []string{python, "-c", "import decouple\n" + fmt.Sprintf(jsonOf,
				"{k.upper(): v for k, v in decouple.RepositoryIni(sys.argv[1]).parser.items('settings')}")}},
		{name: "node dotenv", dialect: dotenv.Node, probe: []string{"node", "-e", "require('dotenv')"},
			read: []string{"node", "-e", "process.stdout.write(JSON.stringify(require('dotenv').parse(require('fs').readFileSync(process.argv[1]))))"}},
		{name: "node dotenv-expand", dialect: dotenv.NodeExpand, probe: []string{"node", "-e", "require('dotenv-expand')"},
			read: []string{"node", "-e", "process.stdout.write(JSON.stringify(require('dotenv-expand').expand({" +
				"processEnv: {x: 'SET', B: 'SET'}, parsed: require('dotenv').parse(require('fs').readFileSync(process.argv[1]))}).parsed))"}},
		{name: "bash", dialect: dotenv.POSIX, probe: []string{"bash", "-c", ":"}, nulEnded: true,
			read: []string{"bash", "-c", `set -a; . "$1"; exec env -0`, "bash"}},
	}
}

func (p *peer) values(t *testing.T, src string) map[string]*string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "settings.env")
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.read[0], append(p.read[1:len(p.read):len(p.read)], file)...)
	cmd.Env = append(os.Environ(), "x=SET", "B=SET", "HOME=/home/x", "PYTHONIOENCODING=utf-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", p.name, err, stderr.String())
	}
	got := map[string]*string{}
	if !p.nulEnded {
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	for pair := range strings.SplitSeq(string(out), "\x00") {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "KEY_") {
			got[name] = &value
		}
	}
	return got
}

// TestPeersReadWhatWeWrite: for each peer 10,000 random values that its dialect can carry, and 10,000 that all dialects that
// can be tried here carry at once, come back unchanged from the real parser. A file holds as many of them as the peer
// reads in good time, so that it is started a few times only; the short run has fewer values.
func TestPeersReadWhatWeWrite(t *testing.T) {
	values := 10_000
	if testing.Short() {
		values = 500
	}
	shared := writable(rand.New(rand.NewPCG(7, 8)), values, together()) // the same for all peers: that they agree is the point
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			if exec.Command(p.probe[0], p.probe[1:]...).Run() != nil {
				t.Skipf("%s is not on this machine", p.name)
			}
			roundTrip(t, &p, writable(rand.New(rand.NewPCG(3, 4)), values, []dotenv.Dialect{p.dialect}))
			if p.dialect != dotenv.DecoupleINI {
				roundTrip(t, &p, shared)
			}
		})
	}
}

// written is one line of a file, and what every reader must see in it.
type written struct {
	line string
	dotenv.Variable
}

func roundTrip(t *testing.T, p *peer, all []written) {
	t.Helper()
	inFile := 2_500
	if p.dialect == dotenv.NodeExpand { // its time grows with the square of the number
		inFile = 500
	}
	for part := range slices.Chunk(all, inFile) {
		src := ""
		if p.dialect == dotenv.DecoupleINI {
			src = "[settings]\n"
		}
		for _, w := range part {
			src += w.line
		}
		got := p.values(t, src)
		for _, w := range part {
			if g := got[w.Name]; g == nil || *g != w.Value {
				t.Errorf("%s: got %v, want %q", w.Name, show(g), w.Value)
			}
		}
	}
}

func together() []dotenv.Dialect {
	return []dotenv.Dialect{dotenv.PythonDotenv, dotenv.Decouple, dotenv.Compose, dotenv.Node, dotenv.NodeExpand, dotenv.Godotenv,
		dotenv.POSIX}
}

// writable makes n lines with random values, without those that Encode refuses.
func writable(r *rand.Rand, n int, dialects []dotenv.Dialect) (out []written) {
	for len(out) < n {
		v := dotenv.Variable{Name: fmt.Sprintf("KEY_%d", len(out)), Value: randomValue(r)}
		if form, err := dotenv.Encode(v.Name, v.Value, dialects...); err == nil {
			out = append(out, written{v.Name + "=" + form + "\n", v})
		}
	}
	return out
}

func show(s *string) string {
	if s == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", *s)
}

// TestPeersReadAsWeDo: on files made of what parsers stumble over, our reading is the peer's. Files that a reader
// rejects as a whole are left out, and so are commands, which must not run.
func TestPeersReadAsWeDo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts other programs")
	}
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			if p.dialect == dotenv.PythonDotenv { // older ones differ in escapes and in a comment after the equal sign
				p.probe[2] = "import dotenv; from importlib.metadata import version as v\n" +
					"assert tuple(map(int, v('python-dotenv').split('.'))) >= (1, 2, 4)"
			}
			if exec.Command(p.probe[0], p.probe[1:]...).Run() != nil {
				t.Skipf("%s is not on this machine, or too old", p.name)
			}
			r := rand.New(rand.NewPCG(5, 6))
			tried := 0
			for range 60 {
				src, want := oddFile(r, p.dialect)
				if len(want) == 0 {
					continue
				}
				tried++
				got := p.values(t, src)
				for name, w := range want {
					if g, ok := got[name]; !ok || show(g) != show(w) {
						t.Fatalf("%s: we read %s, the peer %s\n%q", name, show(w), show(g), src)
					}
				}
			}
			if tried < 10 {
				t.Errorf("only %d files were readable", tried)
			}
		})
	}
}

// oddFile makes a file of random lines and keeps the lines that do not make the whole unreadable.
func oddFile(r *rand.Rand, d dotenv.Dialect) (string, map[string]*string) {
	src := ""
	if d == dotenv.DecoupleINI {
		src = "[settings]\n"
	}
	var want map[string]*string
	for i := range 12 {
		quote := []string{"", "", "'", "\"", "`"}[r.IntN(5)]
		prefix := []string{"", "", "", "export ", " ", "# "}[r.IntN(6)]
		line := fmt.Sprintf("%sKEY_%d=%s%s%s%s\n", prefix, i, quote, randomValue(r), quote, []string{"", " # c", " "}[r.IntN(3)])
		if strings.Contains(line, "$$") || !utf8.ValidString(line) { // the number of the process
			continue
		}
		if vars := valuesOf(d, src+line); vars != nil {
			src, want = src+line, vars
		}
	}
	return src, want
}

func valuesOf(d dotenv.Dialect, src string) map[string]*string {
	f, _, err := dotenv.ParseLenient(d, []byte(src))
	if err != nil {
		return nil
	}
	env := map[string]string{"x": "SET", "B": "SET", "HOME": "/home/x"}
	vars, err := f.Values(dotenv.Reading{Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }})
	if err != nil {
		return nil
	}
	out := map[string]*string{}
	for _, v := range vars {
		if !strings.HasPrefix(v.Name, "KEY_") {
			continue
		}
		out[v.Name] = &v.Value
		if v.Null {
			out[v.Name] = nil
		}
	}
	return out
}
