package mirror

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// Way is which store follows which.
type Way uint8

// The ways.
const (
	Pull Way = iota // here follows there
	Push            // there follows here
	Sync            // each follows what was changed in the other
)

func (w Way) String() string { return [...]string{"pull", "push", "sync"}[w] }

// Prefer is whose value stays of what was changed in both stores, or differs and nobody knows why.
type Prefer uint8

// The preferences.
const (
	Nobody Prefer = iota
	Here
	There
)

// Action is what happens to a secret.
type Action uint8

// The actions.
const (
	Same        Action = iota
	MakeHere           // it is only there
	ChangeHere         // there has another value
	DeleteHere         // it is not there any more
	MakeThere          // it is only here
	ChangeThere        // here has another value
	DeleteThere        // it is not here any more
	Keep               // the side that follows has more, or something newer; it stays
	Conflict           // both differ, and nobody said whose stays
	Refused            // the other store cannot hold it, or it cannot be read
	Failed             // doing it went wrong
)

var actionNames = [...]string{"same", "make here", "change here", "delete here", "make there", "change there", "delete there", "keep", "conflict", "refused", "failed"}

func (a Action) String() string { return actionNames[a] }

// Writes says that the action changes a store.
func (a Action) Writes() bool { return a >= MakeHere && a <= DeleteThere }

// Plan looks at both stores and answers what there is to do, by name. Nothing is changed. Of secrets that both have, both values
// are compared, unless the journal knows both revisions.
func (m *Mirror) Plan(ctx context.Context, progress Progress) ([]Step, error) {
	steps, err := m.pair(ctx)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(m.cfg.AtOnce)
	var done atomic.Int64
	for i := range steps {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			err := m.look(ctx, &steps[i])
			progress.tell(&done, len(steps))
			return err
		})
	}
	return steps, g.Wait()
}

// pair lists both stores and brings together what has the same name.
func (m *Mirror) pair(ctx context.Context) ([]Step, error) {
	byName := map[string]*Step{}
	var odd []Step
	for ref, err := range m.cfg.There.List(ctx, m.cfg.TherePrefix) {
		if err != nil {
			return nil, err
		}
		path, err := m.cfg.Path(ref.Name)
		if err != nil {
			odd = append(odd, Step{There: ref.Name, Do: Refused, Why: refused(ref.Name, err)})
			continue
		}
		if twin := byName[path]; twin != nil {
			odd = append(odd, Step{Here: path, There: ref.Name, Do: Refused, Why: refused(ref.Name, errors.New("another secret has this name here: "+twin.There))})
			continue
		}
		byName[path] = &Step{Here: path, There: ref.Name, there: &ref}
	}
	for ref, err := range m.cfg.Here.List(ctx, m.cfg.HerePrefix) {
		if err != nil {
			return nil, err
		}
		if s := byName[ref.Name]; s != nil {
			s.here = &ref
			continue
		}
		name, err := m.cfg.Name(ref.Name)
		if err != nil {
			if m.cfg.Way != Pull && !errors.Is(err, ErrOutside) {
				odd = append(odd, Step{Here: ref.Name, Do: Refused, Why: refused(ref.Name, err)})
			}
			continue
		}
		byName[ref.Name] = &Step{Here: ref.Name, There: name, here: &ref}
	}
	for _, s := range byName {
		odd = append(odd, *s)
	}
	slices.SortFunc(odd, func(a, b Step) int {
		return 2*strings.Compare(a.Here, b.Here) + strings.Compare(a.There, b.There)
	})
	return odd, nil
}

// look finds out what there is to do about a secret.
func (m *Mirror) look(ctx context.Context, s *Step) error {
	if s.Do == Refused {
		return nil
	}
	base, known := m.cfg.Journal.Last(s.Here)
	here, err := m.read(ctx, m.cfg.Here, &s.here)
	if err != nil {
		return s.refuse(ctx, s.Here, err)
	}
	defer here.Wipe()
	s.kindHere = here.Kind
	if s.here != nil && s.there != nil && known && base.Here == s.here.Revision && base.There == s.there.Revision && base.There != "" {
		return nil // as it was left
	}
	if s.there == nil && s.here == nil {
		return nil
	}
	var there provider.Secret
	if s.here != nil || known && m.cfg.Way == Sync { // what is only there is read when it is copied
		if there, err = m.read(ctx, m.cfg.There, &s.there); err != nil {
			return s.refuse(ctx, s.There, err)
		}
		defer there.Wipe()
	}
	if s.here != nil && s.there != nil && m.takenOver(&here, &there, base, known) {
		s.Do = ChangeHere
		return nil
	}
	if s.here != nil && s.there != nil && provider.Same(&here, &there, m.cfg.Untyped) {
		return m.cfg.Journal.Note(Entry{s.Here, s.here.Revision, s.there.Revision})
	}
	s.Do = m.decide(s, base, known)
	return nil
}

// takenOver says that a secret here is the one there, with the ids of its versions, and that its versions or labels have moved there
// since: values alone would not tell.
func (m *Mirror) takenOver(here, there *provider.Secret, base Entry, known bool) bool {
	if m.cfg.Way == Push || here.ID == "" || there.ID == "" {
		return false
	}
	if known && base.Here == begun {
		return true
	}
	moved := here.ID == there.ID && !slices.Equal(here.Labels, there.Labels)
	return moved || known && base.Here == here.Revision && base.There != there.Revision && there.Revision != ""
}

// read reads what a store lists. One without a value counts as one that is not there.
func (m *Mirror) read(ctx context.Context, from provider.Provider, ref **provider.Ref) (provider.Secret, error) {
	if *ref == nil {
		return provider.Secret{}, nil
	}
	got, err := from.Read(ctx, **ref)
	switch {
	case errors.Is(err, secret.ErrNotFound):
		*ref = nil
		return provider.Secret{}, nil
	case err == nil:
		*ref = &got.Ref
	}
	return got, err
}

func (s *Step) refuse(ctx context.Context, name string, err error) error {
	if fatal(ctx, err) {
		return err
	}
	s.Do, s.Why = Refused, refused(name, err)
	return nil
}

// decide is the table of what happens to secrets that are not the same. known says that an earlier run left the secret the same in
// both stores, and base which revisions it had then.
func (m *Mirror) decide(s *Step, base Entry, known bool) Action {
	hereIsNew := !known || s.here != nil && base.Here != s.here.Revision
	thereIsNew := !known || s.there != nil && base.There != s.there.Revision
	switch {
	case s.here == nil:
		return m.onlyThere(known, thereIsNew)
	case s.there == nil:
		return m.onlyHere(known, hereIsNew)
	case known && !hereIsNew && thereIsNew:
		return m.follow(ChangeHere)
	case known && hereIsNew && !thereIsNew:
		return m.follow(ChangeThere)
	case m.cfg.Prefer == There:
		return m.follow(ChangeHere)
	case m.cfg.Prefer == Here:
		return m.follow(ChangeThere)
	}
	return Conflict
}

// follow is the change, or Keep when it is not in the way of this run.
func (m *Mirror) follow(change Action) Action {
	if m.cfg.Way == Pull && change == ChangeThere || m.cfg.Way == Push && change == ChangeHere {
		return Keep
	}
	return change
}

func (m *Mirror) onlyThere(known, changed bool) Action {
	switch {
	case m.cfg.Way == Pull:
		return MakeHere
	case m.cfg.Way == Push:
		return m.deletion(DeleteThere)
	case !known: // it was made there
		return MakeHere
	case changed && m.cfg.Prefer == There:
		return MakeHere
	case changed && m.cfg.Prefer == Nobody: // deleted here, changed there
		return Conflict
	}
	return m.deletion(DeleteThere)
}

func (m *Mirror) onlyHere(known, changed bool) Action {
	switch {
	case m.cfg.Way == Push:
		return MakeThere
	case m.cfg.Way == Pull:
		return m.deletion(DeleteHere)
	case !known:
		return MakeThere
	case changed && m.cfg.Prefer == Here:
		return MakeThere
	case changed && m.cfg.Prefer == Nobody:
		return Conflict
	}
	return m.deletion(DeleteHere)
}

// deletion happens only when it was asked for.
func (m *Mirror) deletion(a Action) Action {
	if !m.cfg.Delete {
		return Keep
	}
	return a
}
