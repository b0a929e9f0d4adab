package gitleaks_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
	"github.com/keephold/keephold/internal/scan/git"
	"github.com/keephold/keephold/internal/scan/gitleaks"
	"github.com/keephold/keephold/internal/scan/report"
)

// leakKey is what both scanners must agree about. The peer reports a secret for each commit that adds its line, ours once.
type leakKey struct{ rule, file, secret string }

// leakPlace is where a scanner says that it stands.
type leakPlace struct {
	commit string
	line   int
}

// TestParity scans whole histories and their checked out trees with gitleaks and with its own configuration on our engine:
// whatever gitleaks finds must be found. PARITY_REPOSITORIES names repositories, separated by colons, PARITY_CONFIG gitleaks'
// config/gitleaks.toml, PARITY_GITLEAKS the program (gitleaks). PARITY_LOG_OPTS has the peer look at a part of the histories
// only, because the whole of a large one takes it half an hour: --all --full-history -n 2500.
func TestParity(t *testing.T) {
	list, config := os.Getenv("PARITY_REPOSITORIES"), os.Getenv("PARITY_CONFIG")
	if list == "" || config == "" {
		t.Skip("PARITY_REPOSITORIES or PARITY_CONFIG is not set")
	}
	for _, path := range strings.Split(list, ":") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			repo, err := git.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = repo.Close() }()
			args := []string{"git", path}
			if opts := os.Getenv("PARITY_LOG_OPTS"); opts != "" {
				args = append(args, "--log-opts="+opts)
			}
			compare(t, peerFinds(t, config, args), ourFinds(t, config, &git.History{Repo: repo}))
			if repo.Work() != "" {
				t.Chdir(repo.Work())
				compare(t, peerFinds(t, config, []string{"dir", "."}), ourFinds(t, config, &files.Source{Roots: []string{"."}}))
			}
		})
	}
}

// TestParityOfDirectories scans the trees of PARITY_DIRECTORIES (separated by colons) as TestParity does, and wants both to say
// the same of the same places, to the column.
func TestParityOfDirectories(t *testing.T) {
	list, config := os.Getenv("PARITY_DIRECTORIES"), os.Getenv("PARITY_CONFIG")
	if list == "" || config == "" {
		t.Skip("PARITY_DIRECTORIES or PARITY_CONFIG is not set")
	}
	for _, path := range strings.Split(list, ":") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Chdir(path)
			peer, ours := map[peerFind]bool{}, map[peerFind]bool{}
			for _, f := range peerReports(t, config, []string{"dir", "."}) {
				peer[f] = true // it reports what an encoded text holds twice as often
			}
			write, _ := report.For("gitleaks")
			var b bytes.Buffer
			if err := write(&b, ourReport(t, config, &files.Source{Roots: []string{"."}, Targets: true}), report.Options{Show: true}); err != nil {
				t.Fatal(err)
			}
			for _, f := range parsePeer(t, b.Bytes()) {
				ours[f] = true
			}
			for f := range peer {
				if f.EndColumn == 0 { // it forgets the end of a match that a file without a last line end ends with
					delete(peer, f)
					maps.DeleteFunc(ours, func(o peerFind, _ bool) bool {
						f.EndLine, f.EndColumn = o.EndLine, o.EndColumn
						return o == f
					})
				} else if !ours[f] {
					t.Errorf("not found: %s in %s:%d:%d to %d:%d", f.RuleID, f.File, f.StartLine, f.StartColumn, f.EndLine, f.EndColumn)
				}
			}
			for f := range ours {
				if !peer[f] {
					t.Errorf("ours alone: %s in %s:%d:%d to %d:%d", f.RuleID, f.File, f.StartLine, f.StartColumn, f.EndLine, f.EndColumn)
				}
			}
			t.Logf("%d findings", len(peer))
		})
	}
}

// peerFind is what a report of gitleaks says of a find.
type peerFind struct {
	RuleID, File, Secret, Match, Commit        string
	StartLine, EndLine, StartColumn, EndColumn int
	Entropy                                    float32
}

func parsePeer(t *testing.T, raw []byte) (found []peerFind) {
	t.Helper()
	if err := json.Unmarshal(raw, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func peerFinds(t *testing.T, config string, args []string) map[leakKey][]leakPlace {
	t.Helper()
	out := map[leakKey][]leakPlace{}
	for _, f := range peerReports(t, config, args) {
		k := leakKey{f.RuleID, f.File, f.Secret}
		out[k] = append(out[k], leakPlace{f.Commit, f.StartLine})
	}
	return out
}

func peerReports(t *testing.T, config string, args []string) []peerFind {
	t.Helper()
	name := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.Command(cmp.Or(os.Getenv("PARITY_GITLEAKS"), "gitleaks"), append(args, "-c", config, "--no-banner", "--exit-code=0", "-l=error", "-f=json", "-r", name)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return parsePeer(t, raw)
}

func ourFinds(t *testing.T, config string, src scan.Source) map[leakKey][]leakPlace {
	t.Helper()
	out := map[leakKey][]leakPlace{}
	for _, f := range ourReport(t, config, src).Findings {
		k := leakKey{f.Rule, f.Path, f.Secret}
		out[k] = append(out[k], leakPlace{f.Commit, f.Line})
	}
	return out
}

func ourReport(t *testing.T, config string, src scan.Source) scan.Report {
	t.Helper()
	set, err := gitleaks.Load(config)
	if err != nil {
		t.Fatal(err)
	}
	report, err := scan.Run(context.Background(), scan.Options{Sources: []scan.Source{src}, Finder: set.Finder, Keep: set.Keep, Named: set.Named})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// compare fails for what the peer alone found. What we alone found is in merges, in objects that no commit holds and in
// lines whose keyword stands in a line that the commit left as it was: the peer sees added lines only.
func compare(t *testing.T, peer, ours map[leakKey][]leakPlace) {
	t.Helper()
	more, elsewhere := 0, 0
	for k, places := range peer {
		mine, ok := ours[k]
		if !ok {
			t.Errorf("not found: %s in %s, %d times, first in line %d of commit %s", k.rule, k.file, len(places), places[0].line, places[0].commit)
			continue
		}
		if !meet(places, mine) {
			elsewhere++
			t.Logf("%s in %s: the peer has line %d of %.8s, ours is line %d of %.8s", k.rule, k.file, places[0].line, places[0].commit, mine[0].line, mine[0].commit)
		}
	}
	for k := range ours {
		if peer[k] == nil {
			more++
		}
	}
	t.Logf("%d secrets of the peer, %d more of ours; of the common ones %d have their oldest place elsewhere", len(peer), more, elsewhere)
}

// meet reports that the lists have a place in common.
func meet(a, b []leakPlace) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}
