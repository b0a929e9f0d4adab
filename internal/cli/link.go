package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// linkNames are the names under which the binary is another tool, and the commands that it then is.
func linkNames() map[string][]string {
	return map[string][]string{
		"gitleaks":            {"gitleaks"},
		"git-secrets":         {"git-secrets"},
		"detect-secrets":      {"detect-secrets"},
		"detect-secrets-hook": {"detect-secrets", "hook"},
	}
}

// linked puts the command in front that the program's name stands for.
func linked(name string, args []string) []string {
	return append(slices.Clone(linkNames()[name]), args...)
}

func linkCommand(env Env, o *options) *cobra.Command {
	var dir string
	var force, remove bool
	c := &cobra.Command{
		Use:   "link NAME...",
		Short: "let this binary be called as gitleaks, detect-secrets or git-secrets",
		Long: "Make links to this binary under the names of the tools it takes the place of. Called by such a name it has that tool's command line. " +
			"detect-secrets brings detect-secrets-hook along. A file that is no such link is never replaced without --force.",
		Example: "  keephold link gitleaks detect-secrets git-secrets\n  keephold link --dir ~/bin git-secrets\n  keephold link --remove gitleaks",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			self, err := os.Executable()
			if err != nil {
				return failf(exitInternal, "cannot tell where this binary is: %w", err)
			}
			if dir == "" {
				dir = filepath.Dir(self)
			}
			if slices.Contains(args, "detect-secrets") && !slices.Contains(args, "detect-secrets-hook") {
				args = append(args, "detect-secrets-hook")
			}
			for _, name := range args {
				if linkNames()[name] == nil {
					return usagef("there is no tool %q to be called as", name).withHint("gitleaks, detect-secrets and git-secrets are known")
				}
			}
			for _, name := range args {
				said, err := link(self, filepath.Join(dir, executable(name)), force, remove)
				if err != nil {
					return err
				}
				if !o.quiet {
					if err := env.print(said + "\n"); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	c.ValidArgs = []string{"gitleaks", "detect-secrets", "git-secrets"}
	f := c.Flags()
	f.StringVar(&dir, "dir", "", "where the links are made (default: beside this binary)")
	f.BoolVar(&force, "force", false, "replace a file that is there")
	f.BoolVar(&remove, "remove", false, "remove the links")
	return c
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}

// link makes or removes one link. A symbolic one is made where the system lets us; otherwise a hard one.
func link(self, at string, force, remove bool) (string, error) {
	is, there := linksTo(at, self)
	switch {
	case remove && !there:
		return at + " is not there", nil
	case there && !is && !force:
		return "", failf(exitConflict, "%s is there and is not a link to %s", at, self).withHint("--force replaces it; --dir makes the links somewhere else")
	case is && !remove:
		return at + " is a link to this binary already", nil
	}
	if there {
		if err := os.Remove(at); err != nil {
			return "", failf(exitCannotWrite, "cannot remove what is there: %w", err)
		}
	}
	if remove {
		return "removed " + at, nil
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return "", failf(exitCannotWrite, "%w", err)
	}
	to := self
	if filepath.Dir(self) == filepath.Dir(at) {
		to = filepath.Base(self)
	}
	err := os.Symlink(to, at)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Link(self, at)
	}
	if err != nil {
		return "", failf(exitCannotWrite, "cannot make the link: %w", err)
	}
	return at + " is this binary now: " + strings.TrimSuffix(filepath.Base(at), ".exe"), nil
}

// linksTo reports whether a file is there, and whether it is the program itself.
func linksTo(at, self string) (is, there bool) {
	if _, err := os.Lstat(at); err != nil {
		return false, false
	}
	a, err := os.Stat(at)
	if err != nil {
		return false, true
	}
	b, err := os.Stat(self)
	return err == nil && os.SameFile(a, b), true
}
