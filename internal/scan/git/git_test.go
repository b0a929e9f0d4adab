package git_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/git"
)

// planter makes secrets and remembers them, so that none stands in this file.
type planter struct {
	r       *rand.Rand
	planted map[string]string
}

func (p *planter) secret(where string) string {
	b := make([]byte, 36)
	for i := range b {
		b[i] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"[p.r.IntN(56)]
	}
	s := "gh" + "p_" + string(b)
	p.planted[s] = where
	return s
}

type repo struct {
	t   *testing.T
	dir string
	day int
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	c := exec.Command("git", args...)
	c.Dir = r.dir
	date := fmt.Sprintf("2024-01-%02dT12:00:00Z", 1+r.day%28)
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date, "GIT_ALLOW_PROTOCOL=file")
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) commit(message string) string {
	r.day++
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

func newRepo(t *testing.T, args ...string) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("these tests compare with git and need it")
	}
	r := &repo{t: t, dir: t.TempDir()}
	r.git(append([]string{"init", "-q", "-b", "main"}, args...)...)
	return r
}

func run(t *testing.T, path string, source func(*git.Repo) scan.Source) scan.Report {
	t.Helper()
	e, err := leak.Compile(leak.Rules())
	if err != nil {
		t.Fatal(err)
	}
	g, err := git.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	report, err := scan.Run(context.Background(), scan.Options{Sources: []scan.Source{source(g)}, Finder: e})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func history(g *git.Repo) scan.Source { return &git.History{Repo: g} }

func lines(r *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d of the file, with %d\n", i, r.IntN(1000))
	}
	return b.String()
}

// TestHistory plants a secret everywhere git can hold one and finds each, loose and packed, in both object formats.
func TestHistory(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			p := &planter{rand.New(rand.NewPCG(1, 2)), map[string]string{}}
			r := newRepo(t, "--object-format="+format)
			long := lines(p.r, 400)
			r.write("long.txt", long)
			r.write("a/b/config.txt", "nothing\n")
			r.commit("first")
			want := map[string]string{}
			s := p.secret("changed line of a delta")
			r.write("long.txt", strings.Replace(long, "line 200 of", "line 200 "+s+" of", 1))
			want[s] = r.commit("second")
			r.write("long.txt", long)
			r.write("utf16.txt", "")
			r.commit("third")
			s = p.secret("UTF-16")
			units := []byte{0xff, 0xfe}
			for _, c := range []byte("key = " + s + "\r\n") {
				units = append(units, c, 0)
			}
			r.write("utf16.txt", string(units))
			want[s] = r.commit("wide")
			r.git("commit", "-q", "--allow-empty", "-m", "message with "+p.secret("commit message"))
			r.git("tag", "-a", "v1", "-m", "tag with "+p.secret("tag message"))
			r.write("x", p.secret("stash")+"\n")
			r.git("add", "x")
			r.git("stash")
			for _, b := range []string{"one", "two", "three"} {
				r.git("checkout", "-q", "-b", b, "main")
				r.write(b, "branch\n")
				r.commit(b)
			}
			r.git("checkout", "-q", "one")
			r.git("merge", "-q", "--no-ff", "--no-commit", "two")
			s = p.secret("content of the merge only")
			r.write("merged", s+"\n")
			want[s] = r.commit("merge")
			r.git("merge", "-q", "--no-commit", "three", "main")
			s = p.secret("octopus")
			r.write("a/octopus", s+"\n")
			want[s] = r.commit("octopus")
			r.git("notes", "add", "-m", p.secret("note"))
			r.write("gone", p.secret("unreachable")+"\n")
			r.commit("to be thrown away")
			r.git("reset", "-q", "--hard", "HEAD~1")
			check := func(stage string) {
				report := run(t, r.dir, history)
				if !report.Coverage.Complete() {
					t.Errorf("%s: skipped %v", stage, report.Coverage.Skipped)
				}
				missing := map[string]string{}
				for s, where := range p.planted {
					missing[s] = where
				}
				for _, f := range report.Findings {
					delete(missing, f.Secret)
					if c, ok := want[f.Secret]; ok && f.Commit != c {
						t.Errorf("%s: %s: commit %s, want %s", stage, p.planted[f.Secret], f.Commit, c)
					}
					if p.planted[f.Secret] == "changed line of a delta" && (f.Path != "long.txt" || f.Line != 201 || f.Author != "A" || f.Email != "a@example.org") {
						t.Errorf("%s: place %+v line %d", stage, f.Place, f.Line)
					}
				}
				for _, where := range missing {
					t.Errorf("%s: not found: %s", stage, where)
				}
			}
			check("loose")
			r.git("-c", "gc.reflogExpire=never", "-c", "pack.window=50", "repack", "-q", "-a", "-d", "-k", "-f")
			check("packed")
		})
	}
}

func TestStaged(t *testing.T) {
	for _, version := range []string{"2", "4"} {
		p := &planter{rand.New(rand.NewPCG(3, 4)), map[string]string{}}
		r := newRepo(t)
		old := p.secret("old")
		r.write("dir/a.txt", "x\n"+old+"\n")
		r.write("dir/deep/b.txt", "x\n")
		for i := range 30 {
			r.write(fmt.Sprintf("many/%d/f", i), "x\n")
		}
		r.commit("first")
		r.git("update-index", "--index-version", version)
		if f := run(t, r.dir, func(g *git.Repo) scan.Source { return &git.Staged{Repo: g} }); len(f.Findings) != 0 || len(f.Coverage.Notes) != 1 {
			t.Errorf("nothing staged: %+v", f)
		}
		added := p.secret("staged")
		r.write("dir/a.txt", "x\n"+old+"\nmore\n"+added+"\n")
		r.write("dir/deep/new.txt", added+"\n")
		r.git("add", "-A")
		r.write("dir/a.txt", p.secret("working file only")+"\n")
		f := run(t, r.dir, func(g *git.Repo) scan.Source { return &git.Staged{Repo: g} }).Findings
		if len(f) != 2 || f[0].Path != "dir/a.txt" || f[0].Line != 4 || f[0].Secret != added || f[1].Path != "dir/deep/new.txt" {
			t.Errorf("index version %s: %+v", version, f)
		}
	}
}

func TestRange(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(5, 6)), map[string]string{}}
	r := newRepo(t)
	r.write("a", p.secret("before")+"\n")
	first := r.commit("first")
	in := p.secret("in the range")
	r.write("d/b", in+"\n")
	second := r.commit("second")
	r.write("d/b", in+"\nand more\n")
	r.commit("third")
	for _, args := range [][]string{{first + ".." + "HEAD"}, {"main", "^" + first[:10]}, {"HEAD~2..HEAD~1"}} {
		f := run(t, r.dir, func(g *git.Repo) scan.Source { return git.ParseRange(g, args) }).Findings
		if len(f) != 1 || f[0].Secret != in || f[0].Commit != second || f[0].Path != "d/b" {
			t.Errorf("%v: %+v", args, f)
		}
	}
	empty := run(t, r.dir, func(g *git.Repo) scan.Source { return git.ParseRange(g, []string{"HEAD..HEAD"}) })
	if len(empty.Coverage.Notes) != 1 {
		t.Errorf("an empty range says nothing: %+v", empty.Coverage)
	}
}

// TestCopied has a pack of deltas that all copy a secret of their base, which is the newest version: the oldest one that
// holds it is told, and no version is looked at whole for it.
func TestCopied(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(13, 14)), map[string]string{}}
	r := newRepo(t)
	text := strings.SplitAfter(lines(p.r, 4000), "\n")
	r.write("long.txt", strings.Join(text, ""))
	r.commit("clean")
	text[2000] = "token " + p.secret("copied") + "\n"
	r.write("long.txt", strings.Join(text, ""))
	first := r.commit("planted")
	for i := range 20 {
		text[100+150*i] = fmt.Sprintf("changed %d\n", i)
		r.write("long.txt", strings.Join(text, ""))
		r.commit("changed")
	}
	r.git("gc", "-q", "--aggressive")
	report := run(t, r.dir, history)
	if f := report.Findings; len(f) != 1 || f[0].Commit != first || f[0].Line != 2001 {
		t.Errorf("found %+v, want the secret in %s", f, first)
	}
	if size := int64(len(strings.Join(text, ""))); report.Coverage.Bytes > 2*size {
		t.Errorf("looked at %d bytes of a file of %d in 22 versions", report.Coverage.Bytes, size)
	}
}

// TestSeen finds the same again with a cache, and looks at less.
func TestSeen(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(7, 8)), map[string]string{}}
	r := newRepo(t)
	r.write("a", p.secret("one")+"\n")
	r.write("b", lines(p.r, 50))
	r.commit("first")
	path := filepath.Join(t.TempDir(), "seen")
	var chunks []int64
	for range 2 {
		seen, err := git.OpenSeen(path, "rules")
		if err != nil {
			t.Fatal(err)
		}
		report := run(t, r.dir, func(g *git.Repo) scan.Source { return &git.History{Repo: g, Seen: seen} })
		if len(report.Findings) != 1 {
			t.Errorf("found %d, want 1", len(report.Findings))
		}
		if err := seen.Save(); err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, report.Coverage.Chunks)
	}
	if chunks[1] >= chunks[0] {
		t.Errorf("looked at %v chunks", chunks)
	}
}

// TestIncomplete counts what a shallow clone and a damaged object hide.
func TestIncomplete(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(9, 10)), map[string]string{}}
	r := newRepo(t)
	for i := range 5 {
		r.write("a", fmt.Sprint(i, p.secret("x"), "\n"))
		r.commit(fmt.Sprint(i))
	}
	clone := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "-q", "--depth", "1", "file://"+r.dir, clone)
	if c := run(t, clone, history).Coverage; c.Complete() {
		t.Error("a shallow clone counts as complete")
	}
	objects, err := filepath.Glob(filepath.Join(r.dir, ".git", "objects", "??", "*"))
	if err != nil || len(objects) == 0 {
		t.Fatal(objects, err)
	}
	slices.Sort(objects)
	if err := os.Chmod(objects[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(objects[0], []byte("x\x9cgarbage"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c := run(t, r.dir, history).Coverage; c.Complete() || c.Skipped[0].Why != "corrupt object" {
		t.Errorf("a damaged object: %+v", c)
	}
}

// TestPlaces opens repositories by the ways people point at them.
func TestPlaces(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(11, 12)), map[string]string{}}
	r := newRepo(t)
	r.write("sub/a", p.secret("x")+"\n")
	r.commit("first")
	tree, bare, borrowed := filepath.Join(t.TempDir(), "tree"), filepath.Join(t.TempDir(), "bare"), filepath.Join(t.TempDir(), "borrowed")
	r.git("worktree", "add", "-q", "--detach", tree)
	r.git("clone", "-q", "--bare", r.dir, bare)
	r.git("clone", "-q", "--shared", r.dir, borrowed)
	for _, path := range []string{r.dir, filepath.Join(r.dir, "sub"), filepath.Join(r.dir, ".git"), tree, bare, borrowed} {
		if f := run(t, path, history).Findings; len(f) != 1 || f[0].Path != "sub/a" {
			t.Errorf("%s: %+v", path, f)
		}
	}
	if _, err := git.Open(t.TempDir()); err == nil {
		t.Error("an empty directory opens as a repository")
	}
}

// TestLostPacks damages one of two packs in each way that keeps it from being opened. The other is scanned, and what the
// lost one holds is counted.
func TestLostPacks(t *testing.T) {
	for name, damage := range map[string]func(base string) error{
		"index cut short": func(base string) error { return os.Truncate(base+".idx", 1100) },
		"index empty":     func(base string) error { return os.Truncate(base+".idx", 0) },
		"no index":        func(base string) error { return os.Remove(base + ".idx") },
		"index of zeros":  func(base string) error { return os.WriteFile(base+".idx", make([]byte, 4000), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			r, p := newRepo(t), &planter{rand.New(rand.NewPCG(7, 8)), map[string]string{}}
			pack := func() string {
				t.Helper()
				r.git("repack", "-q", "-d")
				packs, err := filepath.Glob(filepath.Join(r.dir, ".git", "objects", "pack", "*.pack"))
				if err != nil {
					t.Fatal(err)
				}
				slices.SortFunc(packs, func(a, b string) int {
					x, _ := os.Stat(a)
					y, _ := os.Stat(b)
					return x.ModTime().Compare(y.ModTime())
				})
				return strings.TrimSuffix(packs[len(packs)-1], ".pack")
			}
			r.write("lost", p.secret("lost"))
			r.commit("first")
			lost := pack()
			kept := p.secret("kept")
			r.write("kept", kept)
			r.commit("second")
			if pack() == lost {
				t.Fatal("there is one pack only")
			}
			for _, ext := range []string{".idx", ".pack"} {
				if err := os.Chmod(lost+ext, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := damage(lost); err != nil {
				t.Fatal(err)
			}
			report := run(t, r.dir, history)
			if len(report.Findings) != 1 || report.Findings[0].Secret != kept {
				t.Errorf("found %d secrets, want that of the other pack", len(report.Findings))
			}
			skipped := report.Coverage.Skipped // and then the commit once more, because a ref wants it
			if len(skipped) != 2 || skipped[0].Count != 3 || !strings.Contains(skipped[0].Example, filepath.Base(lost)) {
				t.Errorf("skipped %+v, want the commit, tree and blob of %s", skipped, filepath.Base(lost))
			}
		})
	}
}

// TestLost loses objects that refs reach. A repository in which unreachable ones were lost, or a shallow one, is whole.
func TestLost(t *testing.T) {
	for name, tt := range map[string]struct {
		lose  string // a revision
		count int64
	}{
		"nothing":              {"", 0},
		"a blob":               {"HEAD:dir/a", 1},
		"a tree below":         {"HEAD~1:dir", 1},
		"a tree":               {"HEAD^{tree}", 1},
		"a commit":             {"HEAD~1", 1},
		"what a ref names":     {"HEAD", 1},
		"what an old ref says": {"old", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			r.write("dir/a", "one\n")
			r.commit("first")
			r.write("dir/a", "two\n")
			old := r.commit("second")
			r.git("pack-refs", "--all")
			r.write("dir/a", "three\n")
			r.git("add", "-A")
			r.git("commit", "-q", "--amend", "-m", "second again")
			r.git("reflog", "expire", "--expire=now", "--all")
			r.write("dir/b", "four\n")
			r.commit("third")
			if tt.lose != "" {
				x := old
				if tt.lose != "old" {
					x = r.git("rev-parse", tt.lose)
				}
				if err := os.Remove(filepath.Join(r.dir, ".git", "objects", x[:2], x[2:])); err != nil {
					t.Fatal(err)
				}
			}
			g, err := git.Open(r.dir)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			h := &git.History{Repo: g}
			e, err := leak.Compile(leak.Rules())
			if err != nil {
				t.Fatal(err)
			}
			report, err := scan.Run(context.Background(), scan.Options{Sources: []scan.Source{h}, Finder: e})
			if err != nil {
				t.Fatal(err)
			}
			n := int64(0)
			for _, s := range report.Coverage.Skipped {
				n += s.Count
			}
			if n != tt.count {
				t.Errorf("skipped %+v, want %d", report.Coverage.Skipped, tt.count)
			}
		})
	}
}

// TestLostWhileSomebodyCommits finds nothing lost in what came after the scan had begun.
func TestLostWhileSomebodyCommits(t *testing.T) {
	for _, pack := range []bool{false, true} {
		r := newRepo(t)
		r.write("a", "one\n")
		r.commit("first")
		g, err := git.Open(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		h := &git.History{Repo: g}
		none := func(scan.Chunk) []scan.Region { return nil }
		if _, err := h.Each(context.Background(), none); err != nil {
			t.Fatal(err)
		}
		r.write("a", "two\n")
		r.commit("second")
		if pack {
			r.git("gc", "-q")
		}
		if cover := h.Lost(context.Background()); len(cover.Skipped) > 0 {
			t.Errorf("packed %v: skipped %+v", pack, cover.Skipped)
		}
	}
}
