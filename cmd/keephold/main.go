// Command keephold looks after a secret for its whole life.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/keephold/keephold/internal/cli"
)

// version is set by the release build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	code := cli.Run(ctx, cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: version, Name: name}, os.Args[1:])
	stop()
	os.Exit(code)
}
