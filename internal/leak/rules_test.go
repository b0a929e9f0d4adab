package leak

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// draw expands {kind:n} in an example, so that no text in this repository looks like a secret by itself.
func draw(r *rand.Rand, s string) string {
	alphabets := map[string]string{
		"alnum": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		"hex":   "0123456789abcdef",
		"mixed": "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789",
	}
	for {
		i := strings.Index(s, "{")
		if i < 0 {
			return s
		}
		j := i + strings.Index(s[i:], "}")
		kind, count, ok := strings.Cut(s[i+1:max(j, i+1)], ":")
		if !ok || alphabets[kind] == "" {
			head, tail := s[:i+1], s[i+1:]
			return head + draw(r, tail)
		}
		var n int
		fmt.Sscan(count, &n)
		s = s[:i] + letters(r, alphabets[kind], n) + s[j+1:]
	}
}

func letters(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// generate draws a text that the program matches.
func (p *program) generate(r *rand.Rand) string {
	var b []byte
	for pc := 0; ; {
		switch c := p.code[pc]; c.op {
		case opDone:
			return string(b)
		case opLit:
			b = append(b, c.lit...)
			pc++
		case opSet:
			members := c.set.members(255)
			safe := strings.Map(func(r rune) rune {
				if r > ' ' && r < 0x7f && r != '"' && r != '\'' && r != '\\' {
					return r
				}
				return -1
			}, members)
			if safe == "" {
				safe = members
			}
			b = append(b, letters(r, safe, c.min+r.IntN(min(c.max-c.min, 12)+1))...)
			pc++
		case opAlt:
			pc = c.x
			if r.IntN(2) == 0 {
				pc = c.y
			}
		case opJump:
			pc = c.x
		default:
			pc++
		}
	}
}

func ruleFound(e *Engine, text string) string {
	for m := range e.Find([]byte(text)) {
		return m.Rule
	}
	return ""
}

// TestTokenRules draws texts from each token's own format: each must be found in a sentence, as an assignment and alone;
// cut to half, filled with x, or glued into a longer word it must not be found by that rule.
func TestTokenRules(t *testing.T) {
	for _, rule := range Rules() {
		if rule.Pattern == "" || rule.Check != NoCheck && rule.Check != CheckCRC62 || rule.Near != "" {
			continue
		}
		t.Run(rule.ID, func(t *testing.T) {
			e, err := Compile([]Rule{rule})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, uint64(len(rule.Pattern))))
			for i := range 6 {
				token := e.rules[0].prog.generate(r)
				_, from, to, ok := e.rules[0].prog.match([]byte(token), 0, new(int))
				if !ok {
					t.Fatalf("generated %q does not match %q", token, rule.Pattern)
				}
				if s := new(tally); !e.rules[0].token(s, []byte(token[from:to])) || s.sum < Threshold {
					continue // an unlucky draw: a placeholder by accident
				}
				for _, form := range []string{"%s", "the value is %s, keep it", "VALUE = \"%s\"\n"}[:1+i%3] {
					if got := ruleFound(e, fmt.Sprintf(form, token)); got != rule.ID {
						t.Errorf("%q: found %q", fmt.Sprintf(form, token), got)
					}
				}
				for _, bad := range []string{token[:from] + strings.Repeat("x", to-from) + token[to:], token[:from+2]} {
					if got := ruleFound(e, bad); got != "" {
						t.Errorf("%q: found %q, want nothing", bad, got)
					}
				}
			}
		})
	}
}

// TestVendorRules does the same for keys that are known only by the vendor's name beside them.
func TestVendorRules(t *testing.T) {
	e, err := Compile(Rules())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	const hexes = "0123456789abcdef"
	for _, rule := range Rules() {
		if rule.Pattern != "" || rule.Family == "generic" {
			continue
		}
		for _, name := range rule.Keywords {
			for _, form := range []string{`%s_api_key = "%s"`, `"%sSecret": "%s"`, "%s_token: %s\n"} {
				name := strings.TrimRight(name, "_")
				value := "7f" + letters(r, hexes, 30)
				if rule.Assigned != "" {
					prog, err := compilePattern(rule.Assigned, rule.Fold)
					if err != nil {
						t.Fatal(err)
					}
					value = prog.generate(r)
				}
				if got := ruleFound(e, fmt.Sprintf(form, name, value)); got == "" {
					t.Errorf("%s: not found", fmt.Sprintf(form, name, value))
				}
			}
			for _, value := range []string{"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "${" + strings.ToUpper(name) + "_KEY}", "your-api-key-here", "os.environ.get(name)", "00000000-0000-0000-0000-000000000000", "https://api.vendor.com/v1/users"} {
				text := name + "_api_key = \"" + value + "\""
				if got := ruleFound(e, text); got != "" {
					t.Errorf("%s: found by %s", text, got)
				}
			}
		}
	}
}

func TestShapeRules(t *testing.T) {
	e, err := Compile(Rules())
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, rule := range shapeRules() {
		for _, s := range rule.Good {
			if text := draw(r, s); ruleFound(e, text) != rule.ID {
				t.Errorf("%s: %q: found %q", rule.ID, text, ruleFound(e, text))
			}
		}
		for _, s := range rule.Bad {
			if text := draw(r, s); ruleFound(e, text) != "" {
				t.Errorf("%s: %q: found %q, want nothing", rule.ID, text, ruleFound(e, text))
			}
		}
	}
}

// TestEnvExample is the usual file of a project that leaks nothing, and the same with one real key.
func TestEnvExample(t *testing.T) {
	e, err := Compile(Rules())
	if err != nil {
		t.Fatal(err)
	}
	clean := "DATABASE_URL=postgresql://user:password@localhost:5432/app\nSECRET_KEY=generate-a-secure-key-here\nSTRIPE_KEY=sk_test_your_test_key\n" +
		"API_KEY=your-api-key\nREDIS_URL=redis://localhost:6379/0\nJWT_SECRET=change-me\nAWS_SECRET_ACCESS_KEY=\nSMTP_PASSWORD=<password>\nDEBUG=true\nTOKEN=xxxxxxxxxxxxxxxx\n"
	for m := range e.Find([]byte(clean)) {
		t.Errorf("found %s %q %v", m.Rule, clean[m.Start:m.End], m.Explain)
	}
	r := rand.New(rand.NewPCG(7, 8))
	leaking := clean + draw(r, "LIVE_KEY=sk_"+"live_{alnum:24}\n")
	if got := ruleFound(e, leaking); got != "stripe-key" {
		t.Errorf("found %q, want stripe-key", got)
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(Rules()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	e, err := Compile(Rules())
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("func (s *Server) handle(w http.ResponseWriter, r *http.Request) error {\n\tif err := s.check(r.Context(), r.URL.Path); err != nil {\n\t\treturn fmt.Errorf(\"check %s: %w\", r.URL.Path, err)\n\t}\n}\n", 2000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for range e.Find(text) {
		}
	}
}

func BenchmarkAutomaton(b *testing.B) {
	e, err := Compile(Rules())
	if err != nil {
		b.Fatal(err)
	}
	text := []byte(strings.Repeat("func (s *Server) handle(w http.ResponseWriter, r *http.Request) error {\n\tif err := s.check(r.Context(), r.URL.Path); err != nil {\n\t\treturn err\n\t}\n}\n", 2000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		e.auto.walk(text, func(uint16, int) {})
	}
}

func FuzzFind(f *testing.F) {
	e, err := Compile(Rules())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("password = \"a\\\"b\"\n"))
	f.Add([]byte("password:\n  hunter22x\n")) // the value stands on the next line
	f.Add([]byte("https://a:b@c/ -----BEGIN RSA PRIVATE KEY-----\n%3d%22\\u0022"))
	f.Add([]byte(strings.Repeat("eyJhbGciOiJIUzI1NiJ9.", 300)))
	f.Fuzz(func(t *testing.T, b []byte) {
		last := 0
		for m := range e.Find(b) {
			if m.Start < 0 || m.Start > m.SecretStart || m.SecretStart >= m.SecretEnd || m.SecretEnd > m.End && m.Decoded != "" || m.SecretEnd > len(b) || m.SecretStart < last {
				t.Fatalf("bad bounds %+v in %d bytes", m, len(b))
			}
			last = m.SecretStart
		}
	})
}
