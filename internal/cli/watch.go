package cli

import (
	"context"
	"crypto/rand"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/launch"
	"github.com/keephold/keephold/internal/settings"
	"github.com/keephold/keephold/redact"
)

// settle is how long values must stay the same before a program is started again: several changes are one.
const settle = 500 * time.Millisecond

// watched is what a running program was given. Only the goroutine that watches touches it after the start.
type watched struct {
	p    *project
	e    environment
	dir  *launch.Dir
	last handover
	file time.Time // when the local keep changed last
}

// watch looks for changed values until ctx ends. New values are fetched and judged first; the running program is kept
// when they cannot be read or are not valid.
func (env Env) watch(ctx context.Context, o *options, r *runOptions, w *watched, red *redact.Redactor, restart chan<- []string) {
	for wait(ctx, r.every) {
		if !w.mayHaveChanged(env) {
			continue
		}
		next, ok := env.fetch(ctx, o, r, w)
		for ok && next.mark != w.last.mark {
			if !wait(ctx, settle) {
				return
			}
			again, fetched := env.fetch(ctx, o, r, w)
			if ok = fetched; again.mark == next.mark {
				break
			}
			next = again
		}
		if !ok || next.mark == w.last.mark {
			continue
		}
		if red != nil { // the program that ends may still write the old ones
			red.Swap(slices.Concat(next.secrets, replaced(w.last.secrets, next.secrets)))
		}
		w.last = next
		env.talk("keephold: values of %s changed", w.e.name)
		if r.splay > 0 {
			chance, err := rand.Int(rand.Reader, big.NewInt(int64(r.splay)))
			if err != nil || !wait(ctx, time.Duration(chance.Int64())) {
				return
			}
		}
		select {
		case restart <- next.environ:
		case <-ctx.Done():
			return
		}
	}
}

// replaced are the secrets whose values are no longer the newest.
func replaced(old, now []redact.Secret) []redact.Secret {
	return slices.DeleteFunc(slices.Clone(old), func(s redact.Secret) bool { return slices.Contains(now, s) })
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// mayHaveChanged spares the local keep, which only one process can open at a time: its file is looked at first.
func (w *watched) mayHaveChanged(env Env) bool {
	dir, err := env.dataDir()
	if err != nil || storeName(w.p) != "local" {
		return true
	}
	info, err := os.Stat(filepath.Join(dir, "keephold.db"))
	if err != nil || info.ModTime().Equal(w.file) {
		return false
	}
	w.file = info.ModTime()
	return true
}

// fetch reads the values anew. What is wrong is said, and the program goes on as it is.
func (env Env) fetch(ctx context.Context, o *options, r *runOptions, w *watched) (handover, bool) {
	got, err := env.valuesFor(ctx, o, w.p, w.e, nil) // what was read earlier is what the program has
	if err != nil {
		env.talk("keephold: warning: the values could not be read again, the program goes on: %v", err)
		return handover{}, false
	}
	for _, f := range w.p.problems(w.e, got.values) {
		if f.Kind == string(settings.Invalid) {
			env.talk("keephold: warning: %s is not valid, the program goes on with the old values: %s", f.Name, f.Text)
			return handover{}, false
		}
	}
	if !got.unread.reaches(w.last.unread) {
		env.talk("keephold: warning: less of %s may be read than before, the program goes on with the old values: %s", w.e.name, strings.Join(got.unread.names(), ", "))
		return handover{}, false
	}
	texts, err := r.choose(w.p, w.e, got.values)
	var h handover
	if err == nil {
		h, err = r.handover(w.p, texts, got.unread, w.dir)
	}
	if err != nil {
		env.talk("keephold: warning: the program goes on with the old values: %v", err)
		return handover{}, false
	}
	return h, true
}
