package redact

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/leak"
)

var update = flag.Bool("update", false, "write the tables of the integrations")

// tables is what the packages for other languages mask by.
type tables struct {
	Contains []string      `json:"contains"`
	Ends     []string      `json:"ends"`
	Schemes  []string      `json:"schemes"`
	Literals []string      `json:"literals"`
	Tokens   []tokenFormat `json:"tokens"`
}

type tokenFormat struct {
	ID      string `json:"id"`
	Pattern string `json:"pattern"`
	Fold    bool   `json:"fold"`
}

// expressionOf turns a pattern of package leak into an expression that Python and JavaScript read alike.
func expressionOf(pattern string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			switch {
			case pattern[i] == 'h' && class:
				b.WriteString("0-9a-fA-F")
			case pattern[i] == 'h':
				b.WriteString("[0-9a-fA-F]")
			default:
				b.WriteString(`\` + string(pattern[i]))
			}
		case class && c == '[':
			b.WriteString(`\[`)
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == ']' && class:
			class = false
			b.WriteByte(c)
		case c == '(' && !class:
			b.WriteString("(?:")
			if i+1 < len(pattern) && pattern[i+1] == '<' {
				i++
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func currentTables(t *testing.T) tables {
	t.Helper()
	n := newNames(nil)
	out := tables{Contains: n.contains, Ends: n.ends, Schemes: schemes, Literals: literals[:len(literals)-1]}
	for _, r := range leak.Rules() {
		if r.Pattern == "" || r.Identifier || r.Confidence < leak.High || r.Near != "" || strings.HasSuffix(r.ID, "private-key") { // the packages know key blocks by their first and last line
			continue
		}
		out.Tokens = append(out.Tokens, tokenFormat{r.ID, expressionOf(r.Pattern), r.Fold})
	}
	return out
}

// TestTables keeps the generated tables of the packages for Python and JavaScript as the rules here are.
func TestTables(t *testing.T) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(currentTables(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"python/keephold_redact/tables.json", "javascript/tables.json"} {
		file := filepath.Join("..", "integrations", filepath.FromSlash(name))
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, b.Bytes()) {
			t.Errorf("%s is not as the rules are: go test ./redact -run TestTables -update", name)
		}
	}
}
