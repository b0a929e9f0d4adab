package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keephold/keephold/internal/cli"
	"github.com/keephold/keephold/internal/server"
)

// onBoth are the scripts of the developer's commands. They run on a keep of the user's own with all the others, and here on a
// server: the same command lines, the same outputs. What is said of one of them only stands behind [server] or [!server].
var onBoth = []string{"project", "run", "import-export", "render", "environments"}

// TestScriptsOnServer is the contract of what stands behind the commands (ADR 0008): whoever writes a command line cannot
// tell a keep in this process from a server.
func TestScriptsOnServer(t *testing.T) {
	var files []string
	for _, name := range onBoth {
		file := filepath.Join("testdata", "script", name+".txtar")
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	params := scripts()
	setup := params.Setup
	params.Dir, params.Files = "", files
	params.Setup = func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		return toServer(env)
	}
	params.Condition = condition(true)
	testscript.Run(t, params)
}

// condition knows which of the two a script runs on.
func condition(onServer bool) func(string) (bool, error) {
	return func(name string) (bool, error) {
		if name == "server" {
			return onServer, nil
		}
		return false, fmt.Errorf("unknown condition %q", name)
	}
}

// toServer starts a server for one script, signs in to it, and lets every project that is made lie there.
func toServer(env *testscript.Env) error {
	ctx, stop := context.WithCancel(context.Background())
	d, err := server.OpenDev(ctx, server.DevConfig{Listen: []string{"127.0.0.1:0"}, Version: "test"})
	if err != nil {
		stop()
		return err
	}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	env.Defer(func() {
		stop()
		<-done
	})
	env.Setenv("KEEPHOLD_STORE", d.Addr)
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
	var talk strings.Builder // in this process: the test binary runs the tests when it is started under its own name
	code := cli.Run(ctx, cli.Env{Stdin: bytes.NewReader(append(bytes.Clone(d.Token.Reveal()), '\n')), Stdout: &talk, Stderr: &talk, Getenv: env.Getenv}, []string{"login", d.Addr, "--stdin"})
	if code != 0 {
		return fmt.Errorf("login: exit %d: %s", code, talk.String())
	}
	return nil
}
