// Package launch starts a program with the values of a keep in its environment, and stays out of its way.
//
// [Environment] merges the values into an environment and refuses what would change how the program is loaded.
// [Exec] then replaces this process by the program, where nothing has to outlive it: there is no wrapper left.
// [Supervise] keeps this process above the program, when output is redacted, values change while it runs, or files are
// kept for it: signals, job control, the terminal and the exit code behave as if the program had been started alone.
// [NewDir] keeps values as files in memory for programs that read files.
//
// Plaintext enters the environment of the child, the files of a Dir, and nothing else.
package launch

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// Variable is a value under the name that the program reads.
type Variable struct {
	Name  string
	Value secret.Value
}

// Merge says how the environment of the child is made.
type Merge struct {
	Inherit []string   // NAME=value of this process; nil for --no-inherit
	Set     []Variable // they win over what is inherited
	Allow   []string   // reserved names that may be set all the same
}

// longest is what Linux allows for one NAME=value with its ending NUL (MAX_ARG_STRLEN).
const longest = 128 << 10

// Environment merges. Keephold's own credentials are never handed on. The error is a *ReservedError or *UnfitError.
func Environment(m Merge) ([]string, error) {
	places := make(map[string]int, len(m.Set)) // in out
	for _, v := range m.Set {
		if err := fits(v); err != nil {
			return nil, err
		}
		if isReserved(v.Name) && !slices.ContainsFunc(m.Allow, func(a string) bool { return sameName(a, v.Name) }) {
			return nil, &ReservedError{v.Name}
		}
		places[normalName(v.Name)] = -1
	}
	out := make([]string, 0, len(m.Inherit)+len(m.Set))
	for _, pair := range m.Inherit {
		name, _, ok := strings.Cut(pair, "=")
		if _, set := places[normalName(name)]; !ok || name == "" || set || isOwn(name) {
			if runtime.GOOS == "windows" && strings.HasPrefix(pair, "=") { // the current directories of drives
				out = append(out, pair)
			}
			continue
		}
		out = append(out, pair)
	}
	for _, v := range m.Set {
		pair := v.Name + "=" + string(v.Value.Reveal())
		if i := places[normalName(v.Name)]; i >= 0 {
			out[i] = pair
			continue
		}
		places[normalName(v.Name)] = len(out)
		out = append(out, pair)
	}
	return out, nil
}

// TooLong says that no environment can carry a value of so many bytes.
func TooLong(name string, size int) bool { return len(name)+size+2 > longest }

func fits(v Variable) error {
	switch {
	case v.Name == "" || strings.ContainsAny(v.Name, "=\x00"):
		return &UnfitError{v.Name, "no environment can carry this name"}
	case bytes.IndexByte(v.Value.Reveal(), 0) >= 0:
		return &UnfitError{v.Name, "the value holds a NUL, which no environment can carry"}
	case TooLong(v.Name, v.Value.Len()):
		return &UnfitError{v.Name, "the value is too long for an environment (128 KiB)"}
	}
	return nil
}

// normalName folds case where the system does.
func normalName(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

func sameName(a, b string) bool { return normalName(a) == normalName(b) }

// ReservedError says that a value would change how programs are found, loaded or started.
type ReservedError struct{ Name string }

func (e *ReservedError) Error() string {
	return fmt.Sprintf("%s is reserved: it changes how programs are loaded, not how they are set", e.Name)
}

// Hint is the way out.
func (e *ReservedError) Hint() string {
	return "rename the key, or allow it: --allow-reserved " + e.Name
}

// Unwrap says that the input is to blame.
func (e *ReservedError) Unwrap() error { return secret.ErrInvalid }

// UnfitError says that a value cannot be carried by an environment.
type UnfitError struct{ Name, Reason string }

func (e *UnfitError) Error() string { return fmt.Sprintf("%s: %s", e.Name, e.Reason) }

// Hint is the way out.
func (e *UnfitError) Hint() string { return "hand it over as a file: keephold run --secrets-dir" }

// Unwrap says that the input is to blame.
func (e *UnfitError) Unwrap() error { return secret.ErrInvalid }

// isOwn says whether a name holds a credential of keephold itself, which a child must not inherit.
func isOwn(name string) bool {
	switch normalName(name) {
	case "KEEPHOLD_TOKEN", "KEEPHOLD_TOKEN_FILE", "KEEPHOLD_PASSPHRASE", "KEEPHOLD_PASSPHRASE_FILE", "KEEPHOLD_KEY", "KEEPHOLD_KEY_FILE",
		"KEEPHOLD_UNSEAL_KEY", "KEEPHOLD_UNSEAL_KEY_FILE", "KEEPHOLD_RECOVERY_KEY", "KEEPHOLD_RECOVERY_KEY_FILE":
		return true
	}
	return false
}

// isReserved lists the names by which a loader, an interpreter or a shell runs code of somebody's choice.
func isReserved(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "DYLD_") || strings.HasPrefix(name, "BASH_FUNC_") || isOwn(name) {
		return true
	}
	switch name {
	case "PATH", "PATHEXT", "COMSPEC", "SHELL", "IFS", "ENV", "BASH_ENV", "ZDOTDIR", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND",
		"GCONV_PATH", "LOCPATH", "HOSTALIASES", "NLSPATH", "MALLOC_CONF", "TMPDIR",
		"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONEXECUTABLE", "PYTHONBREAKPOINT",
		"NODE_OPTIONS", "NODE_PATH", "RUBYOPT", "RUBYLIB", "PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "PHPRC", "PHP_INI_SCAN_DIR",
		"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH",
		"GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_GLOBAL", "GIT_EXEC_PATH", "GIT_PROXY_COMMAND", "GIT_ASKPASS",
		"EDITOR", "VISUAL", "PAGER", "BROWSER", "LESSOPEN", "LESSCLOSE":
		return true
	}
	return false
}

// Exit codes of a program that could not be started, as shells have them.
const (
	CodeNotExecutable = 126
	CodeNotFound      = 127
	CodeSignal        = 128 // plus the number of the signal
)

// StartError says why a program could not be started. Code is what to exit with.
type StartError struct {
	Program string
	Code    int
	Err     error
}

func (e *StartError) Error() string { return fmt.Sprintf("%s: %v", e.Program, e.Err) }

func (e *StartError) Unwrap() error { return e.Err }
