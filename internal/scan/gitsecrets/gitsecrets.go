// Package gitsecrets is the command line of git-secrets: its git-config keys, patterns, hooks, messages and exit codes.
//
// Patterns are POSIX extended expressions that match whole words; what is allowed is matched against the line of output,
// so that a path can be allowed too. Git lists the files and keeps the settings; the matching is ours.
//
// Four faults of the original are not copied: an empty list of staged files scans nothing instead of everything, a
// pattern with a blank is one pattern, names that git would quote are scanned, and options that exclude each other are an
// error instead of a scan of nothing.
package gitsecrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tool is one call of the command.
type Tool struct {
	Dir            string // where it runs; empty means the current directory
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Self           string // how hooks and providers call it: "git secrets", or "keephold git-secrets"

	scan                        scanning
	force, literal, allow, glob bool
}

// scanning is what --scan is told.
type scanning struct {
	recursive, cached, noIndex, untracked bool
}

// status ends the command with an exit code; what there is to say was said.
type status int

func (s status) Error() string { return fmt.Sprintf("exit code %d", int(s)) }

// Run runs one command line and answers its exit code.
func (t *Tool) Run(ctx context.Context, args []string) int {
	err := t.command(ctx, args)
	var s status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	}
	t.say("%v", err)
	return 1
}

func (t *Tool) say(format string, args ...any) { fmt.Fprintf(t.Stderr, format+"\n", args...) }

// git runs git and returns what it prints. Its errors go to stderr as they are; its exit code is the error.
func (t *Tool) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := t.gitCommand(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, t.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.Bytes(), status(exit.ExitCode())
	}
	return out.Bytes(), err
}

func (t *Tool) gitCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = t.Dir
	return cmd
}

// values reads a setting of several values. A setting that is not there is no error.
func (t *Tool) values(ctx context.Context, key string, where ...string) []string {
	out, err := t.git(ctx, append(append([]string{"config"}, where...), "-z", "--get-all", key)...)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// patterns are the prohibited ones: of the settings, and what the providers print.
func (t *Tool) patterns(ctx context.Context) ([]string, error) {
	var out []string
	for _, v := range t.values(ctx, "secrets.patterns") {
		out = append(out, filled(v)...)
	}
	for _, line := range t.values(ctx, "secrets.providers") {
		text, err := t.provider(ctx, strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("provider %q: %w", line, err)
		}
		out = append(out, filled(strings.ReplaceAll(text, "\r", ""))...)
	}
	return out, nil
}

// filled are the lines of a text that are not empty: an empty pattern would match everything.
func filled(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}

// provider runs a command whose lines are patterns. What fails says so and gives none, as the original has it; our own
// needs no process.
func (t *Tool) provider(ctx context.Context, words []string) (string, error) {
	if len(words) == 0 {
		return "", nil
	}
	if own := strings.Join(words, " "); own == "git secrets --aws-provider" || own == t.Self+" --aws-provider" {
		return t.credentials("")
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the setting exists to run a command
	cmd.Dir = t.Dir
	cmd.Stderr = t.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.say("git-secrets: provider %s: %v", words[0], err)
	}
	return string(out), ctx.Err()
}

// escape makes a text one that matches itself, as the original does it.
func escape(text string, special string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// credentials prints the keys of an AWS credentials file as patterns.
func (t *Tool) credentials(name string) (string, error) {
	if name == "" {
		name = filepath.Join(t.Getenv("HOME"), ".aws", "credentials")
	}
	b, err := os.ReadFile(t.path(name))
	if err != nil {
		return "", nil //nolint:nilerr // no file, no patterns
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if !strings.Contains(line, "aws_access_key_id") && !strings.Contains(line, "aws_secret_access_key") {
			continue
		}
		fields := strings.Split(line, "=")
		value := ""
		if len(fields) > 1 {
			value = strings.NewReplacer(" ", "", `"`, "").Replace(fields[1])
		}
		out.WriteString(escape(value, `].|$(){}?+*^\`) + "\n")
	}
	return out.String(), nil
}

func (t *Tool) path(name string) string {
	if filepath.IsAbs(name) || t.Dir == "" {
		return name
	}
	return filepath.Join(t.Dir, name)
}

// allowed are the patterns that excuse a line of output: of the settings, and of .gitallowed beside the repository.
func (t *Tool) allowed(ctx context.Context) ([]string, error) {
	var out []string
	for _, v := range t.values(ctx, "secrets.allowed") {
		out = append(out, filled(v)...)
	}
	top, err := t.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return out, ctx.Err()
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimRight(string(top), "\r\n"), ".gitallowed"))
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if first := strings.TrimSpace(line); first != "" && first[0] != '#' {
			out = append(out, line)
		}
	}
	return out, nil
}
