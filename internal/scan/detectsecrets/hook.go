package detectsecrets

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
)

// hook is detect-secrets-hook: it fails when a file holds a secret that the baseline does not, and keeps the baseline up
// to date otherwise.
func (t *Tool) hook(ctx context.Context, argv []string) error {
	const prog = "detect-secrets-hook"
	t.args = args{set: map[string]bool{}, text: map[string][]string{}}
	a := &t.args
	known := with(with(ruleFlags(), globalFlags()), map[string]flag{"--json": plain})
	if err := a.parse(prog, argv, known); err != nil {
		return err
	}
	switch {
	case a.set["--help"]:
		return t.print(help)
	case a.set["--version"]:
		return t.print(Version)
	}
	if name, ok := a.last("--baseline"); ok {
		if info, err := os.Stat(t.path(name)); err != nil || !info.Mode().IsRegular() {
			return &usageError{prog, "argument --baseline: Invalid path: " + name}
		}
	}
	s, err := t.loadBaseline()
	if err != nil {
		return err
	}
	if err := t.configure(prog, s); err != nil {
		return err
	}
	e, err := s.compile(t.warn)
	if err != nil {
		return err
	}
	if a.baseline != "" && t.unstaged(ctx, a.baseline) {
		if err := t.print(fmt.Sprintf("Your baseline file (%s) is unstaged.\n`git add %[1]s` to fix this.", a.baseline)); err != nil {
			return err
		}
		return status(1)
	}
	found := collection{}
	for _, name := range a.paths {
		shown := strings.ReplaceAll(name, `\`, "/")
		secrets, unread := e.scanFile(t.path(shown), shown)
		if unread != nil {
			t.warn("Unable to open file: %s", name)
		}
		for _, x := range secrets {
			found.add(x)
		}
	}
	if fresh := found.minus(a.old); len(fresh) > 0 {
		return t.refuse(s, fresh)
	}
	if len(a.old) == 0 {
		return nil // no baseline, or an empty one, which the peer never changes
	}
	return t.refresh(s, found)
}

// refuse prints the secrets that the baseline does not hold.
func (t *Tool) refuse(s *settings, fresh collection) error {
	if t.args.set["--json"] {
		if err := t.print(encode(format(s, fresh, false, t.Now()), 2)); err != nil {
			return err
		}
		return status(1)
	}
	var b strings.Builder
	b.WriteString("ERROR: Potential secrets about to be committed to git repo!\n\n")
	for _, x := range fresh.sorted() {
		fmt.Fprintf(&b, "Secret Type: %s\nLocation:    %s:%d\n\n", x.kind, x.file, x.line)
	}
	team := t.Getenv("DETECT_SECRETS_SECURITY_TEAM")
	if team == "" {
		team = "in #security"
	}
	b.WriteString("Possible mitigations:\n")
	b.WriteString(fill("  - ", "    ", "For information about putting your secrets in a safer place, please ask "+team) + "\n")
	b.WriteString(fill("  - ", "    ", "Mark false positives with an inline `pragma: allowlist secret` comment") + "\n\n")
	b.WriteString(fill("", "", "If a secret has already been committed, visit https://help.github.com/articles/removing-sensitive-data-from-a-repository"))
	if err := t.print(b.String()); err != nil {
		return err
	}
	return status(1)
}

// fill breaks a text into lines of up to eighty characters.
func fill(first, other, text string) string {
	const width = 80
	var lines []string
	line := first
	empty := true
	for _, w := range strings.Fields(text) {
		if !empty && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line, empty = other, true
		}
		if !empty {
			line += " "
		}
		line += w
		empty = false
	}
	return strings.Join(append(lines, line), "\n")
}

// refresh removes from the baseline what is gone and moves what has moved. A changed baseline has to be staged again.
func (t *Tool) refresh(s *settings, found collection) error {
	a := &t.args
	changed := a.old.trim(found, a.paths)
	if a.version != Version {
		changed = true
	}
	if !changed {
		return nil
	}
	if err := t.rewrite(s); err != nil {
		return err
	}
	if err := t.print(fmt.Sprintf("The baseline file was updated.\nProbably to keep line numbers of secrets up-to-date.\nPlease `git add %s`, thank you.\n\n", a.baseline)); err != nil {
		return err
	}
	return status(3)
}

// rewrite saves the baseline. One of an earlier release keeps what it said and gets the new form.
func (t *Tool) rewrite(s *settings) error {
	a := &t.args
	if a.version == Version {
		return save(t.path(a.baseline), format(s, a.old, false, t.Now()))
	}
	text, err := os.ReadFile(t.path(a.baseline))
	if err != nil {
		return err
	}
	o, err := parseObject(text)
	if err != nil {
		return err
	}
	return save(t.path(a.baseline), upgrade(o.set("results", a.old.json(false)), a.version))
}

// unstaged reports that git has changes of the file that are not staged: they would not be in the commit.
func (t *Tool) unstaged(ctx context.Context, name string) bool {
	out, err := t.git(ctx, t.dir(), "diff", "--name-only", "-z")
	return err == nil && slices.Contains(strings.Split(out, "\x00"), name)
}
