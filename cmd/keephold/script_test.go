package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
)

// belowTests is set in the environment of everything that a test starts.
const belowTests = "KEEPHOLD_BELOW_TESTS"

// The test binary is the command: a script's keephold is main of this package.
func TestMain(m *testing.M) {
	all := programs()
	for _, name := range []string{"keephold", "kh", "gitleaks", "git-secrets", "detect-secrets", "detect-secrets-hook"} {
		all[name] = main
	}
	// Under a name that is no command the binary runs all tests. Below itself that would never end.
	if all[strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")] == nil {
		if os.Getenv(belowTests) != "" {
			fmt.Fprintf(os.Stderr, "the test binary was started below itself as %q\n", os.Args)
			os.Exit(70)
		}
		if err := os.Setenv(belowTests, "1"); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, all)
}

// The scripts read like manual pages, one for each command. Besides testscript's own they have
//
//	dev [FLAGS]     starts "keephold dev --json" and points KEEPHOLD_ADDR and KEEPHOLD_TOKEN at it
//	server FILE     starts "keephold server --config FILE" and points KEEPHOLD_ADDR and
//	                KEEPHOLD_CACERT at it
//	stop            ends the server that was started last, and waits for its end
//	code N COMMAND  runs a command that has to end with exit code N, its output in the files out and err
//	cut FILE        takes what operator init printed apart: shareN, shares, and the root token in ROOT
//	until RE CMD    runs a command again and again until its output matches
//	agekey FILE     makes an age key and sets AGE_RECIPIENT to its public half
//	sub NAME FILE   sets a variable to the first line of a file
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts())
}

func scripts() testscript.Params {
	action, err := filepath.Abs(filepath.Join("..", "..", "scripts", "action"))
	if err != nil {
		panic(err)
	}
	return testscript.Params{
		Dir:       filepath.Join("testdata", "script"),
		Condition: condition(false),
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("XDG_CONFIG_HOME", "")
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv(belowTests, "1")
			env.Setenv("ACTION", action)
			env.Values[servers{}] = new([]*exec.Cmd)
			env.Values[vendors{}] = &[]string{"VAULT_ADDR", "VAULT_TOKEN"}
			return nil
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"dev": startDev, "elsewhere": startElsewhere, "server": startServer, "stop": stopServer, "code": exitCode, "until": until, "sub": substitute, "agekey": ageKey, "cut": cutKeys},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	}
}

// startDev runs a development server until the script ends.
func startDev(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: dev [FLAGS]")
	}
	ready := devReady(ts, args)
	ts.Setenv("KEEPHOLD_ADDR", ready.Addr)
	ts.Setenv("KEEPHOLD_TOKEN", ready.Token)
	ts.Setenv("HOST_PORT", strings.TrimPrefix(ready.Addr, "http://"))
	ts.Setenv("ROLE_ID", ready.RoleID)
	ts.Setenv("SECRET_ID", ready.SecretID)
}

// startElsewhere runs one that stands for the clouds: only their own variables lead to it, and THERE and THERE_TOKEN.
func startElsewhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: elsewhere [FLAGS]")
	}
	ready := devReady(ts, args)
	names := ts.Value(vendors{}).(*[]string)
	for _, vars := range ready.Env {
		for name, value := range vars {
			ts.Setenv(name, value)
			*names = append(*names, name)
		}
	}
	ts.Setenv("THERE", strings.TrimPrefix(ready.Addr, "http://"))
	ts.Setenv("THERE_TOKEN", ready.Token)
}

// ready is what a development server says.
type ready struct {
	Addr     string                       `json:"addr"`
	Token    string                       `json:"token"`
	RoleID   string                       `json:"role_id"`
	SecretID string                       `json:"secret_id"`
	Env      map[string]map[string]string `json:"env"`
}

func devReady(ts *testscript.TestScript, args []string) (r ready) {
	cmd := command(ts, append([]string{"dev", "--json", "--listen", "127.0.0.1:0"}, args...))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var log strings.Builder
	cmd.Stderr = &log
	background(ts, cmd)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		_ = cmd.Wait() // the reading said that it is over
		ts.Fatalf("keephold dev: %v\n%s", err, log.String())
	}
	ts.Check(json.Unmarshal(line, &r))
	return r
}

// startServer runs a server with a CA of its own until the script ends. Where it listens and where its CA is, it says
// on stderr.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: server FILE")
	}
	cmd := command(ts, []string{"server", "--config", args[0]})
	said, err := cmd.StderrPipe()
	ts.Check(err)
	background(ts, cmd)
	lines := bufio.NewScanner(said)
	var log strings.Builder
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "keephold serves "); ok {
			ts.Setenv("KEEPHOLD_ADDR", addr)
			continue
		}
		if _, file, ok := strings.Cut(lines.Text(), "KEEPHOLD_CACERT="); ok {
			ts.Setenv("KEEPHOLD_CACERT", file)
			go func() { _, _ = io.Copy(io.Discard, said) }() // until it ends
			return
		}
		log.WriteString(lines.Text() + "\n")
	}
	ts.Fatalf("keephold server: %s", log.String())
}

// vendors is where a script keeps the names of the variables that lead to stores elsewhere.
type vendors struct{}

// servers is where a script keeps what it runs in the background.
type servers struct{}

// background runs a command until the script ends.
func background(ts *testscript.TestScript, cmd *exec.Cmd) {
	ts.Check(cmd.Start())
	list := ts.Value(servers{}).(*[]*exec.Cmd)
	*list = append(*list, cmd)
	ts.Defer(func() { end(cmd) })
}

// end interrupts a server. A second call does nothing.
func end(cmd *exec.Cmd) {
	if cmd.ProcessState != nil {
		return
	}
	_ = cmd.Process.Signal(os.Interrupt)
	stop := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // an interrupt is how it ends
	stop.Stop()
}

func stopServer(ts *testscript.TestScript, neg bool, args []string) {
	list := ts.Value(servers{}).(*[]*exec.Cmd)
	if neg || len(args) != 0 || len(*list) == 0 {
		ts.Fatalf("usage: stop, after dev or server")
	}
	end((*list)[len(*list)-1])
}

// exitCode runs a command and wants its exit code: code N keephold …
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N keephold ARGS…")
	}
	cmd := command(ts, args[2:])
	cmd.Path = find(ts, args[1])
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	stop := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	err := cmd.Run()
	stop.Stop()
	ts.Logf("[stdout]\n%s[stderr]\n%s", stdout.String(), stderr.String())
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(stdout.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("err"), []byte(stderr.String()), 0o600))
	if cmd.ProcessState == nil {
		ts.Fatalf("%v", err)
	}
	if got := cmd.ProcessState.String(); got != "exit status "+args[0] {
		ts.Fatalf("got %s, want exit status %s", got, args[0])
	}
}

// until is for what another process does in its own time: until REGEXP keephold ARGS…
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "keephold" {
		ts.Fatalf("usage: until REGEXP keephold ARGS…")
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := command(ts, args[2:]).CombinedOutput()
		if err == nil && want.Match(out) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q does not come: %v\n%s", args[0], err, out)
		}
	}
}

// substitute reads a file's first line, without its end, into a variable: sub NAME FILE
func substitute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sub NAME FILE")
	}
	line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
	ts.Setenv(args[0], line)
}

// ageKey writes a new age identity: agekey FILE
func ageKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: agekey FILE")
	}
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(id.String()+"\n"), 0o600))
	ts.Setenv("AGE_RECIPIENT", id.Recipient().String())
}

// cutKeys makes files of the shares, as their holders would have them.
func cutKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut FILE")
	}
	var all []string
	for _, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		what, text, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(what, "share ") {
			all = append(all, text)
			ts.Check(os.WriteFile(ts.MkAbs("share"+what[len("share "):]), []byte(text+"\n"), 0o600))
		}
		if what == "root token" {
			ts.Setenv("ROOT", text)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs("shares"), []byte(strings.Join(all, "\n")+"\n"), 0o600))
}

func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.Command(find(ts, "keephold"), args...)
	cmd.Dir = ts.MkAbs(".")
	names := []string{"PATH", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "NO_COLOR", "TMPDIR", "KEEPHOLD_PASSPHRASE_FILE", "KEEPHOLD_LOCAL_SEAL", "KEEPHOLD_STORE", "CI", belowTests, "KEEPHOLD_ADDR", "KEEPHOLD_CACERT", "KEEPHOLD_TOKEN", "KEEPHOLD_NAMESPACE", "KEEPHOLD_NO_CACHE", "EDITOR", "GOCOVERDIR"}
	for _, name := range append(names, *ts.Value(vendors{}).(*[]string)...) {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	return cmd
}

func find(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p
		}
	}
	ts.Fatalf("no %s in PATH", name)
	return ""
}
