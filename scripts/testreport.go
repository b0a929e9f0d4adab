//go:build ignore

// Command testreport runs `go test -json …`, prints what failed and what was skipped and why, and closes with a count.
// A skip that the allow-list does not name is an error with -strict.
//
//	go run scripts/testreport.go [-strict] [-allow FILE] [-log FILE] -- go test -json ./...
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is a line of `go test -json`; see `go doc test2json`. Build output carries ImportPath instead of Package.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

type result struct {
	name   string
	output []string
}

type report struct {
	passed          int
	failed, skipped []result
	output          map[string][]string // of what still runs, by package and test
	build           []string
	slow            []string
}

func main() {
	strict := flag.Bool("strict", false, "fail on a skip outside the allow-list")
	allow := flag.String("allow", "", "file of allowed skips: PACKAGE/TEST pattern, then the reason")
	logFile := flag.String("log", "", "write the raw output here")
	flag.Parse()
	code, err := run(*strict, *allow, *logFile, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		code = 2
	}
	os.Exit(code)
}

func run(strict bool, allowFile, logFile string, args []string) (int, error) {
	allowed, err := readAllowed(allowFile)
	if err != nil || len(args) == 0 {
		return 2, errors.Join(err, errIf(len(args) == 0, "no command"))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 2, err
	}
	var raw io.Writer = io.Discard
	if logFile != "" {
		f, err := os.Create(logFile)
		if err != nil {
			return 2, err
		}
		defer f.Close()
		raw = f
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 2, err
	}
	r := &report{output: map[string][]string{}}
	if err := r.read(io.TeeReader(out, raw)); err != nil {
		return 2, err
	}
	runErr := cmd.Wait()
	bad := r.print(allowed, strict, time.Since(start))
	if runErr != nil && bad == 0 {
		fmt.Println("FAIL:", runErr, "without a failed test; see the raw output")
		bad = 1
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, bad, len(r.skipped))
	return min(bad, 1), nil
}

func errIf(bad bool, text string) error {
	if bad {
		return errors.New(text)
	}
	return nil
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				r.build = append(r.build, string(line))
			} else {
				r.add(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	name := e.Package
	if e.Test != "" {
		name += "/" + e.Test
	}
	switch e.Action {
	case "output":
		r.output[name] = append(r.output[name], e.Output)
		return
	case "build-output":
		r.build = append(r.build, e.Output)
		return
	case "pass":
		if e.Test != "" {
			r.passed++
			if e.Elapsed > 10 && !strings.Contains(e.Test, "/") {
				r.slow = append(r.slow, fmt.Sprintf("%.0fs %s", e.Elapsed, name))
			}
		}
	case "fail":
		r.failed = append(r.failed, result{name, r.output[name]})
	case "skip":
		if e.Test != "" { // a package without tests is "skipped" too
			r.skipped = append(r.skipped, result{name, r.output[name]})
		}
	default:
		return
	}
	delete(r.output, name)
}

// print answers how many failures there were. A failed package counts only when none of its tests failed.
func (r *report) print(allowed []allowance, strict bool, took time.Duration) (bad int) {
	for _, line := range r.build {
		fmt.Print(line)
	}
	for i, f := range r.failed {
		inner := slices.ContainsFunc(r.failed[:i], func(o result) bool { return strings.HasPrefix(o.name, f.name+"/") })
		if !inner {
			bad++
			fmt.Printf("--- FAIL %s\n%s", f.name, tail(f.output, 40))
		}
	}
	for _, s := range r.skipped {
		why, ok := lookup(allowed, s.name)
		if !ok {
			why = reason(s.output)
		}
		fmt.Printf("skip %s: %s\n", s.name, why)
		if !ok && strict {
			bad++
			fmt.Println("     FAIL: .ci/allowed-skips.txt does not name it")
		}
	}
	for _, s := range r.slow {
		fmt.Println("slow", s)
	}
	fmt.Printf("took %s\n", took.Round(time.Second))
	return bad
}

// reason is what the test said when it skipped: "    x_test.go:12: needs root".
func reason(output []string) string {
	at := regexp.MustCompile(`^\s+\S+_test\.go:\d+: (.*)`)
	for _, line := range slices.Backward(output) {
		if m := at.FindStringSubmatch(line); m != nil {
			return strings.TrimSpace(m[1])
		}
	}
	return "no reason given"
}

func tail(lines []string, n int) string {
	if len(lines) > n {
		lines = append([]string{fmt.Sprintf("    … %d lines left out\n", len(lines)-n)}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "")
}

type allowance struct{ pattern, why string }

func readAllowed(name string) (out []allowance, err error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		pattern, why, ok := strings.Cut(line, " ")
		if _, bad := path.Match(pattern, ""); bad != nil || !ok {
			return nil, fmt.Errorf("%s:%d: want a PACKAGE/TEST pattern and a reason", name, i+1)
		}
		out = append(out, allowance{pattern, strings.TrimSpace(why)})
	}
	return out, nil
}

// lookup compares without the module's name, so that the list reads internal/store/bolt/TestX.
func lookup(allowed []allowance, name string) (string, bool) {
	for _, a := range allowed {
		short := strings.TrimPrefix(name, "github.com/keephold/keephold/")
		if ok, _ := path.Match(a.pattern, short); ok {
			return a.why, true
		}
	}
	return "", false
}
