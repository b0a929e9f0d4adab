// Package mirror makes two stores hold the same secrets: it reads both, says what it would do, and does it. One store is called
// here and the other there; what decides is written down in plan.go, what a run remembers of the last in journal.go.
//
// A run may be killed at any moment. The next one looks at both stores again, finds what is equal already, and does the rest:
// nothing is written twice, and nothing that somebody changed meanwhile is lost.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// Config of a Mirror. Here, There, Name and Path are needed.
type Config struct {
	Here, There             provider.Provider
	HerePrefix, TherePrefix string
	Name                    func(here string) (string, error)  // what a secret is called there; an error refuses it
	Path                    func(there string) (string, error) // what it is called here
	Way                     Way
	Prefer                  Prefer
	Delete                  bool // also do away with what the source does not have
	Untyped                 bool // one of the stores does not tell text from bytes
	Journal                 *Journal
	AtOnce                  int // secrets that are worked on at once; 0 is 16
}

const atOnce = 16

// Mirror is a pair of stores.
type Mirror struct{ cfg Config }

// Progress is called as work goes on, maybe by several at once.
type Progress func(done, total int)

// ErrOutside is how Config.Name says that a secret here has no part in the transfer.
var ErrOutside = errors.New("not a part of it")

// New checks the configuration and asks nothing.
func New(cfg Config) (*Mirror, error) {
	if cfg.Here == nil || cfg.There == nil || cfg.Name == nil || cfg.Path == nil {
		return nil, errors.New("mirror: two stores and the names between them are needed")
	}
	if cfg.AtOnce == 0 {
		cfg.AtOnce = atOnce
	}
	if cfg.Journal == nil {
		cfg.Journal = &Journal{}
	}
	return &Mirror{cfg: cfg}, nil
}

// Step is what is to be done about one secret.
type Step struct {
	Here, There string // names; "" where there is none
	Do          Action
	Why         error // of Refused and Failed

	here, there *provider.Ref // nil: it is not there
	kindHere    secret.Kind   // of what is replaced
}

// Name is the name here, or there when it has none here.
func (s *Step) Name() string {
	if s.Here != "" {
		return s.Here
	}
	return s.There
}

// Apply does what a plan says, and puts into each step how it went: what failed is Failed, with its reason, and the others are
// done all the same. The error is one that ends the whole: a store that is away, or the end of ctx.
func (m *Mirror) Apply(ctx context.Context, plan []Step, progress Progress) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(m.cfg.AtOnce)
	total := 0
	for i := range plan {
		if plan[i].Do.Writes() {
			total++
		}
	}
	var done atomic.Int64
	for i := range plan {
		step := &plan[i]
		if !step.Do.Writes() {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			err := m.act(ctx, step)
			if err != nil && fatal(ctx, err) {
				return err
			}
			if err != nil {
				step.Do, step.Why = Failed, err
			}
			progress.tell(&done, total)
			return nil
		})
	}
	return g.Wait()
}

// fatal says that the other secrets would fare no better.
func fatal(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, secret.ErrUnavailable) || errors.Is(err, secret.ErrSignIn) || errors.Is(err, secret.ErrSealed) ||
		errors.Is(err, secret.ErrLimited) || errors.Is(err, errJournal)
}

func (p Progress) tell(done *atomic.Int64, total int) {
	if n := done.Add(1); p != nil {
		p(int(n), total)
	}
}

func (m *Mirror) act(ctx context.Context, s *Step) error {
	switch s.Do {
	case MakeHere, ChangeHere:
		return m.copy(ctx, s, m.cfg.There, m.cfg.Here, s.there, s.here, s.Here)
	case MakeThere, ChangeThere:
		return m.copy(ctx, s, m.cfg.Here, m.cfg.There, s.here, s.there, s.There)
	case DeleteHere:
		return m.remove(ctx, s, m.cfg.Here, *s.here)
	case DeleteThere:
		return m.remove(ctx, s, m.cfg.There, *s.there)
	}
	return nil
}

// copy reads a secret from one store and writes it to the other. old is what it replaces.
func (m *Mirror) copy(ctx context.Context, s *Step, from, to provider.Provider, source, old *provider.Ref, name string) error {
	got, err := from.Read(ctx, *source)
	if errors.Is(err, secret.ErrNotFound) { // a name without a value, or one that went away since the list was made
		s.Do = Same
		return nil
	}
	if err != nil {
		return err
	}
	defer got.Wipe()
	read := got.Ref
	got.Ref = provider.Ref{Name: name, Tags: got.Tags}
	if old != nil {
		got.Revision = old.Revision
		if s.Do == ChangeHere && s.kindHere == secret.Map && got.Kind == secret.Text {
			// A map that went to a store of texts comes back as one.
			if object, ok := provider.Object(got.Value); ok {
				got.Value.Wipe()
				got.Value, got.Kind = object, secret.Map
			}
		}
	}
	if len(got.Older) > 0 && s.Do <= ChangeHere {
		if err := m.cfg.Journal.Note(Entry{s.Here, begun, read.Revision}); err != nil {
			return err
		}
	}
	wrote, err := to.Write(ctx, got)
	if err != nil {
		return err
	}
	if s.Do == MakeHere || s.Do == ChangeHere {
		return m.cfg.Journal.Note(Entry{s.Here, wrote.Revision, read.Revision})
	}
	return m.cfg.Journal.Note(Entry{s.Here, read.Revision, wrote.Revision})
}

func (m *Mirror) remove(ctx context.Context, s *Step, from provider.Provider, ref provider.Ref) error {
	if err := from.Delete(ctx, ref); err != nil && !errors.Is(err, secret.ErrNotFound) {
		return err
	}
	return m.cfg.Journal.Note(Entry{Name: s.Name()})
}

// refused is why a secret cannot be on the other side.
func refused(name string, err error) error { return fmt.Errorf("%s: %w", name, err) }
