//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// benchPairs is how many pairs of runs a median is taken of.
const benchPairs = 50

// BenchmarkRunTrue compares "keephold run -- true" with "true" alone, from the local keep that is opened by its key file
// each time: medians of 50 interleaved pairs. more-ms is the wall time on top, more-cpu-ms the time of the processor on
// top, which a busy machine tells better.
func BenchmarkRunTrue(b *testing.B) {
	exe := builtFor(b)
	for _, keys := range []int{18, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			s := seatOf(b, exe, keys)
			for b.Loop() {
				benchRun(b, s)
			}
		})
	}
}

// BenchmarkComplete is what a shell waits for when Tab is pressed after "keephold get S", with 1,000 names.
func BenchmarkComplete(b *testing.B) {
	s := seatOf(b, builtFor(b), 1000)
	for b.Loop() {
		benchAlone(b, s, "__complete", "get", "S")
	}
}

// BenchmarkScanStaged is what a commit waits for: one line more is staged, in a repository of 300 files.
func BenchmarkScanStaged(b *testing.B) {
	s := emptySeat(b, "")
	s.exe = builtFor(b)
	git := func(args ...string) {
		c := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.org"}, args...)...)
		c.Dir, c.Env = s.dir, s.env
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(i, lines int) {
		name := filepath.Join(s.dir, fmt.Sprintf("d%d", i%20), fmt.Sprintf("f%d.txt", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(strings.Repeat("a line of a file\n", lines)), 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 300 {
		write(i, 40)
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "first")
	write(3, 41)
	git("add", "-A")
	for b.Loop() {
		benchAlone(b, s, "scan", "staged")
	}
}

// builtFor builds the program as it is released, nearly.
func builtFor(b *testing.B) (exe string) {
	exe = filepath.Join(b.TempDir(), "keephold")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", exe, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return exe
}

// seatOf is a project with so many imported settings.
func seatOf(b *testing.B, exe string, settings int) *seat {
	var dotenv strings.Builder
	for i := range settings {
		fmt.Fprintf(&dotenv, "SETTING_%04d=value-%04d-of-the-shop\n", i, i)
	}
	s := emptySeat(b, dotenv.String())
	s.exe = exe
	s.must("init", "--yes", "-q")
	s.must("import", ".env", "-q")
	return s
}

// benchAlone reports the medians of a command.
func benchAlone(b *testing.B, s *seat, args ...string) {
	all := make([]cost, 0, benchPairs)
	for range benchPairs {
		all = append(all, costOf(b, s, func() *exec.Cmd { return s.command(args...) }))
	}
	b.ReportMetric(float64(median(all, func(c cost) time.Duration { return c.wall }).Microseconds())/1000, "ms")
	b.ReportMetric(float64(median(all, func(c cost) time.Duration { return c.cpu }).Microseconds())/1000, "cpu-ms")
}

// cost is what one process took.
type cost struct{ wall, cpu time.Duration }

func benchRun(b *testing.B, s *seat) {
	alone, under := make([]cost, 0, benchPairs), make([]cost, 0, benchPairs)
	for i := range benchPairs + 3 { // the first ones warm up
		first := costOf(b, s, func() *exec.Cmd { return &exec.Cmd{Path: "/bin/true", Args: []string{"true"}, Dir: s.dir, Env: s.env} })
		second := costOf(b, s, func() *exec.Cmd { return s.command("run", "--", "true") })
		if i >= 3 {
			alone, under = append(alone, first), append(under, second)
		}
	}
	wall := func(c cost) time.Duration { return c.wall }
	cpu := func(c cost) time.Duration { return c.cpu }
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(median(alone, wall)), "true-ms")
	b.ReportMetric(ms(median(under, wall)), "run-ms")
	b.ReportMetric(ms(median(under, wall)-median(alone, wall)), "more-ms")
	b.ReportMetric(ms(median(under, cpu)-median(alone, cpu)), "more-cpu-ms")
	b.ReportMetric(float64(median(under, wall))/float64(median(alone, wall)), "ratio")
}

func costOf(b *testing.B, s *seat, command func() *exec.Cmd) cost {
	cmd := command()
	cmd.SysProcAttr = nil
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return cost{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

func median(costs []cost, of func(cost) time.Duration) time.Duration {
	all := make([]time.Duration, len(costs))
	for i, c := range costs {
		all[i] = of(c)
	}
	slices.Sort(all)
	return all[len(all)/2]
}
