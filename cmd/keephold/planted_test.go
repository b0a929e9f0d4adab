package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// place is where a secret was planted: a path, and a commit when one holds it.
type place struct{ what, path, commit string }

// plot is a repository that real git made, and the secrets planted in it. They are drawn, so that none stands here.
type plot struct {
	t       *testing.T
	dir     string
	day     int
	random  *rand.Rand
	planted map[string]place
}

func newPlot(t *testing.T, format string) *plot {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("git makes these repositories, and there is none")
	}
	p := &plot{t: t, dir: filepath.Join(t.TempDir(), "repo"), random: rand.New(rand.NewPCG(1, 2)), planted: map[string]place{}}
	p.gitAt(filepath.Dir(p.dir), "init", "-q", "-b", "main", "--object-format="+format, p.dir)
	return p
}

func (p *plot) git(args ...string) string { p.t.Helper(); return p.gitAt(p.dir, args...) }

func (p *plot) gitAt(dir string, args ...string) string {
	p.t.Helper()
	c := exec.Command("git", append([]string{"-c", "protocol.file.allow=always"}, args...)...)
	date := fmt.Sprintf("2024-01-%02dT12:00:00Z", 1+p.day%28)
	c.Dir, c.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.org",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.org", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := c.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// draw makes a secret for a place.
func (p *plot) draw(what, path string) string {
	b := make([]byte, 36)
	for i := range b {
		b[i] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"[p.random.IntN(56)]
	}
	s := "gh" + "p_" + string(b)
	p.planted[s] = place{what: what, path: path}
	return s
}

// holds notes the commit that brought a secret.
func (p *plot) holds(secret, commit string) {
	at := p.planted[secret]
	at.commit = commit
	p.planted[secret] = at
}

func (p *plot) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plot) commit(message string) string {
	p.t.Helper()
	p.day++
	p.git("add", "-A")
	p.git("commit", "-q", "--allow-empty", "-m", message)
	return p.git("rev-parse", "HEAD")
}

// plant puts a secret into a file of its own and commits it.
func (p *plot) plant(what, path string) {
	s := p.draw(what, path)
	p.write(path, "token = "+s+"\n")
	p.holds(s, p.commit(what))
}

// found is what a scan says, as its JSON has it.
type found struct {
	Complete bool `json:"complete"`
	Findings []struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
		Path   string `json:"path"`
		Line   int    `json:"line"`
		Commit string `json:"commit"`
		Object string `json:"object"`
		Author string `json:"author"`
	} `json:"findings"`
	Scanned struct {
		Skipped []struct {
			Why   string `json:"why"`
			Count int    `json:"count"`
		} `json:"skipped"`
		Notes []string `json:"notes"`
	} `json:"scanned"`
}

// scanned runs a scan with the binary in a directory and answers its exit code, its report and its talk.
func scanned(t *testing.T, dir string, args ...string) (int, found, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, talk bytes.Buffer
	args = append([]string{"keephold", "scan"}, append(args, "--show", "--format", "json")...)
	c := &exec.Cmd{Path: exe, Args: args, Dir: dir, Stdout: &out, Stderr: &talk, Env: append(os.Environ(), belowTests+"=1", "NO_COLOR=1")}
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var f found
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &f); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out.String())
		}
	}
	return c.ProcessState.ExitCode(), f, talk.String()
}

// all scans the repository at path and wants each planted secret, at its path and with its commit, and no other. What is
// absent is named.
func (p *plot) all(stage, path string, absent ...string) {
	p.t.Helper()
	code, f, talk := scanned(p.t, p.dir, "git", path)
	if code != 10 || !f.Complete {
		p.t.Errorf("%s: exit code %d, complete %v\n%s", stage, code, f.Complete, talk)
	}
	missing := map[string]place{}
	for s, at := range p.planted {
		if !slices.Contains(absent, at.what) {
			missing[s] = at
		}
	}
	for _, x := range f.Findings {
		at, ok := p.planted[x.Secret]
		if !ok {
			p.t.Errorf("%s: never planted: %s", stage, x.Path)
			continue
		}
		delete(missing, x.Secret)
		if at.path != x.Path && (at.path != "*" || !strings.HasPrefix(x.Path, "blob ")) || at.commit != "" && at.commit != x.Commit {
			p.t.Errorf("%s: %s: stands at %q of %q, found at %q of %q", stage, at.what, at.path, at.commit, x.Path, x.Commit)
		}
	}
	for _, at := range missing {
		p.t.Errorf("%s: not found: %s, %s", stage, at.what, at.path)
	}
}

// lines is a text long enough for git to keep its next version as a delta.
func (p *plot) lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d of the file, with %d\n", i, p.random.IntN(1000))
	}
	return b.String()
}

// TestEveryPlantedSecretIsFound plants a secret everywhere git can hold one and has the binary find each: with its
// objects loose, packed and borrowed, from working trees, bare repositories and below, in both object formats.
func TestEveryPlantedSecretIsFound(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			p := newPlot(t, format)
			p.everywhere(format)
			p.all("loose", ".")
			p.all("from below", filepath.Join(p.dir, "deep", "er"))
			p.all("git directory", filepath.Join(p.dir, ".git"))

			tree := filepath.Join(t.TempDir(), "tree")
			p.git("worktree", "add", "-q", "--detach", tree, "main~1")
			s := p.draw("index of a linked worktree", "*")
			if err := os.WriteFile(filepath.Join(tree, "wt.txt"), []byte("token = "+s+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			p.gitAt(tree, "add", "wt.txt")
			p.all("worktree", tree)

			p.git("-c", "pack.window=50", "repack", "-q", "-a", "-d", "-k", "-f")
			p.all("packed", ".")
			p.git("-c", "pack.indexVersion=1", "-c", "repack.usedeltabaseoffset=false", "repack", "-q", "-a", "-d", "-k", "-f")
			p.all("packed with deltas by name and the old index", ".")
			p.git("multi-pack-index", "write")
			p.git("pack-refs", "--all")
			p.all("packed refs, and an index over packs", ".")

			bare := filepath.Join(t.TempDir(), "bare.git")
			if err := os.CopyFS(bare, os.DirFS(filepath.Join(p.dir, ".git"))); err != nil {
				t.Fatal(err)
			}
			p.gitAt(bare, "config", "core.bare", "true")
			p.all("bare", bare)

			borrowed := filepath.Join(t.TempDir(), "borrowed")
			p.git("clone", "-q", "--shared", p.dir, borrowed)
			again := filepath.Join(t.TempDir(), "again")
			p.git("clone", "-q", "--shared", borrowed, again)
			own := p.draw("commit of a repository that borrows", "own.txt")
			if err := os.WriteFile(filepath.Join(again, "own.txt"), []byte(own+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			p.gitAt(again, "add", "-A")
			p.gitAt(again, "commit", "-q", "-m", "own")
			p.holds(own, p.gitAt(again, "rev-parse", "HEAD"))
			p.all("alternates of alternates", again, "submodule", "submodule of a submodule") // those did not come along
		})
	}
}

// everywhere plants a secret in each kind of place.
func (p *plot) everywhere(format string) {
	p.files()
	p.messages()
	p.branches()
	p.submodules(format)
	p.stashes()
	p.leavings()
}

func (p *plot) files() {
	long := p.lines(400)
	p.write("long.txt", long)
	p.write("deep/er/config.txt", "nothing\n")
	p.commit("first")
	s := p.draw("changed line of a long file", "long.txt")
	p.write("long.txt", strings.Replace(long, "line 200 of", "line 200 "+s+" of", 1))
	p.holds(s, p.commit("second"))
	p.write("long.txt", long)
	s = p.draw("UTF-16", "wide.txt")
	wide := []byte{0xff, 0xfe}
	for _, c := range []byte("key = " + s + "\r\n") {
		wide = append(wide, c, 0)
	}
	p.write("wide.txt", string(wide))
	p.holds(s, p.commit("wide"))
	p.plant("name with blanks and letters", "deep/er/ein Schlüssel;$(x).txt")
	s = p.draw("target of a symbolic link", "link")
	if err := os.Symlink("token="+s, filepath.Join(p.dir, "link")); err != nil {
		p.t.Fatal(err)
	}
	p.holds(s, p.commit("link"))
	p.plant("file that became a directory", "turned")
	p.git("rm", "-q", "turned")
	p.plant("directory that was a file", "turned/inner")
	p.plant("deleted file", "deleted.txt")
	p.git("rm", "-q", "deleted.txt")
	p.commit("deletion")
}

func (p *plot) messages() {
	p.holds(p.messaged("commit message", "", func(s string) { p.git("commit", "-q", "--allow-empty", "-m", "message with "+s) }), p.git("rev-parse", "HEAD"))
	p.holds(p.messaged("end of a long commit message", "", func(s string) {
		p.git("commit", "-q", "--allow-empty", "-m", "message\n\n"+strings.Repeat("words and words\n", 200)+s)
	}), p.git("rev-parse", "HEAD"))
	p.messaged("tag message", "", func(s string) { p.git("tag", "-a", "v1", "-m", "tag with "+s) })
	p.messaged("message of a tag of a tag", "", func(s string) { p.git("-c", "advice.nestedTag=false", "tag", "-a", "v1-again", "-m", s, "v1") })
	p.messaged("note", p.git("rev-parse", "HEAD"), func(s string) { p.git("notes", "add", "-m", s) })
}

func (p *plot) messaged(what, path string, act func(secret string)) string {
	s := p.draw(what, path)
	act(s)
	return s
}

func (p *plot) branches() {
	for _, b := range []string{"one", "two", "three"} {
		p.git("checkout", "-q", "-b", b, "main")
		p.write(b, "branch\n")
		p.commit(b)
	}
	p.git("checkout", "-q", "one")
	p.git("merge", "-q", "--no-ff", "--no-commit", "two")
	p.plant("content of a merge only", "merged")
	p.git("checkout", "-q", "-b", "four", "main")
	p.write("four", "branch\n")
	p.commit("four")
	p.git("checkout", "-q", "one")
	p.git("merge", "-q", "--no-commit", "three", "four")
	p.plant("content of an octopus only", "deep/octopus")
	if n := len(strings.Fields(p.git("rev-list", "--parents", "-n", "1", "HEAD"))); n != 4 {
		p.t.Fatalf("the octopus has %d parents", n-1)
	}
	p.git("checkout", "-q", "--orphan", "roots")
	p.plant("branch without a common root", "orphan.txt")
	p.git("checkout", "-q", "main")
	p.git("update-ref", "refs/remotes/origin/topic", "roots")
	p.git("branch", "-q", "-D", "roots")
}

func (p *plot) submodules(format string) {
	inner, outer := newPlot(p.t, format), newPlot(p.t, format)
	inner.random, outer.random = p.random, p.random
	inner.plant("submodule of a submodule", "inner.txt")
	outer.plant("submodule", "outer.txt")
	outer.git("submodule", "add", "-q", inner.dir, "libs/inner")
	outer.commit("with inner")
	p.git("submodule", "add", "-q", outer.dir, "vendor/outer")
	p.git("submodule", "update", "-q", "--init", "--recursive")
	p.commit("with outer")
	for prefix, from := range map[string]*plot{"vendor/outer/": outer, "vendor/outer/libs/inner/": inner} {
		for s, at := range from.planted {
			at.path = prefix + at.path
			p.planted[s] = at
		}
	}
}

func (p *plot) stashes() {
	p.write("changed.txt", "x\n")
	p.commit("before the stash")
	p.write("changed.txt", p.draw("stashed change", "changed.txt")+"\n")
	p.write("staged.txt", p.draw("stashed index", "staged.txt")+"\n")
	p.git("add", "staged.txt")
	p.write("untracked.txt", p.draw("stashed untracked file", "untracked.txt")+"\n")
	p.git("stash", "push", "-q", "--include-untracked")
}

// leavings are objects that no ref reaches.
func (p *plot) leavings() {
	p.plant("unreachable commit", "gone.txt")
	p.git("reset", "-q", "--hard", "HEAD~1")
	p.plant("amended commit", "amended.txt")
	p.write("amended.txt", "clean\n")
	p.git("add", "-A")
	p.git("commit", "-q", "--amend", "-m", "clean")
	p.write("index.txt", p.draw("index only", "*")+"\n")
	p.git("add", "index.txt")
	p.git("reset", "-q", "--hard")
	p.write("blob", p.draw("tagged blob", "*")+"\n")
	p.git("tag", "of-a-blob", p.git("hash-object", "-w", "blob"))
	if err := os.Remove(filepath.Join(p.dir, "blob")); err != nil {
		p.t.Fatal(err)
	}
}

// TestPartsOfARepository wants a scan of what is not all there to find what is, and never to call itself complete.
func TestPartsOfARepository(t *testing.T) {
	p := newPlot(t, "sha1")
	p.plant("old", "a")
	p.plant("new", "a")
	p.git("config", "uploadpack.allowFilter", "true")
	for name, c := range map[string]struct {
		flags []string
		want  []string
		why   string
	}{
		"shallow":                {[]string{"--depth", "1"}, []string{"new"}, "history before a shallow boundary"},
		"without blobs":          {[]string{"--filter=blob:none"}, []string{"new"}, "object not in this clone"},
		"without trees":          {[]string{"--filter=tree:0"}, []string{"new"}, "object not in this clone"},
		"without blobs and bare": {[]string{"--filter=blob:none", "--bare"}, nil, "object not in this clone"},
	} {
		t.Run(name, func(t *testing.T) {
			clone := filepath.Join(t.TempDir(), "clone")
			p.git(append(append([]string{"clone", "-q"}, c.flags...), "file://"+p.dir, clone)...)
			code, f, talk := scanned(t, clone, "git")
			var got []string
			for _, x := range f.Findings {
				at := p.planted[x.Secret]
				got = append(got, at.what)
				if x.Path != at.path || x.Commit != at.commit {
					t.Errorf("%s stands at %q of %q, found at %q of %q", at.what, at.path, at.commit, x.Path, x.Commit)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if code != map[bool]int{true: 10, false: 11}[len(c.want) > 0] || f.Complete || len(f.Scanned.Skipped) != 1 || f.Scanned.Skipped[0].Why != c.why {
				t.Errorf("exit code %d, complete %v, skipped %v", code, f.Complete, f.Scanned.Skipped)
			}
			if !strings.Contains(talk, "not scanned: ") {
				t.Errorf("it does not say what it missed:\n%s", talk)
			}
		})
	}
}
