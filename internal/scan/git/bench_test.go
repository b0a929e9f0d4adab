package git_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/git"
)

// BenchmarkHistory scans the whole history of the repository that SCAN_REPO names, and says what the floor is: every
// packed blob and commit rebuilt once and not looked at.
func BenchmarkHistory(b *testing.B) {
	path := os.Getenv("SCAN_REPO")
	if path == "" {
		b.Skip("SCAN_REPO is not set")
	}
	for b.Loop() {
		began := time.Now()
		engine, err := leak.Compile(leak.Rules())
		if err != nil {
			b.Fatal(err)
		}
		repo, err := git.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		report, err := scan.Run(context.Background(), scan.Options{Sources: []scan.Source{&git.History{Repo: repo}}, Finder: engine})
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		began = time.Now()
		bare := &git.History{Repo: repo}
		if _, err := bare.Each(context.Background(), func(scan.Chunk) int { return 0 }); err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.Logf("scan %v, rebuild only %v; %d chunks, %d MB looked at, %d commits, %d findings, heap %d MB, skipped %v",
			took, time.Since(began), report.Coverage.Chunks, report.Coverage.Bytes>>20, report.Coverage.Commits, len(report.Findings), m.HeapSys>>20, report.Coverage.Skipped)
		if os.Getenv("SCAN_SHOW") != "" {
			for _, f := range report.Findings {
				b.Logf("%s:%d %s %d %q %s", f.Path, f.Line, f.Rule, f.Score, f.Secret[:min(len(f.Secret), 40)], f.Commit[:min(7, len(f.Commit))])
			}
		}
		repo.Close()
	}
}
