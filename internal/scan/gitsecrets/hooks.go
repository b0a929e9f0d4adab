package gitsecrets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// install writes the three hooks into a repository or a template directory.
func (t *Tool) install(ctx context.Context, dir string) error {
	if dir == "" {
		out, err := t.git(ctx, "rev-parse", "--git-dir")
		if err != nil {
			t.say("Not in a Git repository")
			return status(1)
		}
		dir = strings.TrimRight(string(out), "\r\n")
	} else if info, err := os.Stat(t.path(filepath.Join(dir, ".git"))); err == nil && info.IsDir() {
		dir += "/.git"
	}
	if err := os.MkdirAll(t.path(filepath.Join(dir, "hooks")), 0o755); err != nil {
		t.say("Could not create dir: %s", dir)
		return status(1)
	}
	for _, h := range []struct{ name, flag string }{{"commit-msg", "commit_msg_hook"}, {"pre-commit", "pre_commit_hook"}, {"prepare-commit-msg", "prepare_commit_msg_hook"}} {
		if err := t.installOne(dir, h.name, h.flag); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tool) installOne(dir, name, flag string) error {
	dest := dir + "/hooks/" + name
	if info, err := os.Stat(t.path(dest + ".d")); err == nil && info.IsDir() {
		dest += ".d/git-secrets"
	}
	if info, err := os.Stat(t.path(dest)); err == nil && info.Mode().IsRegular() && !t.force {
		t.say("%s already exists. Use -f to force", dest)
		return status(1)
	}
	body := fmt.Sprintf("#!/usr/bin/env bash\n%s --%s -- \"$@\"\n", t.Self, flag)
	if err := os.WriteFile(t.path(dest), []byte(body), 0o755); err != nil { //nolint:gosec // a hook must be executable
		return err
	}
	if err := os.Chmod(t.path(dest), 0o755); err != nil { //nolint:gosec // one that was there keeps its mode otherwise
		return err
	}
	_, err := fmt.Fprintf(t.Stdout, "Installed %s hook to %s\n", name, dest)
	return err
}

// preCommit scans the whole of each file that is about to be committed.
func (t *Tool) preCommit(ctx context.Context) error {
	g, err := t.compiled(ctx, likeGit)
	if err != nil || g == nil {
		return err
	}
	against := "HEAD"
	if cmd := t.gitCommand(ctx, "rev-parse", "--verify", "-q", "HEAD"); cmd.Run() != nil {
		empty := t.gitCommand(ctx, "hash-object", "-t", "tree", "--stdin") // the empty tree, in this repository's hash
		out, err := empty.Output()
		if err != nil {
			return fmt.Errorf("git hash-object: %w", err)
		}
		against = strings.TrimSpace(string(out))
	}
	out, err := t.git(ctx, "diff-index", "--diff-filter", "ACMU", "--cached", "-z", "--no-renames", against, "--")
	if err != nil {
		return err
	}
	var list []string
	for fields := range slices.Chunk(split0(out), 2) {
		meta := strings.Fields(strings.TrimPrefix(fields[0], ":"))
		if len(fields) != 2 || len(meta) < 5 {
			continue
		}
		list = append(list, meta[1]+" "+meta[3]+" 0\t"+fields[1])
	}
	if len(list) == 0 {
		return nil
	}
	lines, err := t.entries(ctx, g, list, "")
	return t.verdict(ctx, lines, err)
}

// prepareCommitMessage looks, before a merge, at what the merged branch brings.
func (t *Tool) prepareCommitMessage(ctx context.Context, args []string) error {
	if len(args) < 2 || args[1] != "merge" || len(args) > 2 && args[2] != "" {
		return nil
	}
	merged := ""
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "GITHEAD_") {
			merged = strings.TrimPrefix(name, "GITHEAD_")
		}
	}
	branch, err := t.git(ctx, "symbolic-ref", "HEAD")
	if err != nil {
		return err
	}
	into := strings.TrimPrefix(strings.TrimSpace(string(branch)), "refs/heads/")
	patch, err := t.git(ctx, "log", into+".."+merged, "-p")
	if err != nil {
		return err
	}
	g, err := t.compiled(ctx, likeGrep)
	if err != nil || g == nil {
		return err
	}
	return t.verdict(ctx, hits(g, "(standard input)", patch, nil), nil)
}
