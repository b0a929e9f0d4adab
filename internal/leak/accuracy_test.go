package leak_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/leak"
)

// place is a line of a file of a repository.
type place struct {
	repo, path string
	line       int
}

// TestRepositories reports recall, precision and F1 over public repositories whose secrets were labelled by hand before
// any rule was tuned on them (testdata/accuracy/labels.tsv). LEAK_REPOSITORIES is a directory with a plain export of each
// commit, named owner+name. LEAK_GITLEAKS names a gitleaks program to score beside ours, on the same files.
// LEAK_VERBOSE=1 prints the places that are judged wrongly.
func TestRepositories(t *testing.T) {
	root := os.Getenv("LEAK_REPOSITORIES")
	if root == "" {
		t.Skip("LEAK_REPOSITORIES is not set")
	}
	repos, labels := readLabels(t)
	engine, err := leak.Compile(leak.Rules())
	if err != nil {
		t.Fatal(err)
	}
	ours := findingsOf(t, root, repos, engine)
	score(t, "ours", repos, labels, ours)
	if program := os.Getenv("LEAK_GITLEAKS"); program != "" {
		score(t, "gitleaks", repos, labels, gitleaksFindings(t, program, root, repos))
	}
}

// readLabels returns the repositories in their order and the label of each labelled place.
func readLabels(t *testing.T) ([]string, map[place]string) {
	f, err := os.Open("testdata/accuracy/labels.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var repos []string
	labels := map[place]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		switch {
		case strings.HasPrefix(lines.Text(), "#"):
		case len(cells) == 3 && cells[0] == "commit":
			repos = append(repos, cells[1])
		case len(cells) == 5 && (cells[3] == "secret" || cells[3] == "weak"):
			var n int
			if _, err := fmt.Sscan(cells[2], &n); err != nil {
				t.Fatalf("line %q: %v", lines.Text(), err)
			}
			labels[place{cells[0], cells[1], n}] = cells[3]
		default:
			t.Fatalf("line %q is no label", lines.Text())
		}
	}
	if lines.Err() != nil || len(repos) == 0 {
		t.Fatalf("%d repositories, %v", len(repos), lines.Err())
	}
	return repos, labels
}

// found is a finding of some scanner: the lines that it covers.
type found struct {
	place
	last int
	rule string
}

func findingsOf(t *testing.T, root string, repos []string, finder leak.Finder) []found {
	var out []found
	for _, repo := range repos {
		base := filepath.Join(root, strings.ReplaceAll(repo, "/", "+"))
		err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			path, err := filepath.Rel(base, name)
			if err != nil {
				return err
			}
			for m := range finder.Find(text) {
				line := 1 + bytes.Count(text[:m.Start], []byte("\n"))
				out = append(out, found{place{repo, filepath.ToSlash(path), line}, line + bytes.Count(text[m.Start:m.End], []byte("\n")), m.Rule})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func gitleaksFindings(t *testing.T, program, root string, repos []string) []found {
	var out []found
	for _, repo := range repos {
		base := filepath.Join(root, strings.ReplaceAll(repo, "/", "+"))
		report := filepath.Join(t.TempDir(), "report.json")
		cmd := exec.Command(program, "dir", "--no-banner", "--exit-code", "0", "-l", "error", "-f", "json", "-r", report, ".")
		cmd.Dir = base
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, text)
		}
		raw, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		var list []struct {
			RuleID, File       string
			StartLine, EndLine int
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			out = append(out, found{place{repo, filepath.ToSlash(f.File), f.StartLine}, f.EndLine, f.RuleID})
		}
	}
	return out
}

// score counts labelled places, so that two findings on one line are one.
func score(t *testing.T, who string, repos []string, labels map[place]string, list []found) {
	t.Helper()
	type tally struct{ hit, missed, wrong int }
	by := map[string]*tally{"all": {}}
	for _, r := range repos {
		by[r] = &tally{}
	}
	seen, wrong := map[place]bool{}, map[place]bool{}
	for _, f := range list {
		labelled := false
		for n := f.line; n <= f.last; n++ {
			p := place{f.repo, f.path, n}
			if labels[p] != "" {
				labelled, seen[p] = true, true
			}
		}
		if !labelled && !wrong[f.place] {
			wrong[f.place] = true
			by[f.repo].wrong++
			by["all"].wrong++
			if os.Getenv("LEAK_VERBOSE") != "" {
				t.Logf("%s FALSE %s %s:%d %s", who, f.repo, f.path, f.line, f.rule)
			}
		}
	}
	for p, label := range labels {
		if label != "secret" {
			continue
		}
		for _, s := range []*tally{by[p.repo], by["all"]} {
			if seen[p] {
				s.hit++
			} else {
				s.missed++
			}
		}
		if !seen[p] && os.Getenv("LEAK_VERBOSE") != "" {
			t.Logf("%s MISS %s %s:%d", who, p.repo, p.path, p.line)
		}
	}
	for _, name := range append(slices.Clone(repos), "all") {
		s := by[name]
		recall, precision := ratio(s.hit, s.hit+s.missed), ratio(s.hit, s.hit+s.wrong)
		t.Logf("%-9s %-24s recall %.3f precision %.3f F1 %.3f (hit %d, missed %d, false %d)", who, name, recall, precision, 2*recall*precision/max(recall+precision, 1e-9), s.hit, s.missed, s.wrong)
	}
}

func ratio(a, b int) float64 { return float64(a) / float64(max(1, b)) }
