package envfile_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/envfile"
)

// randomEntries are names and values of what formats stumble over.
func randomEntries(r *rand.Rand) []envfile.Entry {
	names := []string{"A", "B_2", "lower", "MiXed", "with-dash", "with.dot", "_", "Y", "null", "é", "a b", "<<", "#x", "9"}
	pieces := []string{"a", "B", "7", " ", "#", " # c", "'", "\"", "`", "\\", "$", "${x}", "%{y}", "$(id)", "%s", "\n", "\r\n", "\r", "\t", "=", ": ", "- ", "é", "日",
		"\u2028", "\u0085", "\ufeff", "‘", "’", "\x01", "\x7f", "\x1b[31m", "{", "}", "[1]", "yes", "null", "~", "0x1F", "1e9", "2026-01-02", "&a", "*a", "!tag", "|", ">", "%", "@",
		"'''", "\"\"\"", "<<EOF", "\U0001F600"}
	var out []envfile.Entry
	for _, i := range r.Perm(len(names))[:1+r.IntN(4)] {
		var v strings.Builder
		for range r.IntN(7) {
			v.WriteString(pieces[r.IntN(len(pieces))])
		}
		out = append(out, envfile.Entry{Name: names[i], Value: v.String()})
	}
	return out
}

// TestExportImport: what Write agrees to write, Read gives back, name for name and byte for byte; what it refuses it
// refuses with the name of an entry. For each format that both can.
func TestExportImport(t *testing.T) {
	rounds := 1_000
	if testing.Short() {
		rounds = 100
	}
	for _, c := range []struct {
		format  envfile.Format
		dialect dotenv.Dialect
		written int // of ten, at least: it does not refuse for fun
	}{
		{format: envfile.JSON, written: 10},
		{format: envfile.YAML, written: 10},
		{format: envfile.TOML, written: 10},
		{format: envfile.Kubernetes, written: 4},
		{format: envfile.Docker, written: 1},
		{envfile.Dotenv, dotenv.PythonDotenv, 2},
		{envfile.Dotenv, dotenv.Decouple, 1},
		{envfile.Dotenv, dotenv.Compose, 1},
		{envfile.Dotenv, dotenv.Docker, 1},
		{envfile.Dotenv, dotenv.Node, 1},
		{envfile.Dotenv, dotenv.NodeExpand, 1},
		{envfile.Dotenv, dotenv.Godotenv, 1},
		{envfile.Dotenv, dotenv.SOPS, 1},
		{envfile.Dotenv, dotenv.POSIX, 1},
	} {
		t.Run(string(c.format)+" "+string(c.dialect), func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 12))
			written := 0
			for range rounds {
				entries := randomEntries(r)
				w := envfile.Writing{Format: c.format, Name: "shop"}
				if c.dialect != "" {
					w.Dialects = []dotenv.Dialect{c.dialect}
				}
				text, err := envfile.Write(entries, w)
				if err != nil {
					if !slices.ContainsFunc(entries, func(e envfile.Entry) bool { return strings.HasPrefix(err.Error(), e.Name+" cannot be written") }) {
						t.Fatalf("the refusal names none of them: %v", err)
					}
					continue
				}
				written++
				got, err := envfile.Read("file", text, envfile.Reading{Format: c.format, Dialect: c.dialect})
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				compareEntries(t, got, entries, text)
			}
			if written*10 < c.written*rounds {
				t.Errorf("only %d of %d were written", written, rounds)
			}
		})
	}
}

func compareEntries(t *testing.T, got *envfile.Result, entries []envfile.Entry, text []byte) {
	t.Helper()
	have := map[string]string{}
	for _, e := range got.Entries {
		have[e.Name] = e.Value
	}
	if len(have) != len(entries) || len(got.Omitted) > 0 {
		t.Fatalf("got %d entries and %d left out, want %d\n%s", len(have), len(got.Omitted), len(entries), text)
	}
	for _, e := range entries {
		if v, ok := have[e.Name]; !ok || v != e.Value {
			t.Fatalf("%q: got %q (there: %v), want %q\n%s", e.Name, v, ok, e.Value, text)
		}
	}
}

// TestWriteOnlyFormats: the forms that nothing of ours reads come back through readers that were written from the
// descriptions of the formats, and not from the writers.
func TestWriteOnlyFormats(t *testing.T) {
	for format, read := range map[envfile.Format]func(string) (map[string]string, error){
		envfile.GitHub: readGitHub, envfile.PowerShell: readPowerShell, envfile.TFVars: readHCL,
	} {
		r := rand.New(rand.NewPCG(13, 14))
		written := 0
		for range 1_000 {
			entries := randomEntries(r)
			text, err := envfile.Write(entries, envfile.Writing{Format: format})
			if err != nil {
				continue
			}
			written++
			got, err := read(string(text))
			if err != nil {
				t.Fatalf("%s: %v\n%s", format, err, text)
			}
			for _, e := range entries {
				if got[e.Name] != e.Value {
					t.Fatalf("%s: %s: got %q, want %q\n%s", format, e.Name, got[e.Name], e.Value, text)
				}
			}
		}
		if written < 100 {
			t.Errorf("%s: only %d were written", format, written)
		}
	}
}

// readGitHub reads the file of GITHUB_ENV as the runner does (FileCommandManager): NAME<<END, lines, END.
func readGitHub(text string) (map[string]string, error) {
	out := map[string]string{}
	for text != "" {
		head, rest, _ := strings.Cut(text, "\n")
		name, end, ok := strings.Cut(head, "<<")
		if !ok {
			return nil, errors.New("no heredoc: " + head)
		}
		value, after, ok := strings.Cut("\n"+rest, "\n"+end+"\n")
		if !ok {
			return nil, errors.New("it does not end")
		}
		out[name], text = strings.TrimPrefix(value, "\n"), after
	}
	return out, nil
}

// readPowerShell reads ${env:NAME} = '…' (about_Quoting_Rules: two quotes of any kind stand for one).
func readPowerShell(text string) (map[string]string, error) {
	out := map[string]string{}
	quote := func(r rune) bool { return strings.ContainsRune("'‘’‚‛", r) }
	rs := []rune(text)
	for i := 0; i < len(rs); {
		rest := string(rs[i:])
		name, _, ok := strings.Cut(strings.TrimPrefix(rest, "${env:"), "} = '")
		if !ok || !strings.HasPrefix(rest, "${env:") {
			return nil, errors.New("no assignment")
		}
		i += len([]rune("${env:" + name + "} = '"))
		var v []rune
		for ; ; i++ {
			if i >= len(rs) {
				return nil, errors.New("a string does not end")
			}
			if quote(rs[i]) {
				if i+1 >= len(rs) || !quote(rs[i+1]) {
					break
				}
				i++
			}
			v = append(v, rs[i])
		}
		if i+1 >= len(rs) || rs[i+1] != '\n' {
			return nil, errors.New("something follows a string")
		}
		out[name] = string(v)
		i += 2
	}
	return out, nil
}

// readHCL reads NAME = "…" as the language of Terraform has it: escapes, and $${ and %%{ for ${ and %{.
func readHCL(text string) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " = \"")
		if !ok || !strings.HasSuffix(rest, "\"") {
			return nil, errors.New("no assignment")
		}
		rest = strings.TrimSuffix(rest, "\"")
		var v strings.Builder
		for rest != "" {
			switch {
			case strings.HasPrefix(rest, "$${"), strings.HasPrefix(rest, "%%{"):
				v.WriteString(rest[1:3])
				rest = rest[3:]
			case strings.HasPrefix(rest, "${"), strings.HasPrefix(rest, "%{"):
				return nil, errors.New("an expression")
			case rest[0] == '\\':
				var code rune
				if n := strings.IndexByte(`nrt"\`, rest[1]); n >= 0 {
					v.WriteByte("\n\r\t\"\\"[n])
					rest = rest[2:]
				} else if _, err := fmt.Sscanf(rest, `\u%04X`, &code); err == nil {
					v.WriteRune(code)
					rest = rest[6:]
				} else {
					return nil, errors.New("an escape that HCL does not have")
				}
			default:
				v.WriteByte(rest[0])
				rest = rest[1:]
			}
		}
		out[name] = v.String()
	}
	return out, nil
}

// fuzz reads anything as one format: either an error with a place that shows nothing, or entries that can be written and
// read again.
func fuzz(f *testing.F, format envfile.Format, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		r, err := envfile.Read("file", []byte(src), envfile.Reading{Format: format, Env: env, Open: open})
		if err != nil {
			var e *envfile.Error
			var s *dotenv.SyntaxError
			if !errors.As(err, &e) && !errors.As(err, &s) {
				t.Fatalf("an error without a place: %v", err)
			}
			lines := strings.FieldsFunc(src+"x", func(r rune) bool { return !strings.ContainsRune("\n\r\u0085\u2028\u2029", r) }) // YAML ends lines by each
			if e != nil && e.Line > len(strings.Join(lines, ""))+2 {
				t.Fatalf("line %d is beyond the end", e.Line)
			}
			return
		}
		for _, e := range r.Entries {
			if e.Name == "" || strings.ContainsAny(e.Name, "=\x00\n\r") || strings.Contains(e.Value, "\x00") {
				t.Fatalf("%q cannot be in an environment", e.Name)
			}
		}
		text, err := envfile.Write(r.Entries, envfile.Writing{Format: envfile.JSON})
		if err != nil {
			return // not text
		}
		again, err := envfile.Read("a.json", text, envfile.Reading{})
		if err != nil || len(again.Entries) != len(r.Entries) {
			t.Fatalf("%d entries became %v, %v", len(r.Entries), again, err)
		}
	})
}

func FuzzReadDotenv(f *testing.F) { fuzz(f, envfile.Dotenv, "A=1\nexport B='x' # c\nC=\"${A}\"\nD\n") }
func FuzzReadDocker(f *testing.F) { fuzz(f, envfile.Docker, "A=1\n# c\nB\nC = d\n") }
func FuzzReadINI(f *testing.F)    { fuzz(f, envfile.INI, "[settings]\nA=1\nB=%(A)s\n C\n[x]\n") }
func FuzzReadJSON(f *testing.F) {
	fuzz(f, envfile.JSON, `{"a":{"b":[1]},"c":null,"d":1e9}`, "{\"a\":\n")
}
func FuzzReadTOML(f *testing.F) {
	fuzz(f, envfile.TOML, "a.b = [1, {c = 2}]\n[t]\nd = 2026-01-02\n", "a = '''x\ny'''\n")
}
func FuzzReadYAML(f *testing.F) {
	fuzz(f, envfile.YAML, "a: &a {b: 1}\nc: {<<: *a}\nd: [1, x]\n", "a: |\n  x\n---\nb: ~\n", "\"00\r\r")
}
func FuzzReadCompose(f *testing.F)    { fuzz(f, envfile.Compose, composeFile, "\r\r0") }
func FuzzReadKubernetes(f *testing.F) { fuzz(f, envfile.Kubernetes, kubernetesFile) }
