package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// command is a row of the table of commands.
type command struct {
	group, name string
	make        func(Env, *options) *cobra.Command
}

// asked is the one command that is all a command line needs; "" if it needs them all: to show them, to find the nearest
// name, or to complete one. Making every command with its flags takes longer than most of them do.
func asked(args []string) string {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		args = args[1:]
		if len(args) < 2 { // the command itself is being typed
			return ""
		}
	}
	if len(args) == 0 || args[0] == "man" {
		return ""
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.name
		}
	}
	return ""
}

// commands is every command there is, by what it is for.
func commands() []command {
	return []command{
		{"project", "init", initCommand},
		{"project", "trust", trustCommand},
		{"project", "import", importCommand},
		{"project", "export", exportCommand},
		{"project", "run", runCommand},
		{"project", "render", renderCommand},
		{"project", "set", setCommand},
		{"project", "unset", unsetCommand},
		{"project", "check", checkCommand},
		{"project", "explain", explainCommand},
		{"project", "env", envCommand},
		{"secrets", "get", getCommand},
		{"secrets", "put", putCommand},
		{"secrets", "patch", patchCommand},
		{"secrets", "edit", editCommand},
		{"secrets", "list", listCommand},
		{"secrets", "tree", treeCommand},
		{"secrets", "find", findCommand},
		{"secrets", "move", moveCommand},
		{"secrets", "copy", copyCommand},
		{"secrets", "delete", deleteCommand},
		{"secrets", "undelete", undeleteCommand},
		{"secrets", "destroy", destroyCommand},
		{"secrets", "history", historyCommand},
		{"secrets", "rollback", rollbackCommand},
		{"secrets", "diff", diffCommand},
		{"secrets", "pull", pullCommand},
		{"secrets", "push", pushCommand},
		{"secrets", "sync", syncCommand},
		{"secrets", "space", spaceCommand},
		{"secrets", "expose", exposeCommand},
		{"people", "login", loginCommand},
		{"people", "logout", logoutCommand},
		{"people", "whoami", whoamiCommand},
		{"people", "policy", policyCommand},
		{"people", "grant", grantCommand},
		{"people", "access", accessCommand},
		{"people", "token", tokenCommand},
		{"people", "approle", approleCommand},
		{"people", "user", userCommand},
		{"people", "identity", identityCommand},
		{"people", "audit", auditCommand},
		{"guard", "scan", scanCommand},
		{"guard", "fingerprints", fingerprintsCommand},
		{"guard", "baseline", baselineCommand},
		{"guard", "redact", redactCommand},
		{"guard", "hook", hookCommand},
		{"guard", "gitleaks", gitleaksCommand},
		{"guard", "git-secrets", gitSecretsCommand},
		{"guard", "detect-secrets", detectSecretsCommand},
		{"guard", "link", linkCommand},
		{"server", "dev", devCommand},
		{"server", "operator", operatorCommand},
		{"server", "doctor", doctorCommand},
		{"server", "recovery", recoveryCommand},
		{"server", "server", serverCommand},
		{"server", "config", configCommand},
		{"", "member", laterCommand("member", "people of a project", "until then: keephold user, and keephold grant")},
		{"", "join", laterCommand("join", "join a project by invitation", "until then, on a server: keephold login ADDRESS, keephold trust")},
		{"", "request", laterCommand("request", "ask for a secret for a while", "until then, ask whoever keephold access names")},
		{"", "share", laterCommand("share", "hand a value over once", "until then, give access to it on a server: keephold grant")},
		{"", "rotate", laterCommand("rotate", "replace a secret where it is used", "until then: keephold set NAME --generate, and keephold rollback")},
		{"", "scrub", laterCommand("scrub", "rewrite history without a secret", "until then: replace the secret first; keephold scan git says where it is")},
		{"", "completion", completionCommand},
		{"", "man", manCommand},
		{"", "version", versionCommand},
	}
}
