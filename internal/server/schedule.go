package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	snapshotPrefix = "keephold-"
	snapshotSuffix = ".snapshot"
	snapshotTime   = "20060102T150405Z"
	snapshotRetry  = time.Minute // after one that failed, where "every" is longer

	unfinishedPrefix = ".unfinished-" // then the node: nobody else's are removed
)

// runSnapshots takes snapshots as [snapshot] says until ctx ends. A snapshot that fails is logged and tried again; it
// never stops the server. What a restart interrupts is due at its time: the files say when the last one was taken.
func (s *Server) runSnapshots(ctx context.Context) error {
	cfg := s.cfg.Snapshot
	every := time.Duration(cfg.Every)
	if every <= 0 {
		return nil
	}
	if err := s.sweepUnfinished(); err != nil {
		s.cfg.Log.Error("what an interrupted snapshot left", slog.String("dir", cfg.Dir), slog.String("error", err.Error()))
	}
	wait := time.Until(lastSnapshot(cfg.Dir).Add(every))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(wait, 0)):
		}
		wait = every
		name, err := s.takeSnapshot(ctx)
		switch {
		case err == nil:
			s.cfg.Log.Info("snapshot taken", slog.String("file", name))
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the server stops
		default:
			s.cfg.Log.Error("snapshot not taken", slog.String("dir", cfg.Dir), slog.String("error", err.Error()))
			wait = min(every, snapshotRetry)
		}
	}
}

// sweepUnfinished removes what this node was writing when it died.
func (s *Server) sweepUnfinished() error {
	left, err := filepath.Glob(filepath.Join(globbed(s.cfg.Snapshot.Dir), unfinishedPrefix+s.cfg.Keep.node+"-*"))
	for _, f := range left {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// takeSnapshot writes one file and removes the oldest over the number to keep. The file has its name only when it is whole
// and on disk.
func (s *Server) takeSnapshot(ctx context.Context) (string, error) {
	if !s.gate.enter() {
		return "", errRestoring
	}
	defer s.gate.leave()
	k, cfg := s.cfg.Keep, s.cfg.Snapshot
	local, err := k.Desk.Local()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(cfg.Dir, unfinishedPrefix+k.node+"-*")
	if err != nil {
		return "", err
	}
	k.at("make the file")
	_, err = k.Desk.Snapshot(ctx, local, f)
	k.at("write")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	k.at("sync")
	name := filepath.Join(cfg.Dir, snapshotPrefix+time.Now().UTC().Format(snapshotTime)+snapshotSuffix)
	if err := os.Rename(f.Name(), name); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	k.at("rename")
	err = syncDir(cfg.Dir)
	k.at("sync the directory")
	return name, errors.Join(err, prune(cfg.Dir, cfg.Keep))
}

// snapshots lists the scheduled snapshots of a directory, oldest first. Other files are none of ours.
func snapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := snapshotTaken(e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func snapshotTaken(name string) (time.Time, bool) {
	text, ok := strings.CutPrefix(name, snapshotPrefix)
	text, found := strings.CutSuffix(text, snapshotSuffix)
	at, err := time.Parse(snapshotTime, text)
	return at, ok && found && err == nil
}

func lastSnapshot(dir string) time.Time {
	names, err := snapshots(dir)
	if err != nil || len(names) == 0 {
		return time.Time{}
	}
	at, _ := snapshotTaken(names[len(names)-1])
	return at
}

// prune removes the oldest snapshots over the number to keep; zero keeps all.
func prune(dir string, keep int) error {
	names, err := snapshots(dir)
	if err != nil || keep <= 0 {
		return err
	}
	var errs []error
	for len(names) > keep {
		errs = append(errs, os.Remove(filepath.Join(dir, names[0])))
		names = names[1:]
	}
	return errors.Join(errs...)
}

// check says what is wrong with [snapshot].
func (f SnapshotFile) check() error {
	if f.Every > 0 && f.Dir == "" {
		return errors.New("[snapshot] every needs dir")
	}
	return nil
}
