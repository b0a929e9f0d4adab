// Command keephold looks after a secret for its whole life.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/keephold/keephold/internal/cli"
)

// version is set by the release build.
var version = "dev"

func main() {
	ctx, stop := context.Background(), context.CancelFunc(func() {})
	if asked := heeded(os.Interrupt, syscall.SIGTERM); len(asked) > 0 {
		ctx, stop = signal.NotifyContext(ctx, asked...)
	}
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	code := cli.Run(ctx, cli.Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: version, Name: name}, os.Args[1:])
	stop()
	os.Exit(code)
}

// heeded leaves out what whoever started this process wants ignored, as nohup and shells do for jobs in the background: a
// program that run starts has to find it ignored too.
func heeded(signals ...os.Signal) []os.Signal {
	return slices.DeleteFunc(signals, signal.Ignored)
}
