package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// hookMark is the line by which a hook is known to be ours.
const hookMark = "# written by keephold hook install"

// hooks are the hooks that can be installed and what each runs. A hook that was there before runs first.
func hookCommand(env Env, o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "hook",
		Short: "git hooks that stop a secret before it is committed or pushed",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		&cobra.Command{Use: "install [REPOSITORY]", Short: "install pre-commit and pre-push; a hook that is there runs first", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			return env.eachHook(o, first(args), installHook)
		}},
		&cobra.Command{Use: "uninstall [REPOSITORY]", Short: "remove them and put back what was there", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			return env.eachHook(o, first(args), uninstallHook)
		}},
		&cobra.Command{Use: "status [REPOSITORY]", Short: "say which hooks are there", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			return env.eachHook(o, first(args), hookStatus)
		}},
	)
	return c
}

var hookNames = [...]string{"pre-commit", "pre-push"}

func hookBody(name, previous string) string {
	run := "exec keephold scan staged"
	if name == "pre-push" {
		run = "exec keephold scan pushed \"$@\""
	}
	return "#!/bin/sh\n" + hookMark + "\n" +
		"previous=\"$(dirname \"$0\")/" + previous + "\"\n" +
		"if [ -x \"$previous\" ]; then\n\t\"$previous\" \"$@\" || exit $?\nfi\n" + run + "\n"
}

func (env Env) eachHook(o *options, path string, f func(dir, name string) (string, error)) error {
	repo, err := openRepo(path)
	if err != nil {
		return err
	}
	defer func() { _ = repo.Close() }() // only unmaps
	dir := repo.HookDir()
	for _, name := range hookNames {
		said, err := f(dir, name)
		if err != nil {
			return failf(exitCannotWrite, "hook %s: %w", name, err)
		}
		if !o.quiet {
			if err := env.print(fmt.Sprintf("%s: %s\n", name, said)); err != nil {
				return err
			}
		}
	}
	return nil
}

const previousSuffix = ".before-keephold"

func ours(file string) (there, mine bool, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	return err == nil, strings.Contains(string(b), hookMark), err
}

func installHook(dir, name string) (string, error) {
	file := filepath.Join(dir, name)
	there, mine, err := ours(file)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	said := "installed"
	if there && !mine {
		if err := os.Rename(file, file+previousSuffix); err != nil {
			return "", err
		}
		said = "installed; the hook that was there runs first, as " + name + previousSuffix
	}
	return said, os.WriteFile(file, []byte(hookBody(name, name+previousSuffix)), 0o755) //nolint:gosec // a hook must be executable
}

func uninstallHook(dir, name string) (string, error) {
	file := filepath.Join(dir, name)
	_, mine, err := ours(file)
	if err != nil || !mine {
		return "not installed", err
	}
	if err := os.Remove(file); err != nil {
		return "", err
	}
	err = os.Rename(file+previousSuffix, file)
	if errors.Is(err, fs.ErrNotExist) {
		return "removed", nil
	}
	return "removed; the hook from before is back", err
}

func hookStatus(dir, name string) (string, error) {
	there, mine, err := ours(filepath.Join(dir, name))
	switch {
	case mine:
		return "installed", err
	case there:
		return "another hook is there", err
	}
	return "not installed", err
}
