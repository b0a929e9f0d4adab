//go:build unix

package git_test

import (
	"bufio"
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/git"
)

// BenchmarkHistory scans the whole history of the repositories that SCAN_REPOS names (separated by colons), beside the
// floor: every entry of the packs but trees inflated once, by the standard library and by our own inflater. Rounds of all
// are interleaved; the metrics are CPU time, because that of a shared machine's clock says nothing. peak-MB is memory that
// is not of mapped files.
func BenchmarkHistory(b *testing.B) {
	list := os.Getenv("SCAN_REPOS")
	if list == "" {
		b.Skip("SCAN_REPOS is not set")
	}
	engine, err := leak.Compile(leak.Rules())
	if err != nil {
		b.Fatal(err)
	}
	for path := range strings.SplitSeq(list, ":") {
		b.Run(path, func(b *testing.B) {
			repo, err := git.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer repo.Close()
			var scanned, floor, own, peak float64
			for b.Loop() {
				floor += cpu(b, func() { repo.InflateAll(true) })
				own += cpu(b, func() { repo.InflateAll(false) })
				stop := watchMemory(&peak)
				scanned += cpu(b, func() {
					report, err := scan.Run(context.Background(), scan.Options{Sources: []scan.Source{&git.History{Repo: repo}}, Finder: engine})
					if err != nil {
						b.Fatal(err)
					}
					b.Logf("%d texts, %d MB looked at, %d commits, %d findings, skipped %v", report.Coverage.Chunks, report.Coverage.Bytes>>20, report.Coverage.Commits, len(report.Findings), report.Coverage.Skipped)
				})
				stop()
			}
			b.ReportMetric(scanned/float64(b.N), "cpu-s/scan")
			b.ReportMetric(floor/float64(b.N), "cpu-s/floor")
			b.ReportMetric(own/float64(b.N), "cpu-s/own-floor")
			b.ReportMetric(scanned/floor, "×floor")
			b.ReportMetric(scanned/own, "×own-floor")
			b.ReportMetric(peak, "peak-MB")
		})
	}
}

// cpu is the processor time that f takes, of the whole process.
func cpu(b *testing.B, f func()) float64 {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := used()
	f()
	return (used() - began).Seconds()
}

// watchMemory keeps the most anonymous memory that the process had.
func watchMemory(peak *float64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			*peak = max(*peak, anonymous())
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() { close(done); <-ended }
}

func anonymous() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0 // no Linux
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err == nil {
				return float64(kb) / 1024
			}
		}
	}
	return 0
}
