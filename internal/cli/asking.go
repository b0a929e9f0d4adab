package cli

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/secret"
)

// asking is the run function of a command that asks a keep.
func (env Env) asking(o *options, do func(cmd *cobra.Command, a *api, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a, err := env.connect(cmd.Context(), o)
		if err != nil {
			return err
		}
		return do(cmd, a, args)
	}
}

// done says that something was changed: a line for people, or a document.
func (env Env) done(o *options, doc map[string]any, format string, args ...any) error {
	if o.json {
		return env.printJSON(doc)
	}
	if !o.quiet {
		env.talk(format, args...)
	}
	return nil
}

// columns prints names one a line, or as the member called what of a document.
func (env Env) columns(o *options, what string, names []string) error {
	if o.json {
		if names == nil {
			names = []string{}
		}
		return env.printJSON(map[string]any{what: names})
	}
	if len(names) == 0 {
		return nil
	}
	return env.print(strings.Join(names, "\n") + "\n")
}

// valueSource reads secrets one after the other: lines of stdin when the argument is "-", else what is typed at the
// terminal device without being shown.
type valueSource struct {
	env   Env
	lines *bufio.Reader // nil: the terminal
}

func (env Env) values(args []string) (valueSource, error) {
	switch {
	case len(args) == 0:
		return valueSource{env: env}, nil
	case args[0] == "-":
		return valueSource{env, bufio.NewReader(env.awake())}, nil
	}
	return valueSource{}, usagef("%s is no place to read a secret from; nothing was done", "an argument on the command line").
		withHint("leave it out to be asked for it, or give '-' to have it read from stdin")
}

// next is the next secret; it fails with exitUsage when there is none left.
func (s valueSource) next(prompt string) (secret.Value, error) {
	if s.lines == nil {
		return s.env.hidden(prompt + ": ")
	}
	for {
		line, err := s.lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			return secret.NewValue([]byte(line)), nil
		}
		if errors.Is(err, io.EOF) {
			return secret.Value{}, usagef("stdin ended before the %s", strings.ToLower(prompt))
		}
		if err != nil {
			return secret.Value{}, failf(exitIO, "%w", err)
		}
	}
}
