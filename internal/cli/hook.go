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

// hookOptions say which hooks are meant.
type hookOptions struct {
	server   bool   // the one hook of a server
	template string // a template directory instead of a repository
}

func hookCommand(env Env, o *options) *cobra.Command {
	h := new(hookOptions)
	c := &cobra.Command{
		Use:   "hook",
		Short: "git hooks that stop a secret before it is committed or pushed",
		Long: "Install pre-commit, commit-msg and pre-push; a hook that is there runs first, whether it is your own or one of husky, lefthook or pre-commit. " +
			"With --server the hook is pre-receive, which refuses a push that holds a secret. With --template the hooks go into a directory that git init and git clone copy from (git config --global init.templateDir DIR).",
		Example: "  keephold hook install\n  keephold hook install --server /srv/git/shop.git\n  keephold hook install --template ~/.git-template && git config --global init.templateDir ~/.git-template\n  keephold hook status",
	}
	install := &cobra.Command{Use: "install [REPOSITORY]", Short: "install the hooks; a hook that is there runs first", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		return env.eachHook(o, h, first(args), installHook)
	}}
	uninstall := &cobra.Command{Use: "uninstall [REPOSITORY]", Short: "remove them and put back what was there", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		return env.eachHook(o, h, first(args), uninstallHook)
	}}
	status := &cobra.Command{Use: "status [REPOSITORY]", Short: "say which hooks are there; exit code 1 when one of ours is not", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		missing := false
		err := env.eachHook(o, h, first(args), func(dir, name string) (string, error) {
			said, err := hookStatus(dir, name)
			missing = missing || !strings.HasPrefix(said, "installed")
			return said, err
		})
		if err == nil && missing {
			return silent(exitNo)
		}
		return err
	}}
	for _, x := range []*cobra.Command{install, uninstall, status} {
		x.Flags().BoolVar(&h.server, "server", false, "the hook of a server: pre-receive")
		x.Flags().StringVar(&h.template, "template", "", "a template directory for new repositories, instead of a repository")
	}
	return group(c, install, uninstall, status)
}

func (h *hookOptions) names() []string {
	if h.server {
		return []string{"pre-receive"}
	}
	return []string{"pre-commit", "commit-msg", "pre-push"}
}

// hookBody is the script of a hook. The one that was there before runs first, and reads the same input.
func hookBody(name, previous string) string {
	head := "#!/bin/sh\n" + hookMark + "\nprevious=\"$(dirname \"$0\")/" + previous + "\"\n"
	chain := "if [ -x \"$previous\" ]; then\n\t%[1]s\"$previous\" \"$@\" || exit $?\nelif [ -f \"$previous\" ]; then\n\t%[1]ssh \"$previous\" \"$@\" || exit $?\nfi\n"
	switch name {
	case "commit-msg":
		return head + fmt.Sprintf(chain, "") + "exec keephold scan message \"$1\"\n"
	case "pre-push", "pre-receive":
		return head + "lines=$(cat)\n" + fmt.Sprintf(chain, "printf '%s\\n' \"$lines\" | ") + "[ -n \"$lines\" ] || exit 0\nprintf '%s\\n' \"$lines\" | keephold scan pushed \"$@\"\n"
	}
	return head + fmt.Sprintf(chain, "") + "exec keephold scan staged\n"
}

// hookDir is where the hooks of a repository stand. husky keeps its own scripts in a directory below the one for people.
func (h *hookOptions) hookDir(path string) (string, error) {
	if h.template != "" {
		return filepath.Join(h.template, "hooks"), nil
	}
	repo, err := openRepo(path)
	if err != nil {
		return "", err
	}
	dir := repo.HookDir()
	if err := repo.Close(); err != nil {
		return "", failf(exitIO, "%w", err)
	}
	if filepath.Base(dir) == "_" && filepath.Base(filepath.Dir(dir)) == ".husky" {
		dir = filepath.Dir(dir)
	}
	return dir, nil
}

func (env Env) eachHook(o *options, h *hookOptions, path string, f func(dir, name string) (string, error)) error {
	dir, err := h.hookDir(path)
	if err != nil {
		return err
	}
	for _, name := range h.names() {
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
	file := filepath.Join(dir, name)
	there, mine, err := ours(file)
	switch {
	case mine:
		said := "installed"
		if manager, there := manager(file + previousSuffix); there {
			said += "; runs first: " + manager
		}
		return said, err
	case there:
		// A manager that was installed after us runs ours from where it put it.
		for _, kept := range []string{file + ".legacy", file + ".old"} {
			if _, mine, _ := ours(kept); mine {
				who, _ := manager(file)
				return "installed; " + who + " runs it", nil
			}
		}
		who, _ := manager(file)
		return "another hook is there: " + who, err
	}
	return "not installed", err
}

// manager says whose hook a file is.
func manager(file string) (who string, there bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	for _, m := range []string{"lefthook", "husky", "pre-commit.com", "git secrets", "gitleaks"} {
		if strings.Contains(string(b), m) {
			return strings.TrimSuffix(m, ".com"), true
		}
	}
	return "your own", true
}
