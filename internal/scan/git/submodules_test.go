package git_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/git"
)

// TestSubmodules finds in one run what a repository and its submodules hold, checked out or not.
func TestSubmodules(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(13, 14)), map[string]string{}}
	inner, outer, top := newRepo(t), newRepo(t), newRepo(t)
	inner.write("deep.txt", p.secret("submodule of a submodule")+"\n")
	inner.commit("inner")
	outer.write("a.txt", p.secret("submodule")+"\n")
	outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", inner.dir, "libs/inner")
	outer.commit("outer")
	top.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", outer.dir, "vendor/outer")
	top.git("-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init", "--recursive")
	top.write("b.txt", p.secret("top")+"\n")
	top.commit("top")
	check := func(want map[string]bool) {
		t.Helper()
		repo, err := git.Open(top.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer repo.Close()
		sources := []scan.Source{&git.History{Repo: repo}}
		subs, err := repo.Submodules()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subs {
			defer s.Repo.Close()
			sources = append(sources, &git.History{Repo: s.Repo, Prefix: s.Path + "/"})
		}
		e, err := leak.Compile(leak.Rules())
		if err != nil {
			t.Fatal(err)
		}
		report, err := scan.Run(context.Background(), scan.Options{Sources: sources, Finder: e})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) != len(want) {
			t.Errorf("%d findings, want %d", len(report.Findings), len(want))
		}
		for _, f := range report.Findings {
			if !want[f.Path] || p.planted[f.Secret] == "" {
				t.Errorf("found at %s", f.Path)
			}
		}
	}
	check(map[string]bool{"b.txt": true, "vendor/outer/a.txt": true, "vendor/outer/libs/inner/deep.txt": true})
	if err := os.RemoveAll(filepath.Join(top.dir, "vendor")); err != nil {
		t.Fatal(err)
	}
	check(map[string]bool{"b.txt": true, "vendor/outer/a.txt": true, "vendor/outer/libs/inner/deep.txt": true})
}

// TestPartial counts the blobs that a partial clone does not hold, and finds what is in those that it holds.
func TestPartial(t *testing.T) {
	p := &planter{rand.New(rand.NewPCG(15, 16)), map[string]string{}}
	r := newRepo(t)
	r.write("a", p.secret("old"))
	r.commit("first")
	now := p.secret("now")
	r.write("a", now)
	r.commit("second")
	r.git("config", "uploadpack.allowFilter", "true")
	clone := filepath.Join(t.TempDir(), "clone")
	r.git("clone", "-q", "--filter=blob:none", "file://"+r.dir, clone)
	report := run(t, clone, history)
	if len(report.Findings) != 1 || report.Findings[0].Secret != now {
		t.Errorf("found %+v", report.Findings)
	}
	if s := report.Coverage.Skipped; len(s) != 1 || s[0].Why != "object not in this clone" || s[0].Count != 1 {
		t.Errorf("skipped %+v", s)
	}
}
