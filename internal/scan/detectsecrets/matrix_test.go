package detectsecrets_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/scan/detectsecrets"
)

var update = flag.Bool("update", false, "record what the detect-secrets that KEEPHOLD_PEER_DETECT_SECRETS names answers")

// A step runs one command line after changing files. "hook" as the first word runs detect-secrets-hook.
type step struct {
	args  string
	write map[string]string
	git   string
	in    string
	save  string // stdout goes to this file
	show  string // this file is part of the answer
}

const (
	alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	hexes = "0123456789abcdef"
)

// project is a tree with a secret of every kind, in every kind of file. The values are drawn, the same each time.
func project() map[string]string {
	random := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // the same values each time
	draw := func(n int, from string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = from[random.IntN(len(from))]
		}
		return string(b)
	}
	a, h := func(n int) string { return draw(n, alnum) }, func(n int) string { return draw(n, hexes) }
	return map[string]string{
		"a.py": "password = \"hunter2xyz\"\napi_key = get_key(\"x\")\nsecret = \"foo\" # pragma: allowlist secret\n  # pragma: allowlist nextline secret\nsecret = \"bar12\"\nif \"abc1\" == my_password: pass\n" +
			"x = {\"db_password\": \"zzz9\", \"n\": 1}\nuser_id = \"" + a(40) + "\"\nsecret = \"{{x}}\"\nsecret=\"$abc\"\nurl=\"https" + "://u:pa55w@host/x\"\nh = \"" + h(40) + "\"\n",
		"b.go": "password := \"abcd\"\nsecret = `tick`\nvar apiKey = foo\n\tPassword: \"inner\",\n", "c.js": "const secret = 'it\\'s';\nauth_key: \"v,\"\nconst pwd => 'arrow1';\nprivate_key 'semi';\n",
		"d.c": "char my_password[25] = \"bar1\";\nNSString *secret = @\"x9y\";\npassword = 'single'\n", "d.cpp": "std::string secret(\"bar2\");\nsecret.assign(\"bar3\",17);\npassword == \"q1\"\n",
		"e.yaml": "a:\n  password: hunter3\n  token: " + a(40) + "\n  list:\n    - key: " + h(40) + "\n    - " + a(50) + "\nsecret: \"q w\" # comment\nyes_: yes\nnum: 12345\nblock: |\n  " + a(60) + "\n  second\nflow: {secret: inl1, b: " + a(44) + "}\n",
		"e2.yml": "---\npassword: hunter4\n---\nb: 2\n", "e3.yaml": "Res: !Ref Foo\npassword: hunter5\n",
		"f.ini": "[s]\npassword = hunter6\nk = " + a(40) + "\nmulti =\n  " + a(50) + "\n  x\n; password = c\n[t]\npassword: \"quoted7\"\nu = 100%%\n", "g.env": "DB_PASSWORD=hunter8\nTOKEN=" + a(44) + "\nexport API_KEY=zz\nSECRET=\"q9\"\n",
		".env": "DB_PASSWORD=hunter8\nTOKEN=" + a(44) + "\n", "h.conf": "secret \"nginxval\";\npassword hunter\nset_password = abc,\npassword: `x`\n", "i.json": "{\n  \"password\": \"jsonpw\",\n  \"k\": \"" + a(40) + "\",\n \"contraseña\": \"uniñ\"\n}\n",
		"j.txt": strings.Join([]string{
			"AK" + "IAQ3EGRZZP5JQ2B7XN", "ghp" + "_" + a(36), "xox" + "b-123-456-abcdef", "-----BEGIN RSA" + " PRIVATE KEY-----", "sk" + "_live_" + a(24), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + ".eyJzdWIiOiIxIn0.abc", "8.8.8.8 10.0.0.1",
			"AC" + h(32), h(32) + "-us4", "glpat" + "-" + a(20), "SG." + a(22) + "." + a(43), "//registry.npmjs.org/:_authToken=npm" + "_" + a(36), "AccountKey=" + a(88), "softlayer_key=" + h(64), "cloudant_password: '" + h(64) + "'", "ibm_cloud_iam_apikey = " + a(44),
			"cos_secret_access_key=" + h(48), " AKC" + a(20), "sq0csp" + "-" + a(43), "123456789:" + a(35), "pypi-AgEIcHlwaS5vcmc" + a(75), "https://hooks.slack.com/services" + "/T00AB/B00CD/" + a(12), "sk-" + a(20) + "T3BlbkFJ" + a(20), "M" + a(23) + "." + a(6) + "." + a(27),
		}, "\n") + "\n",
		"sub/k.tf": "secret_key = \"tf1\"\npassword=\"" + a(30) + "\"\n", "yarn.lock": "password = \"x1\"\n", "swagger/a.py": "password=\"x2\"\n", "pic.png": "password=\"x3\"\n", "crlf.py": "password = \"crlf1\"\r\nx\r\nsecret = \"crlf2\"\r\n",
		"bin.dat": "password = \"x4\"\n\xff\xfe\n", "Dockerfile": "ENV PASSWORD=dockerpw\nFROM x\n", "m.md": "# t\n\nsecret: foo\npassword = \"md1\"\n`secret = \"md2\"`\n", "words.txt": "hunter\nzz\n",
	}
}

func run(lines ...string) []step {
	var out []step
	for _, l := range lines {
		out = append(out, step{args: l})
	}
	return out
}

func matrix() map[string][]step {
	moved := strings.Replace("\n\n"+project()["a.py"], "password = \"hunter2xyz\"\n", "", 1)
	base := []step{{args: "scan", save: ".secrets.baseline"}, {args: "--version", git: "add .secrets.baseline"}}
	return map[string][]step{
		"scan": run("scan", "scan --all-files", "scan --slim", "scan sub", "scan a.py untracked.py", "scan -n", "scan --no-verify m.md", "scan nonexistent", "scan --only-allowlisted"),
		"plugins": run("scan --list-all-plugins", "scan --disable-plugin KeywordDetector --disable-plugin AWSKeyDetector", "scan --base64-limit 3.5 --hex-limit 2", "scan --disable-plugin Nope", "scan --hex-limit 9",
			"scan --list-all-plugins --disable-plugin IPPublicDetector"),
		"filters": run("scan --exclude-lines hunter[0-4] --exclude-lines ^x", `scan --exclude-files .*\.py$`, "scan --exclude-secrets hunter", "scan --exclude-files ^(?!a).*", "scan --disable-filter detect_secrets.filters.heuristic.is_potential_uuid",
			"scan --disable-filter detect_secrets.filters.heuristic.is_indirect_reference --disable-filter detect_secrets.filters.allowlist.is_line_allowlisted", "scan --only-verified"),
		"string": append(run("scan --disable-plugin HexHighEntropyString --string AK"+"IAQ3EGRZZP5JQ2B7XN", "scan --string hunter2", "scan --string 2a626d7fa31d265cff2d6f90eece5e18bbebc706", "scan --string 0123456789abcdef -n"), step{args: "scan --string", in: "password=\"abc\"\n"}),
		"usage":  run("--version", "scan --bogus", "bogus", "scan --baseline nope", "audit", "audit nope", "hook --baseline nope", "hook --version"),
		"hook": append(slices.Clone(base), step{args: "hook --baseline .secrets.baseline a.py g.env"}, step{args: "hook --baseline .secrets.baseline untracked.py"}, step{args: "hook untracked.py --json"}, step{args: "hook a.py"}, step{args: "hook m.md words.txt crlf.py"},
			step{args: "hook --baseline .secrets.baseline a.py", write: map[string]string{"a.py": moved}, show: ".secrets.baseline"}, step{args: "hook --baseline .secrets.baseline a.py"}, step{args: "hook --baseline .secrets.baseline a.py", git: "add .secrets.baseline"},
			step{args: "hook --baseline .secrets.baseline a.py", write: map[string]string{"a.py": "x\n"}, show: ".secrets.baseline"}),
		"slim": {{args: "scan --slim", save: ".secrets.baseline"}, {args: "hook --baseline .secrets.baseline a.py", git: "add .secrets.baseline"}, {args: "hook --baseline .secrets.baseline a.py", write: map[string]string{"a.py": moved}, show: ".secrets.baseline"}},
		"update": append(slices.Clone(base), step{args: "scan --baseline .secrets.baseline", show: ".secrets.baseline"}, step{args: "audit .secrets.baseline", in: "y\nn\ns\nb\nx\nn\nq\n", show: ".secrets.baseline"},
			step{args: "scan --baseline .secrets.baseline", write: map[string]string{"a.py": moved}, show: ".secrets.baseline"}, step{args: "scan --baseline .secrets.baseline --exclude-secrets hunter --force-use-all-plugins", show: ".secrets.baseline"}),
		"old": {{args: "scan --baseline old.json", write: map[string]string{"old.json": oldBaseline}, show: "old.json"}, {args: "hook --baseline old.json a.py", write: map[string]string{"old.json": strings.Replace(oldBaseline, `"results": {}`, `"results": {"a.py": []}`, 1), "a.py": "x\n"}, git: "add old.json", show: "old.json"}},
		"audit": append(slices.Clone(base), step{args: "audit .secrets.baseline", in: "n\ny\nn\nq\n"}, step{args: "audit --stats .secrets.baseline"}, step{args: "audit --stats --json .secrets.baseline"}, step{args: "audit --report .secrets.baseline"},
			step{args: "audit --report --only-real .secrets.baseline"}, step{args: "audit --report --only-false .secrets.baseline"}, step{args: "audit .secrets.baseline", write: map[string]string{".env": "x\n"}, in: "s\nq\n"}),
		"diff": {{args: "scan --base64-limit 3", save: "l3"}, {args: "scan --base64-limit 5", save: "l5"}, {args: "audit --diff l3 l5", in: "q\n"}, {args: "audit --diff l3"}, {args: "audit l3 l5"}},
	}
}

const oldBaseline = `{"exclude": {"files": "^c.*", "lines": null}, "generated_at": "2020-01-01T00:00:00Z", "plugins_used": [{"name": "AWSKeyDetector"}, {"base64_limit": 4.5, "name": "Base64HighEntropyString"}, {"hex_limit": 3, "name": "HexHighEntropyString"}, {"name": "KeywordDetector"}], "results": {}, "version": "0.14.3", "word_list": {"file": null, "hash": null}}
`

// TestMatrix compares with the recorded answers of the real detect-secrets, and with the real one itself when it is there.
func TestMatrix(t *testing.T) {
	peer := os.Getenv("KEEPHOLD_PEER_DETECT_SECRETS")
	if *update && peer == "" {
		t.Fatal("-update needs KEEPHOLD_PEER_DETECT_SECRETS")
	}
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("TERM", "dumb")
	cases := matrix()
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".txt")
			got := play(t, steps, ours)
			if peer != "" {
				theirs := play(t, steps, func(t *testing.T, s step, dir string) (int, string) { return real(t, peer, s, dir) })
				if *update {
					if err := os.WriteFile(golden, []byte(theirs), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				diff(t, "the real detect-secrets now", theirs, got)
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			diff(t, "what detect-secrets answered", string(want), got)
		})
	}
}

func diff(t *testing.T, what, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Errorf("line %d differs from %s\n--- want\n%s\n--- got\n%s", i+1, what, strings.Join(w[min(len(w), max(0, i-8)):min(len(w), i+8)], "\n"), strings.Join(g[min(len(g), max(0, i-8)):min(len(g), i+8)], "\n"))
			return
		}
	}
}

var when = regexp.MustCompile(`"generated_at": "[^"]*"`)

// play runs the steps in a fresh repository and records exit codes and what is printed and written.
func play(t *testing.T, steps []step, run func(*testing.T, step, string) (int, string)) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	write(t, dir, project())
	git(t, dir, "init -q .")
	git(t, dir, "add -A")
	git(t, dir, "-c user.name=t -c user.email=t@example.net commit -q -m first")
	write(t, dir, map[string]string{"untracked.py": "password = \"untr1\"\n"})
	var b strings.Builder
	for _, s := range steps {
		write(t, dir, s.write)
		if s.git != "" {
			git(t, dir, s.git)
		}
		code, out := run(t, s, dir)
		if s.save != "" {
			write(t, dir, map[string]string{s.save: out})
			out = ""
		}
		fmt.Fprintf(&b, "$ %s\nexit %d\n%s", s.args, code, out)
		if s.show != "" {
			text, err := os.ReadFile(filepath.Join(dir, s.show))
			if err != nil {
				t.Fatal(err)
			}
			b.Write(text)
		}
	}
	return hide(when.ReplaceAllString(b.String(), `"generated_at": "NOW"`))
}

// hide takes the made-up tokens out of an answer: what is recorded holds only their hashes.
func hide(text string) string {
	var pairs []string
	for i, line := range strings.Split("AK"+"IAQ3EGRZZP5JQ2B7XN\n"+strings.TrimSpace(project()["j.txt"]), "\n") {
		name := fmt.Sprintf("<token %d>", i)
		pairs = append(pairs, line, name)
		for _, piece := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ='", r) }) {
			if len(piece) >= 16 {
				pairs = append(pairs, piece, name)
				if j := strings.LastIndexByte(piece, '.'); j >= 16 {
					pairs = append(pairs, piece[:j+1], name)
				}
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func ours(t *testing.T, s step, dir string) (int, string) {
	t.Helper()
	var out, said bytes.Buffer
	tool := &detectsecrets.Tool{Dir: dir, Stdin: strings.NewReader(s.in), Stdout: &out, Stderr: &said, Getenv: os.Getenv, Now: time.Now}
	words := strings.Fields(s.args)
	if words[0] == "hook" {
		return tool.RunHook(context.Background(), words[1:]), out.String()
	}
	return tool.Run(context.Background(), words), out.String()
}

func real(t *testing.T, peer string, s step, dir string) (int, string) {
	t.Helper()
	words := strings.Fields(s.args)
	if words[0] == "hook" {
		peer, words = peer+"-hook", words[1:]
	}
	cmd := exec.Command(peer, words...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = strings.NewReader(s.in), &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func git(t *testing.T, dir, words string) {
	t.Helper()
	cmd := exec.Command("git", strings.Fields(words)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", words, err, out)
	}
}
