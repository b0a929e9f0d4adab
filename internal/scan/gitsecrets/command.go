package gitsecrets

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// long are the options by their long names, with the short one where there is one.
var long = []struct{ name, short, help string }{
	{"scan", "", "look for prohibited patterns in files"},
	{"scan-history", "", "look for prohibited patterns in the history"},
	{"install", "", "install the hooks into a repository or a template directory"},
	{"list", "", "list the patterns"},
	{"add", "", "add a prohibited or an allowed pattern"},
	{"add-provider", "", "add a command that prints patterns"},
	{"aws-provider", "", "print the keys of an AWS credentials file as patterns"},
	{"register-aws", "", "add the patterns of AWS, and the keys of ~/.aws/credentials"},
	{"recursive", "r", "--scan goes into directories"},
	{"cached", "", "--scan looks at what is staged"},
	{"no-index", "", "--scan looks at files that git does not manage"},
	{"untracked", "", "--scan looks at files that git does not track yet, too"},
	{"force", "f", "--install replaces a hook that is there"},
	{"literal", "l", "--add takes the pattern as a text, not as an expression"},
	{"allowed", "a", "--add adds an allowed pattern"},
	{"global", "", "use git's settings of the user"},
	{"commit_msg_hook", "", ""},
	{"pre_commit_hook", "", ""},
	{"prepare_commit_msg_hook", "", ""},
}

const synopsis = `usage: git secrets --scan [-r|--recursive] [--cached] [--no-index] [--untracked] [<files>...]
   or: git secrets --scan-history
   or: git secrets --install [-f|--force] [<target-directory>]
   or: git secrets --list [--global]
   or: git secrets --add [-a|--allowed] [-l|--literal] [--global] <pattern>
   or: git secrets --add-provider [--global] <command> [arguments...]
   or: git secrets --register-aws [--global]
   or: git secrets --aws-provider [<credentials-file>]
`

func usage() string {
	var b strings.Builder
	b.WriteString(synopsis + "\n")
	for _, o := range long {
		if o.help == "" {
			continue
		}
		name := "--" + o.name
		if o.short != "" {
			name = "-" + o.short + ", " + name
		}
		fmt.Fprintf(&b, "    %-21s %s\n", name, o.help)
	}
	return b.String() + "\n"
}

const usageFailed status = 129

// split takes a command line apart as git's option parser does: options may stand anywhere before --, long ones may be
// cut short.
func (t *Tool) split(args []string) (options, rest []string, err error) {
	for i, a := range args {
		switch {
		case a == "--":
			return options, append(rest, args[i+1:]...), nil
		case a == "-h" || a == "--help":
			fmt.Fprint(t.Stdout, usage())
			return nil, nil, usageFailed
		case strings.HasPrefix(a, "--"):
			name, ok := expand(a[2:])
			if !ok {
				t.say("error: unknown option `%s'\n%s", a[2:], strings.TrimSuffix(usage(), "\n"))
				return nil, nil, usageFailed
			}
			options = append(options, name)
		case len(a) > 1 && a[0] == '-':
			for _, c := range a[1:] {
				k := slices.IndexFunc(long, func(o struct{ name, short, help string }) bool { return o.short == string(c) })
				if k < 0 {
					t.say("error: unknown switch `%c'\n%s", c, strings.TrimSuffix(usage(), "\n"))
					return nil, nil, usageFailed
				}
				options = append(options, long[k].name)
			}
		default:
			rest = append(rest, a)
		}
	}
	return options, rest, nil
}

// expand finds the option that a name, or its only possible beginning, stands for.
func expand(name string) (string, bool) {
	found := ""
	for _, o := range long {
		if o.name == name {
			return name, true
		}
		if strings.HasPrefix(o.name, name) {
			if found != "" {
				return "", false
			}
			found = o.name
		}
	}
	return found, found != ""
}

func (t *Tool) command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(t.Stdout, usage())
		return nil
	}
	options, rest, err := t.split(args)
	if err != nil {
		return err
	}
	if len(options) == 0 {
		fmt.Fprint(t.Stdout, usage())
		return nil
	}
	if err := t.modify(options[0], options[1:]); err != nil {
		return err
	}
	s := t.scan
	if s.recursive && (s.cached || s.noIndex || s.untracked) {
		t.say("-r|--recursive cannot be supplied with --cached, --no-index, or --untracked")
		return status(1)
	}
	return t.dispatch(ctx, options[0], rest)
}

// modify takes the options behind the command; some belong to one command only.
func (t *Tool) modify(command string, options []string) error {
	for _, o := range options {
		var owner string
		var set *bool
		shown := "--" + o
		switch o {
		case "force":
			owner, shown, set = "install", "-f|--force", &t.force
		case "recursive":
			owner, shown, set = "scan", "-r|--recursive", &t.scan.recursive
		case "allowed":
			owner, shown, set = "add", "-a|--allowed", &t.allow
		case "literal":
			owner, shown, set = "add", "-l|--literal", &t.literal
		case "cached":
			owner, set = "scan", &t.scan.cached
		case "no-index":
			owner, set = "scan", &t.scan.noIndex
		case "untracked":
			owner, set = "scan", &t.scan.untracked
		case "global":
			owner, set = command, &t.glob
		default:
			continue
		}
		if owner != command {
			t.say("%s can only be supplied with the --%s subcommand", shown, owner)
			return status(1)
		}
		*set = true
	}
	return nil
}

func (t *Tool) dispatch(ctx context.Context, command string, rest []string) error {
	one := ""
	if len(rest) > 0 {
		one = rest[0]
	}
	switch command {
	case "scan":
		return t.files(ctx, rest)
	case "scan-history":
		return t.history(ctx)
	case "install":
		return t.install(ctx, one)
	case "list":
		return t.list(ctx)
	case "add":
		key := "secrets.patterns"
		if t.allow {
			key = "secrets.allowed"
		}
		return t.add(ctx, key, one)
	case "add-provider":
		return t.add(ctx, "secrets.providers", strings.Join(rest, " "))
	case "register-aws":
		return t.registerAWS(ctx)
	case "aws-provider":
		text, err := t.credentials(one)
		fmt.Fprint(t.Stdout, text)
		return err
	case "commit_msg_hook":
		return t.files(ctx, []string{one})
	case "pre_commit_hook":
		return t.preCommit(ctx)
	case "prepare_commit_msg_hook":
		return t.prepareCommitMessage(ctx, rest)
	}
	dashed := "--" + command
	for _, o := range long {
		if o.name == command && o.short != "" {
			dashed = "-" + o.short
		}
	}
	fmt.Fprintf(t.Stdout, "Unknown option: %s\n%s", dashed, usage())
	return usageFailed
}

func (t *Tool) list(ctx context.Context) error {
	args := []string{"config", "--get-regexp", "secrets.*"}
	if t.glob {
		args = slices.Insert(args, 1, "--global")
	}
	out, err := t.git(ctx, args...)
	fmt.Fprintf(t.Stdout, "%s", out)
	return err
}

// add puts a value into a setting unless it stands in one already.
func (t *Tool) add(ctx context.Context, key, value string) error {
	if value == "" {
		t.say("git-secrets: an empty pattern would match everything; give one")
		return status(1)
	}
	if t.literal {
		value = escape(value, `\.|$(){}?+*^`)
	}
	var where []string
	if t.glob {
		where = []string{"--global"}
	}
	for _, v := range t.values(ctx, key, where...) {
		if strings.Contains(v, value) {
			return status(1)
		}
	}
	_, err := t.git(ctx, append(append([]string{"config"}, where...), "--add", key, value)...)
	return err
}

// awsPatterns are what register-aws adds: ids of keys, secret keys and account numbers beside their names.
func awsPatterns() []string {
	const (
		quote   = `("|')?`
		vendor  = `(AWS|aws|Aws)?_?`
		connect = `\s*(:|=>|=)\s*`
	)
	return []string{
		`(A3T[A-Z0-9]|AKIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ASIA)[A-Z0-9]{16}`,
		`ABSK[A-Za-z0-9+/]{109,}=*`,
		`bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t`,
		quote + vendor + `(SECRET|secret|Secret)?_?(ACCESS|access|Access)?_?(KEY|key|Key)` + quote + connect + quote + `[A-Za-z0-9/\+=]{40}` + quote,
		quote + vendor + `(ACCOUNT|account|Account)_?(ID|id|Id)?` + quote + connect + quote + `[0-9]{4}\-?[0-9]{4}\-?[0-9]{4}` + quote,
	}
}

func (t *Tool) registerAWS(ctx context.Context) error {
	last := t.add(ctx, "secrets.providers", t.Self+" --aws-provider")
	for _, p := range awsPatterns() {
		last = t.add(ctx, "secrets.patterns", p)
	}
	for _, example := range []string{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"} {
		last = t.add(ctx, "secrets.allowed", example)
	}
	if last == nil {
		_, err := fmt.Fprintln(t.Stdout, "OK")
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return nil // they are there already
}
