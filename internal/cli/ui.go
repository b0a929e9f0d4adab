package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/keephold/keephold/internal/secret"
)

// The rules of the terminal:
//   - stdout is data, stderr is talk;
//   - errors are "keephold: error: …", then "keephold: hint: …": lower case, no full stop;
//   - a value is printed only by a command that was asked for it;
//   - a value is typed at the terminal device, not at stdin, so that a pipe cannot answer for a person;
//   - no prompt without a terminal: the command fails and names the flag;
//   - colour only on a terminal, never as the only sign, and never with NO_COLOR or TERM=dumb.

// schema is the version of the JSON that commands print.
const schema = 1

// talk writes a line for the person.
func (env Env) talk(format string, args ...any) {
	_, _ = fmt.Fprintf(env.Stderr, format+"\n", args...) // nobody to tell when stderr is gone
}

// report says why a command failed and answers its exit code.
func (env Env) report(err error) int {
	code := codeOf(err)
	var f *fault
	if errors.As(err, &f) && f.text == "" {
		return code
	}
	if err != nil {
		env.talk("keephold: error: %v", err)
		if f != nil && f.hint != "" {
			env.talk("keephold: hint: %s", f.hint)
		}
	}
	return code
}

// printJSON writes one document with its schema version.
func (env Env) printJSON(v map[string]any) error {
	v["schema_version"] = schema
	e := json.NewEncoder(env.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return env.wrote(e.Encode(v))
}

// print writes data.
func (env Env) print(s string) error {
	_, err := io.WriteString(env.Stdout, s)
	return env.wrote(err)
}

func (env Env) wrote(err error) error {
	if err != nil {
		return failf(exitIO, "cannot write the output: %w", err)
	}
	return nil
}

// table writes aligned columns.
func (env Env) table(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 4, 2, ' ', 0)
	if len(rows) > 0 {
		_, _ = fmt.Fprintln(w, strings.Join(header, "\t")) // Flush answers the error
	}
	for _, r := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return env.wrote(w.Flush())
}

// isTerminal says whether a stream of the process is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hidden asks for a value at the terminal device without showing it.
func (env Env) hidden(prompt string) (secret.Value, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return secret.Value{}, usagef("no terminal to type a value at").withHint("give it on stdin with '-', or from a file with '@FILE'")
	}
	defer func() { _ = tty.Close() }() // nothing was buffered
	_, _ = fmt.Fprint(tty, prompt)
	shown, _ := term.GetState(int(tty.Fd()))
	b, err := attend(env, func() ([]byte, error) { return term.ReadPassword(int(tty.Fd())) })
	if errors.Is(err, context.Canceled) && shown != nil {
		_ = term.Restore(int(tty.Fd()), shown) // who waits there no longer does it
	}
	_, _ = fmt.Fprintln(tty)
	if errors.Is(err, context.Canceled) {
		return secret.Value{}, err
	}
	if err != nil {
		return secret.Value{}, failf(exitIO, "cannot read from the terminal: %w", err)
	}
	return secret.NewValue(b), nil
}

// confirm asks yes or no at the terminal device; --yes answers it beforehand.
func (env Env) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil || !isTerminal(env.Stdin) {
		return usagef("%s: needs a yes, and there is no terminal to ask at", question).withHint("add --yes")
	}
	defer func() { _ = tty.Close() }() // nothing was buffered
	_, _ = fmt.Fprintf(tty, "%s [y/N] ", question)
	line, err := attend(env, func() (string, error) { return bufio.NewReader(tty).ReadString('\n') })
	if errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(tty)
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return failf(exitNo, "nothing was changed")
	}
	return nil
}
