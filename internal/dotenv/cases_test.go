package dotenv_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/keephold/keephold/internal/dotenv"
)

// peerCase is one row of testdata/dotenv-cases.jsonl; testdata/README.md says where the rows come from.
type peerCase struct {
	Peer        string
	Name        string
	Input       string
	Expected    map[string]*string
	Error       bool
	Env         map[string]string
	Format      string
	Interpolate *bool
	ParseErrors int      `json:"parse_errors"`
	Asserted    []string `json:"asserted_keys"`
}

func readCases(t testing.TB) []peerCase {
	t.Helper()
	f, err := os.Open("testdata/dotenv-cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []peerCase
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c peerCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if lines.Err() != nil || len(out) != 362 {
		t.Fatalf("got %d rows (%v), want 362", len(out), lines.Err())
	}
	return out
}

func (c *peerCase) dialect() dotenv.Dialect {
	d := map[string]dotenv.Dialect{
		"python-dotenv": dotenv.PythonDotenv, "python-decouple": dotenv.Decouple, "motdotla": dotenv.Node,
		"motdotla+expand": dotenv.NodeExpand, "godotenv": dotenv.Godotenv, "compose-go": dotenv.Compose,
	}[c.Peer]
	if c.Format == "ini" {
		return dotenv.DecoupleINI
	}
	return d
}

func (c *peerCase) reading() dotenv.Reading {
	return dotenv.Reading{
		Env:     func(name string) (string, bool) { v, ok := c.Env[name]; return v, ok },
		Literal: c.Interpolate != nil && !*c.Interpolate,
	}
}

// TestPeerCases runs every row in the dialect of its peer.
func TestPeerCases(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(c.Peer+"/"+c.Name, func(t *testing.T) {
			f, rejected, err := dotenv.ParseLenient(c.dialect(), []byte(c.Input))
			if _, strict := dotenv.Parse(c.dialect(), []byte(c.Input)); (strict != nil) != (len(rejected) > 0) {
				t.Errorf("strict parse gives %v, lenient %d errors", strict, len(rejected))
			}
			var vars []dotenv.Variable
			if err == nil {
				if f.String() != c.Input {
					t.Errorf("the tree is not its source")
				}
				vars, err = f.Values(c.reading())
			}
			if c.Error {
				if err == nil {
					t.Fatalf("got %v, want an error", vars)
				}
				return
			}
			if c.Name == "expand/evaluates command substitutions" {
				wantCommandRefused(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(rejected) != c.ParseErrors {
				t.Errorf("got %d rejected lines, want %d", len(rejected), c.ParseErrors)
			}
			compare(t, vars, c)
		})
	}
}

// compare checks every name that the row states; where the row states all of them, there may be no other.
func compare(t *testing.T, vars []dotenv.Variable, c peerCase) {
	t.Helper()
	got := map[string]*string{}
	for _, v := range vars {
		got[v.Name] = &v.Value
		if v.Null {
			got[v.Name] = nil
		}
	}
	for name, want := range c.Expected {
		v, ok := got[name]
		switch {
		case !ok:
			t.Errorf("%s is missing", name)
		case (v == nil) != (want == nil):
			t.Errorf("%s: got null %v, want null %v", name, v == nil, want == nil)
		case v != nil && *v != *want:
			t.Errorf("%s: got %q, want %q", name, *v, *want)
		}
	}
	if c.Format == "ini" { // this row names three of the options of its file
		return
	}
	for name := range got {
		if _, ok := c.Expected[name]; !ok {
			t.Errorf("%s is too much", name)
		}
	}
}

func wantCommandRefused(t *testing.T, err error) {
	t.Helper()
	var e *dotenv.SyntaxError
	ok := errors.As(err, &e)
	if !ok || e.Code != dotenv.CodeCommand {
		t.Errorf("got %v, want the command refused", err)
	}
}
