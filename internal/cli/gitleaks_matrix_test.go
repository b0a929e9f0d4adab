package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/cli"
)

var recordPeer = flag.String("gitleaks", "", "record what this gitleaks answers, instead of comparing with what was recorded")

const peerConfig = `title = "matrix"
[[rules]]
id = "tok"
description = "A <token>"
regex = '''tok-([a-z]{3}\d{3})'''
keywords = ["tok-"]
tags = ["t1", "t2"]
[[rules]]
id = "generic-key"
description = "A key"
regex = '''(?i)key\s*=\s*"([^"]+)"'''
keywords = ["key"]
entropy = 2.0
[[allowlists]]
paths = ['''^vendor''']
`

// peerMatrix are the command lines of gitleaks that its documentation shows. Each runs in a directory with repo, a
// repository of three commits, and staged, one with a change in its index.
var peerMatrix = map[string][]string{
	"git": {
		"git repo -v", "git repo -f json -r -", "git repo -f csv -r -", "git repo --enable-rule generic-key -f sarif -r -", "git repo --enable-rule generic-key -f junit -r -", "git repo -f template --report-template lines.tmpl -r -",
		"git repo --redact -v", "git repo --redact=50 -f json -r -", "git repo --exit-code 7", "git repo --ignore-gitleaks-allow -f json -r -", "git repo --enable-rule tok --enable-rule generic-key -f json -r -",
		"git repo --log-opts=HEAD~2..HEAD~1 -f json -r -", "git repo --log-opts=HEAD~1..HEAD -v", "git repo --log-opts=--all -f json -r -", "git repo -i ignore -f json -r -", "git repo -b base.json -f json -r -", "git repo --max-decode-depth 0 -f json -r -", "git repo --max-target-megabytes 1 -f csv -r -",
		"git repo -l error --timeout 60 --platform none",
	},
	"dir": {
		"dir repo/a.txt -v", "dir repo -f json -r -", "dir repo -f csv -r -", "directory repo/sub -v", "file repo/sub/b.env -f json -r -", "dir repo/sub -f sarif -r -", "dir repo/sub -f junit -r -", "dir repo --follow-symlinks -f json -r -",
		"dir repo/sub --redact=20 -v", "dir encoded.txt -v", "dir encoded.txt --max-decode-depth 0 -v", "dir clean -f json -r -", "dir clean -f csv -r -",
	},
	"stdin":  {"stdin -v", "stdin -f json -r -", "detect --pipe -f csv -r -"},
	"detect": {"detect --source repo --verbose", "detect -s repo --redact -f json -r -", "detect --no-git -s repo/sub -v", "detect --no-git -s repo -f json -r -", "detect -s repo --log-opts=HEAD~1..HEAD"},
	"protect": {
		"protect --staged -s staged -v", "protect --staged -s repo", "git --staged staged -f json -r -", "git --pre-commit --staged --redact --verbose staged", "protect --staged -s staged -f csv -r -",
	},
	"links": {
		"git linked -v", "git linked -f json -r -", "git linked -f csv -r -", "git linked --platform gitlab -f json -r -", "git linked --platform gitea -f json -r -", "git linked --platform azuredevops -f json -r -",
		"git linked --platform bitbucket -f json -r -", "git linked --platform none -f json -r -", "git linked --enable-rule generic-key -f junit -r -",
	},
	"names": {
		"git repo -c names.toml -f json -r -", "git repo -c names.toml -v", "git repo -c names.toml -f csv -r -", "dir repo/sub -c names.toml -v", "dir repo/sub -c names.toml -f json -r -", "dir repo/sub --enable-rule env-file -c names.toml -f sarif -r -",
		"detect --no-git -s repo/sub --enable-rule env-file -c names.toml -f junit -r -", "git --staged --pre-commit staged -c names.toml -v", "dir clean -c names.toml -v",
	},
	"log-opts": {
		"git repo --log-opts=-1 -f json -r -", "git repo --log-opts=-n_1_--skip=1 -v", "git repo --log-opts=--since=2026-01-02T00:00:00Z -v", "git repo --log-opts=--until=2026-01-01T23:00:00Z -v", "git repo --log-opts=--all_--_sub -v",
		"git repo --log-opts=--author=Nobody", "git repo --log-opts=--grep=second -v", "git repo --log-opts=--no-merges_--first-parent_HEAD -v", "git repo --log-opts=HEAD~2...HEAD -v", "git repo --log-opts=--diff-filter=A -v", "detect -s repo --log-opts=--reverse_--branches_-n_2 -v",
	},
	"links-of-files": {"dir links --follow-symlinks -f json -r -", "dir links -f json -r -", "dir solo --follow-symlinks -f sarif -r -", "dir solo --follow-symlinks -f junit -r -", "dir links --follow-symlinks -f csv -r -", "detect --no-git -s links --follow-symlinks -v"},
	"unstaged": {
		"protect -s staged -v", "git --pre-commit staged -f json -r -", "protect -s repo", "git --pre-commit --staged staged -f json -r -", "protect -s staged --redact -f json -r -",
	},
	"order":  {"dir many.txt --enable-rule tok -f json -r -", "dir many.txt --enable-rule tok -v", "dir many.txt --enable-rule tok -f csv -r -", "dir many.txt --enable-rule tok -f sarif -r -", "dir many.txt --enable-rule tok -f template --report-template lines.tmpl -r -"},
	"around": {"dir around.txt -v --around", "dir around.txt --redact -v --around", "dir around.txt -v", "git repo -v --around"},
	"bounds": {"dir large.txt --max-target-megabytes 1 -v", "dir large.txt --max-target-megabytes 3 -v", "dir own -c own/conf.toml -v", "dir known -b known/base.json -f json -r -", "git known -b known/base.json -f json -r -"},
	"required": {
		"dir pair -c pair.toml -v", "dir pair -c pair.toml --around -v", "dir pair -c pair.toml -f json -r -", "dir pair -c pair.toml --redact=50 -f json -r -", "git pair -c pair.toml -v", "dir pair -c pair.toml --enable-rule user -v", "stdin -c pair.toml -v",
	},
	"line-ends": {
		"dir ends -c ends.toml -f json -r -", "dir ends -c ends.toml -v", "dir ends -c ends.toml --around -v", "git ends -c ends.toml -f json -r -", "git ends -c ends.toml -v", "dir ends -c ends.toml -f csv -r -", "git ends -c ends.toml -f junit --enable-rule behind -r -",
	},
	"errors": {
		"git repo --enable-rule nope", "git repo --enable-rule tok,nope", "git repo --enable-rule tok,generic-key -f csv -r -", "git repo -f template -r -", "git repo -f template --report-template none.tmpl -r -", "git repo --report-template lines.tmpl -f json -r -", "git repo -r report.xyz", "git repo -f JSON -r - --enable-rule tok", "git repo --platform nonsense",
		"git repo --nonsense", "nonsense", "git repo -c none.toml", "git repo -f nonsense -r out.x", "dir a b", "git repo -c broken.toml",
	},
}

// styles are sequences for terminals (SGR, ECMA-48).
var styles = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestGitleaksMatrix plays the matrix and compares exit codes, reports and printed findings with what gitleaks v8.30.1
// answered. Its log and its usage texts are its own. The order of findings, which changes from run to run, is not compared.
func TestGitleaksMatrix(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	record, err := filepath.Abs("testdata/gitleaks")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	peerFiles(t, dir)
	for name, lines := range peerMatrix {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, line := range lines {
				args := strings.Fields(line)
				for i, word := range args {
					if strings.HasPrefix(word, "--log-opts=") {
						args[i] = strings.ReplaceAll(word, "_", " ")
					}
				}
				if !slices.Contains(args, "-c") {
					args = append(args, "-c", "conf.toml")
				}
				args = append(args, "--no-banner")
				if i := slices.Index(args, "--around"); i >= 0 { // not a flag: what stands around a match is printed too
					args = slices.Delete(args, i, i+1)
				} else {
					args = append(args, "--no-color")
				}
				code, out := playPeer(t, args)
				out = styles.ReplaceAllString(out, "") // it styles secrets for terminals, also where there is none
				if name != "order" {
					out = unordered(out)
				}
				fmt.Fprintf(&b, "$ gitleaks %s\nexit %d\n%s", line, code, out)
			}
			path := filepath.Join(record, name+".txt")
			if *recordPeer != "" {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w, g := strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")
			for i := range max(len(w), len(g)) {
				if i >= len(w) || i >= len(g) || w[i] != g[i] {
					t.Fatalf("line %d differs from %s\n--- want\n%s\n--- got\n%s", i+1, name, strings.Join(w[max(0, i-12):min(len(w), i+8)], "\n"), strings.Join(g[max(0, i-12):min(len(g), i+8)], "\n"))
				}
			}
		})
	}
}

func playPeer(t *testing.T, args []string) (int, string) {
	t.Helper()
	in := strings.NewReader("id tok-zzz999\n")
	var out, said bytes.Buffer
	if *recordPeer == "" {
		env := cli.Env{Stdin: in, Stdout: &out, Stderr: &said, Getenv: func(string) string { return "" }, Version: "test", Name: "keephold"}
		return cli.Run(context.Background(), env, append([]string{"gitleaks"}, args...)), out.String()
	}
	cmd := exec.Command(*recordPeer, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// unordered sorts what a report lists, byte for byte otherwise.
func unordered(out string) string {
	var list []json.RawMessage
	var items []string
	switch {
	case strings.HasPrefix(out, "[\n {") && json.Unmarshal([]byte(out), &list) == nil:
		for _, x := range list {
			items = append(items, string(x)+"\n")
		}
	case strings.HasPrefix(out, "Finding:"):
		for x := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
			items = append(items, x+"\n")
		}
	case strings.HasPrefix(out, "RuleID,") || strings.HasPrefix(out, "template "):
		items = strings.SplitAfter(out, "\n")
	default:
		return out
	}
	slices.Sort(items)
	return strings.Join(items, "")
}

func peerFiles(t *testing.T, dir string) {
	t.Helper()
	day := 0
	git := func(at string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = filepath.Join(dir, at)
		date := fmt.Sprintf("2026-01-%02dT12:00:00Z", day)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(at, message string) {
		t.Helper()
		day++
		git(at, "add", "-A")
		git(at, "commit", "-q", "-m", message)
	}
	write("conf.toml", peerConfig)
	write("broken.toml", "[[rules]\n")
	write("lines.tmpl", "{{range .}}template {{.RuleID | upper}} {{.File | quote}} {{.StartLine}} {{.Secret | trunc 3}} {{.Entropy}} {{.Line}}\n{{end}}")
	write("names.toml", peerConfig+"[[rules]]\nid = \"env-file\"\ndescription = \"An environment file\"\npath = '''\\.env$'''\ntags = [\"file\"]\n[[rules]]\nid = \"staged-file\"\npath = '''^a$'''\n")
	write("many.txt", "tok-bbb222 tok-aaa111\nv = \"aWQ6IHRvay1zdHU0NTYgYW5kIHNvbWUgbW9yZSB0ZXh0\"\ntok-ccc333\nw = \"bW9yZSBvZiB0b2stdnd4Nzg5IGhlcmUgYW5kIHRoZXJl\" tok-ddd444\n")
	write("around.txt", "short tok-aaa111 end\n  indented and with much text before it tok-bbb222 and with much text behind it, more than is shown\nkey = \""+strings.Repeat("q1w2e3r4t5", 12)+"\" # long\n")
	write("large.txt", strings.Repeat("nothing in this line\n", 100_000)+"id: tok-abc123\n")
	write("own/conf.toml", peerConfig+"# as in tok-qqq111\n")
	write("own/a", "tok-rrr222\n")
	write("known/base.json", "[{\"RuleID\": \"tok\", \"File\": \"gone\", \"Match\": \"tok-sss333\", \"Secret\": \"sss333\"}]\n")
	write("known/a", "tok-ttt444\n")
	write("links/real.txt", "id: tok-lnk123\n")
	write("solo/empty", "")
	write("links/dir/inner.txt", "id: tok-inn456\n")
	for link, to := range map[string]string{"links/to-file": "real.txt", "links/to-dir": "dir", "links/to-outside": "../encoded.txt", "solo/link": "../encoded.txt"} {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	write("clean/a", "nothing\n")
	write("encoded.txt", "x\nv = \"aWQ6IHRvay1zdHU0NTYgYW5kIHNvbWUgbW9yZSB0ZXh0\"\n")
	write("repo/a.txt", "nothing\nid: tok-abc123\n")
	write("repo/sub/b.env", "x = 1\nkey = \"q1w2e3r4\"\n")
	git("repo", "init", "-q", "-b", "main")
	commit("repo", "first")
	write("repo/a.txt", "nothing\nid: tok-abc123\nmore\nid: tok-def456 # gitleaks:allow\nid: tok-ghi789\n")
	commit("repo", "second\n\nbody")
	write("repo/vendor.txt", "tok-vvv111\n")
	commit("repo", "third")
	first, err := exec.Command("git", "-C", filepath.Join(dir, "repo"), "rev-parse", "HEAD~2").Output()
	if err != nil {
		t.Fatal(err)
	}
	write("ignore/.gitleaksignore", "# known\n"+strings.TrimSpace(string(first))+":a.txt:tok:2\nsub/b.env:generic-key:2\n")
	write("base.json", "[]\n")
	write("pair.toml", "[[rules]]\nid = \"pass\"\nregex = '''pass: (\\w+)'''\n[[rules.required]]\nid = \"user\"\nwithinLines = 2\n[[rules.required]]\nid = \"host\"\n[[rules]]\nid = \"user\"\nregex = '''user: (\\w+)'''\nskipReport = true\n[[rules]]\nid = \"host\"\nregex = '''host: (\\w+)'''\n[[rules]]\nid = \"ids\"\nregex = '''tok-(\\w+)'''\n[[rules.required]]\nid = \"name\"\n[[rules]]\nid = \"name\"\nregex = '''(id) tok-'''\n")
	write("pair/a.yml", "user: anna\npass: q1w2e3r4\nhost: example\nuser: "+strings.Repeat("bert", 12)+"\n\n\n\npass: alone\n")
	git("", "init", "-q", "-b", "main", "staged")
	write("staged/a", "one\ntwo\n")
	commit("staged", "first")
	write("staged/a", "one\ntok-new555\ntwo\n")
	git("staged", "add", "-A")
	write("staged/a", "only in the working tree: tok-not111\n")
	git("", "init", "-q", "-b", "main", "linked")
	git("linked", "remote", "add", "origin", "git@github.com:acme/shop.git")
	write("linked/read me.md", "one\nid: tok-abc123\n")
	write("linked/note.ipynb", "id: tok-abc456\n")
	write("linked/src/a.go", "x\nkey = \"q1w2\ne3r4\"\n")
	commit("linked", "first")
	git("known", "init", "-q", "-b", "main")
	commit("known", "first")
	write("ends.toml", "[[rules]]\nid = \"behind\"\nregex = '''word=(\\w+)\\s+'''\nkeywords = [\"word\"]\n[[rules]]\nid = \"block\"\nregex = '''(?s)begin.*?(end)?\\n'''\nkeywords = [\"begin\"]\n")
	write("ends/a.txt", "word=q1w2e3r4\nword=t5z6\n\n\n\nx\nbegin\nend\n\nlast word=u7i8\n")
	write("ends/b.txt", "word=o9p0 \n")
	git("pair", "init", "-q", "-b", "main")
	commit("pair", "first")
	git("ends", "init", "-q", "-b", "main")
	commit("ends", "first")
}
