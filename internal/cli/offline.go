package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/offline"
	"github.com/keephold/keephold/internal/ownkey"
	"github.com/keephold/keephold/internal/seal"
)

// offlineFlags are the flags of the commands that can go on while a server is away.
type offlineFlags struct {
	offline bool
	most    time.Duration
	doing   string // what the server is told afterwards
}

func (f *offlineFlags) add(c *cobra.Command, doing string) {
	f.doing = doing
	c.Flags().BoolVar(&f.offline, "offline", false, "use the values of the last answer and do not ask the server")
	c.Flags().DurationVar(&f.most, "max-age", 0, "use an earlier answer only if it is at most this old (default: as long as its lease)")
}

// leases are what this user keeps of one server's answers.
type leases struct {
	env       Env
	store     *offline.Store
	addr      string
	namespace string
}

// leasesOf answers nil where nothing is to be kept: in CI, and where somebody said so.
func (env Env) leasesOf(a *api) *leases {
	if env.Getenv("CI") != "" || env.Getenv("KEEPHOLD_NO_CACHE") != "" {
		return nil
	}
	cache, err := env.cacheDir()
	if err != nil {
		return nil
	}
	data, err := env.dataDir()
	if err != nil {
		return nil
	}
	reads := filepath.Join(data, "offline")
	return &leases{env: env, addr: a.addr, namespace: a.namespace, store: offline.New(offline.Config{
		Leases: filepath.Join(cache, "leases"), Reads: reads,
		Key: func(ctx context.Context, kind string) (seal.Wrapper, string, error) {
			if err := os.MkdirAll(reads, 0o700); err != nil {
				return nil, "", err
			}
			own := ownkey.Config{Account: "offline leases", KeyFile: filepath.Join(reads, "key"), Getenv: env.Getenv}
			if kind != "" {
				w, p, err := own.Open(kind)
				return w, p.Kind, err
			}
			w, p, err := own.Choose(ctx)
			return w, p.Kind, err
		},
	})}
}

// cacheDir is where what can be made again lies (XDG Base Directory Specification).
func (env Env) cacheDir() (string, error) {
	if d := env.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "keephold"), nil
	}
	home := env.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", failf(exitCannotWrite, "neither HOME nor XDG_CACHE_HOME is set")
		}
	}
	return filepath.Join(home, ".cache", "keephold"), nil
}

func (l *leases) place(space string) offline.Place {
	return offline.Place{Addr: l.addr, Namespace: l.namespace, Space: space}
}

// saw keeps what the server answered for as long as it said. Without a cache everything works but an offline start, so its
// failure is a warning.
func (l *leases) saw(ctx context.Context, space string, got *envAnswer, asked time.Time) {
	if l == nil {
		return
	}
	l.keep(ctx, space, offline.Lease{
		Values: got.Values, Versions: got.Versions, Fetched: asked, Ends: asked.Add(time.Duration(got.Lease) * time.Second), Partial: got.Partial,
	})
}

func (l *leases) keep(ctx context.Context, space string, what offline.Lease) {
	if err := l.store.Keep(ctx, l.place(space), what); err != nil {
		l.env.talk("keephold: warning: the values of %s are not kept for when the server is away: %v", space, err)
	}
}

// refused drops what the server does not answer any more.
func (l *leases) refused(space string) {
	if l == nil {
		return
	}
	if err := l.store.Drop(l.place(space)); err != nil {
		l.env.talk("keephold: warning: earlier values of %s could not be removed: %v", space, err)
	}
}

// behind remembers that what an environment inherits from may not be read, for as long as what was read before it counts.
func (l *leases) behind(ctx context.Context, space string, nearest *envAnswer) {
	if l == nil {
		return
	}
	asked := time.Now()
	l.keep(ctx, space, offline.Lease{Fetched: asked, Ends: asked.Add(time.Duration(nearest.Lease) * time.Second), Refused: true})
}

// tell gives the server the reads that it did not see. It is done before anything is asked for; a server that refuses is told
// again later.
func (l *leases) tell(ctx context.Context, a *api) error {
	if l == nil {
		return nil
	}
	for {
		reads, err := l.store.Pending(l.addr, l.namespace)
		if err != nil || len(reads) == 0 {
			return err
		}
		err = a.call(ctx, http.MethodPut, "keephold/offline-reads", map[string]any{"reads": reads}, nil)
		if status(err) != 0 {
			l.env.talk("keephold: warning: %d offline reads could not be told to %s: %v", len(reads), l.addr, err)
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.store.Told(reads); err != nil {
			return failf(exitIO, "%w", err)
		}
	}
}

// away says that a server could not be reached, as opposed to what it answers.
func away(err error) bool {
	var f *fault
	return errors.As(err, &f) && f.code == exitUnreachable
}

// sourced are the values of an environment and, when they come from an earlier answer, how old they are.
type sourced struct {
	values  map[string]value
	unread  *unread // what this caller may not read of it; nil: nothing
	offline bool
	fetched time.Time // of the oldest answer
	ends    time.Time // when the first lease ends
}

func (s *sourced) age() time.Duration { return time.Since(s.fetched).Round(time.Second) }

// document adds to a document where its values come from.
func (s *sourced) document(doc map[string]any) map[string]any {
	if s.offline {
		doc["offline"], doc["age_seconds"] = true, int64(s.age().Seconds())
	}
	if s.unread != nil {
		doc["unread"] = s.unread.names()
	}
	return doc
}

// valuesOf reads an environment: from its keep, or from an earlier answer of its server when that cannot be reached or is not to
// be asked.
func (env Env) valuesOf(ctx context.Context, o *options, p *project, e environment, f *offlineFlags) (*sourced, error) {
	a, err := env.open(ctx, o, p)
	if err != nil {
		return nil, err
	}
	e.away = f
	if p.local() || f == nil {
		if f != nil && !e.sources() && (f.offline || f.most > 0) {
			return nil, usagef("--offline and --max-age are for projects on a server or with sources, and this one is on this machine")
		}
		return env.resolve(ctx, o, a, p, e)
	}
	var gone error
	if !f.offline {
		got, err := env.resolveAsked(ctx, o, a, p, e)
		if !away(err) {
			return got, err
		}
		gone = err
	}
	s, err := env.earlier(ctx, o, a, p, e, f)
	if err != nil {
		if gone != nil && a.leases != nil {
			gone = failf(exitUnreachable, "%w; of an earlier answer: %w", gone, err).withHint("check the address and the network")
		}
		if gone != nil {
			return nil, gone
		}
		return nil, err
	}
	if !o.quiet {
		env.talk("keephold: warning: %s; values of %s are %s old, and end at %s", reason(a, gone), e.name, s.age(), s.ends.Format(time.RFC3339))
	}
	return s, nil
}

func reason(a *api, gone error) string {
	if gone != nil {
		return a.addr + " cannot be reached"
	}
	return "offline"
}

// resolveAsked tells the server what it missed, then reads.
func (env Env) resolveAsked(ctx context.Context, o *options, a *api, p *project, e environment) (*sourced, error) {
	if err := a.leases.tell(ctx, a); err != nil {
		return nil, err
	}
	return env.resolve(ctx, o, a, p, e)
}

// earlier reads an environment and what it inherits from leases, as far as they went. One that is missing or over fails the
// whole: half an environment is none. Each read is recorded before its values go on.
func (env Env) earlier(ctx context.Context, o *options, a *api, p *project, e environment, f *offlineFlags) (*sourced, error) {
	if a.leases == nil {
		return nil, failf(exitUnreachable, "nothing is kept of the server's answers").withHint("CI and KEEPHOLD_NO_CACHE turn that off")
	}
	s := &sourced{offline: true}
	var found []offline.Lease
	for i, link := range e.chain {
		l, err := a.leases.store.Find(ctx, a.leases.place(link.Space), f.most)
		if err != nil {
			return nil, failf(exitUnreachable, "%s: %w", link.Space, err).withHint("reach the server once; it says for how long its values may be used")
		}
		if l.Refused && i == 0 {
			return nil, failf(exitDenied, "%s may not be read", link.Space)
		}
		if l.Refused {
			s.unread = e.unreadFrom(i, true)
			break
		}
		found = append(found, l)
		if s.fetched.IsZero() || l.Fetched.Before(s.fetched) {
			s.fetched = l.Fetched
		}
		if s.ends.IsZero() || l.Ends.Before(s.ends) {
			s.ends = l.Ends
		}
		if l.Partial {
			s.unread = e.unreadFrom(i, false)
			break
		}
	}
	layers := make([]envAnswer, len(found))
	for i := range found {
		if err := a.leases.store.Record(a.leases.place(e.chain[i].Space), &found[i], f.doing); err != nil {
			return nil, failf(exitCannotWrite, "the offline read cannot be recorded, so there is none: %w", err)
		}
		layers[i] = envAnswer{Values: found[i].Values, Versions: found[i].Versions}
	}
	var err error
	s.values, err = env.merge(ctx, o, p, e, layers)
	return s, err
}

// origin is where a run's values come from, for its line on the terminal.
func (s *sourced) origin(store string) string {
	if s.offline {
		return fmt.Sprintf("%s, offline, %s old", store, s.age())
	}
	return store
}
