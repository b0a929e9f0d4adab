package gitsecrets

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// verdict prints what is not allowed and ends the command as the original does. broken is the exit code of a search that
// could not look at everything.
func (t *Tool) verdict(ctx context.Context, lines []string, broken error) error {
	if broken != nil {
		return broken
	}
	if len(lines) > 0 {
		allowed, err := t.allowed(ctx)
		if err != nil {
			return err
		}
		if lines, err = refuse(lines, allowed); err != nil {
			return err
		}
	}
	if len(lines) == 0 {
		return nil
	}
	for _, l := range lines {
		t.say("%s", l)
	}
	t.say("\n[ERROR] Matched one or more prohibited patterns\n\nPossible mitigations:")
	for _, m := range []string{
		"Mark false positives as allowed using: git config --add secrets.allowed ...",
		"Mark false positives as allowed by adding regular expressions to .gitallowed at repository's root directory",
		"List your configured patterns: git config --get-all secrets.patterns",
		"List your configured allowed patterns: git config --get-all secrets.allowed",
		"List your configured allowed patterns in .gitallowed at repository's root directory",
		"Use --no-verify if this is a one-time false positive",
	} {
		t.say("- %s", m)
	}
	return status(1)
}

// refuse drops the lines that an allowed pattern matches anywhere.
func refuse(lines, allowed []string) ([]string, error) {
	if len(allowed) == 0 {
		return lines, nil
	}
	var parts []string
	for _, p := range allowed {
		x, err := translate(p, false)
		if err != nil {
			return nil, fmt.Errorf("allowed: %w", err)
		}
		parts = append(parts, "(?:"+x+")")
	}
	re, err := regexp.Compile(strings.Join(parts, "|"))
	if err != nil {
		return nil, fmt.Errorf("allowed: %w", err)
	}
	return slices.DeleteFunc(lines, func(l string) bool { return re.Match(wide([]byte(l))) }), nil
}

// compiled reads the patterns. One that cannot be used ends the command with the code that the tool behind it would give.
func (t *Tool) compiled(ctx context.Context, how flavor) (*grep, error) {
	patterns, err := t.patterns(ctx)
	if err != nil {
		return nil, err
	}
	g, err := newGrep(patterns, how)
	var broken *patternError
	switch {
	case errors.As(err, &broken) && how == likeGit:
		t.say("fatal: command line, '%s': %s", strings.Join(patterns, "|"), broken.why)
		return nil, gitFailed
	case errors.As(err, &broken):
		t.say("grep: %s", broken.why)
		return nil, grepFailed
	}
	return g, err
}

const (
	gitFailed  status = 128
	grepFailed status = 2
)

// files is --scan: without names, or with an option, what git lists; otherwise the files as named.
func (t *Tool) files(ctx context.Context, names []string) error {
	s := t.scan
	if s.cached && (s.noIndex || s.untracked) || s.noIndex && s.untracked {
		t.say("fatal: options '--cached', '--no-index' and '--untracked' cannot be used together")
		return gitFailed
	}
	if len(names) > 0 && !s.cached && !s.noIndex && !s.untracked {
		g, err := t.compiled(ctx, likeGrep)
		if err != nil || g == nil {
			return err
		}
		lines, err := t.named(g, names)
		return t.verdict(ctx, lines, err)
	}
	g, err := t.compiled(ctx, likeGit)
	if err != nil || g == nil {
		return err
	}
	if s.cached {
		lines, err := t.index(ctx, g, names)
		return t.verdict(ctx, lines, err)
	}
	if s.noIndex {
		lines, err := t.unmanaged(g, names)
		return t.verdict(ctx, lines, err)
	}
	list, err := t.listed(ctx, names)
	if err != nil {
		return err
	}
	var lines []string
	for _, name := range list {
		info, err := os.Lstat(t.path(name))
		if err != nil || !info.Mode().IsRegular() {
			continue // git grep leaves out what is not there, links and submodules
		}
		if lines, err = t.file(g, name, lines); err != nil {
			t.say("git-secrets: %v", err)
			return gitFailed
		}
	}
	return t.verdict(ctx, lines, nil)
}

// listed are the files of the working tree that git knows of, with --untracked also those that it does not ignore.
func (t *Tool) listed(ctx context.Context, specs []string) ([]string, error) {
	args := []string{"ls-files", "-z", "--cached"}
	if t.scan.untracked {
		args = append(args, "--others", "--exclude-standard")
	}
	out, err := t.git(ctx, append(append(args, "--"), specs...)...)
	if err != nil {
		return nil, err
	}
	list := split0(out)
	slices.Sort(list)
	return slices.Compact(list), nil
}

func split0(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// file adds the hits of a file in the working tree.
func (t *Tool) file(g *grep, name string, lines []string) ([]string, error) {
	text, err := os.ReadFile(t.path(name))
	if err != nil {
		return lines, err
	}
	return hits(g, name, text, lines), nil
}

func hits(g *grep, name string, text []byte, lines []string) []string {
	if g.isBinary(text) {
		return lines
	}
	for _, h := range g.lines(text) {
		lines = append(lines, name+":"+strconv.Itoa(h.number)+":"+h.text)
	}
	return lines
}

// named scans files as grep does: directories are left out unless -r is given, - is stdin. A file that cannot be read
// makes the whole search one that failed.
func (t *Tool) named(g *grep, names []string) ([]string, error) {
	var lines []string
	var failed error
	complain := func(name string, err error) {
		var p *fs.PathError
		why := err.Error()
		if errors.As(err, &p) {
			why = p.Err.Error()
		}
		if errors.Is(err, fs.ErrNotExist) {
			why = "No such file or directory"
		}
		t.say("grep: %s: %s", name, why)
		failed = grepFailed
	}
	one := func(name string) {
		var err error
		if lines, err = t.file(g, name, lines); err != nil {
			complain(name, err)
		}
	}
	for _, name := range names {
		if name == "-" {
			text, err := io.ReadAll(t.Stdin)
			if err != nil {
				complain("(standard input)", err)
			}
			lines = hits(g, "(standard input)", text, lines)
			continue
		}
		info, err := os.Stat(t.path(name))
		switch {
		case err != nil:
			complain(name, err)
		case !info.IsDir():
			one(name)
		case t.scan.recursive:
			below(t.path(name), name, one, complain)
		}
	}
	return lines, failed
}

// below calls one for each regular file under a directory.
func below(dir, shown string, one func(string), complain func(string, error)) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		complain(shown, err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(shown, "/") + "/" + e.Name()
		switch {
		case e.IsDir():
			below(filepath.Join(dir, e.Name()), name, one, complain)
		case e.Type().IsRegular():
			one(name)
		}
	}
}

// unmanaged is --no-index: everything below the directory, whatever git knows of it.
func (t *Tool) unmanaged(g *grep, names []string) ([]string, error) {
	if len(names) == 0 {
		names = []string{"."}
	}
	var lines []string
	var failed error
	complain := func(name string, err error) {
		t.say("fatal: %s: %v", name, err)
		failed = gitFailed
	}
	one := func(name string) {
		name = filepath.ToSlash(filepath.Clean(name))
		if name == ".git" || strings.HasPrefix(name, ".git/") || strings.Contains(name, "/.git/") {
			return
		}
		var err error
		if lines, err = t.file(g, name, lines); err != nil {
			complain(name, err)
		}
	}
	for _, name := range names {
		info, err := os.Stat(t.path(name))
		switch {
		case err != nil:
			complain(name, err)
		case info.IsDir():
			below(t.path(name), name, one, complain)
		default:
			one(name)
		}
	}
	return lines, failed
}

// index scans what is staged.
func (t *Tool) index(ctx context.Context, g *grep, specs []string) ([]string, error) {
	out, err := t.git(ctx, append([]string{"ls-files", "-s", "-z", "--"}, specs...)...)
	if err != nil {
		return nil, err
	}
	return t.entries(ctx, g, split0(out), "")
}

// entries scans the blobs of "mode id stage\tpath" or "mode kind id\tpath" lines; before stands in front of each path.
func (t *Tool) entries(ctx context.Context, g *grep, list []string, before string) ([]string, error) {
	blobs, err := t.blobs(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, entry := range list {
		head, name, _ := strings.Cut(entry, "\t")
		f := strings.Fields(head)
		if len(f) != 3 || !strings.HasPrefix(f[0], "100") || f[2] != "0" && len(f[2]) == 1 {
			continue // links, submodules, and the sides of a conflict
		}
		id := f[1]
		if f[1] == "blob" {
			id = f[2]
		}
		found, err := blobs.hits(g, id)
		if err != nil {
			return nil, errors.Join(err, blobs.close())
		}
		for _, h := range found {
			lines = append(lines, before+name+":"+strconv.Itoa(h.number)+":"+h.text)
		}
	}
	return lines, blobs.close()
}

// A blobReader asks one git process for blobs and remembers what was found in them.
type blobReader struct {
	in   io.WriteCloser
	out  *bufio.Reader
	wait func() error
	seen map[string][]hit
}

func (t *Tool) blobs(ctx context.Context) (*blobReader, error) {
	cmd := t.gitCommand(ctx, "cat-file", "--batch")
	cmd.Stderr = t.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &blobReader{in: in, out: bufio.NewReader(out), wait: cmd.Wait, seen: map[string][]hit{}}, nil
}

func (b *blobReader) close() error {
	return errors.Join(b.in.Close(), b.wait())
}

func (b *blobReader) hits(g *grep, id string) ([]hit, error) {
	if found, ok := b.seen[id]; ok {
		return found, nil
	}
	if _, err := io.WriteString(b.in, id+"\n"); err != nil {
		return nil, err
	}
	head, err := b.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	f := strings.Fields(head)
	if len(f) != 3 {
		return nil, fmt.Errorf("git cat-file: %s: the object cannot be read", strings.TrimSpace(head))
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return nil, fmt.Errorf("git cat-file: %q", head)
	}
	var text bytes.Buffer
	if _, err := io.CopyN(&text, b.out, size+1); err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	body := text.Bytes()[:size]
	var found []hit
	if !g.isBinary(body) {
		found = g.lines(body)
	}
	b.seen[id] = found
	return found, nil
}

// history is --scan-history: the trees of all commits whose changes match.
func (t *Tool) history(ctx context.Context) error {
	g, err := t.compiled(ctx, likeGit)
	if err != nil || g == nil {
		return err
	}
	patterns, err := t.patterns(ctx)
	if err != nil {
		return err
	}
	out, err := t.git(ctx, "log", "--all", "-G"+strings.Join(patterns, "|"), "--pretty=%H")
	if err != nil {
		return err
	}
	commits := strings.Fields(string(out))
	if len(commits) == 0 {
		// The original then searches the working tree; so does this.
		t.scan = scanning{}
		return t.files(ctx, nil)
	}
	var lines []string
	for _, c := range commits {
		tree, err := t.git(ctx, "ls-tree", "-r", "-z", c)
		if err != nil {
			return err
		}
		found, err := t.entries(ctx, g, split0(tree), c+":")
		if err != nil {
			return err
		}
		lines = append(lines, found...)
	}
	return t.verdict(ctx, lines, nil)
}
