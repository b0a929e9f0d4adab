package custody

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/store"
)

// UpgradeStep brings a store from one format to the next.
type UpgradeStep struct {
	From uint32
	What string // one line, for the record

	// Change answers what becomes of one record; nothing leaves it as it is. It is asked in the order of the keys, and also for
	// records that it made itself: it leaves those alone that are of the new form already. It sees ciphertext. What needs
	// keys is not done here but by the house, after an unseal, as a rotation is.
	Change func(store.Entry) ([]store.Op, error)
}

// Upgrade brings a store that nobody serves to a format, step by step. It is a copy: whoever calls it puts the copy in the
// store's place when all is done, so nobody ever opens what is between two formats. The record of the upgrade is in the copy
// and reaches the log at the next start. done is told after each commit.
func Upgrade(ctx context.Context, e store.Engine, steps []UpgradeStep, to uint32, now time.Time, done func(what string)) error {
	f, ok := e.(store.Formatted)
	if !ok {
		return fmt.Errorf("upgrade: %w: this engine has no format", store.ErrInvalid)
	}
	h, err := f.Header(ctx)
	if err != nil {
		return err
	}
	ev := audit.Event{
		ID: newEventID(now), Time: now, Kind: audit.SystemEvent, Action: "upgraded", Decision: audit.Decision{Allowed: true},
		Who:   audit.Who{ID: "local", Method: "local"},
		Links: []audit.Pair{{Name: "from-format", Value: strconv.FormatUint(uint64(h.MinWriter), 10)}, {Name: "to-format", Value: strconv.FormatUint(uint64(to), 10)}},
	}
	for h.MinWriter < to {
		step, ok := stepFrom(steps, h.MinWriter)
		if !ok {
			return fmt.Errorf("upgrade: no step leads from format %d to %d: %w", h.MinWriter, to, store.ErrFormat)
		}
		if err := step.run(ctx, e, done); err != nil {
			return fmt.Errorf("upgrade from format %d (%s): %w", step.From, step.What, err)
		}
		h.MinWriter++
		h.MinReader = h.MinWriter
		if err := f.SetHeader(ctx, h); err != nil {
			return err
		}
		ev.Links = append(ev.Links, audit.Pair{Name: "step", Value: step.What})
		done("stamp format " + strconv.FormatUint(uint64(h.MinWriter), 10))
	}
	_, err = e.Apply(ctx, []store.Op{{Key: outPrefix + ev.ID, Value: ev.AppendJSON(nil), Expect: store.Expect(0)}})
	done("record")
	return storeError(err)
}

func stepFrom(steps []UpgradeStep, format uint32) (UpgradeStep, bool) {
	for _, s := range steps {
		if s.From == format {
			return s, true
		}
	}
	return UpgradeStep{}, false
}

// run changes all records, a page at a time.
func (s UpgradeStep) run(ctx context.Context, e store.Engine, done func(string)) error {
	after := ""
	for {
		page, _, err := e.List(ctx, store.Query{After: after, Limit: store.MaxOps})
		if err != nil {
			return storeError(err)
		}
		var ops []store.Op
		for _, entry := range page {
			more, err := s.Change(entry)
			if err != nil {
				return fmt.Errorf("record %s: %w", entry.Key, err)
			}
			if len(ops)+len(more) > store.MaxOps {
				if err := s.apply(ctx, e, ops, done); err != nil {
					return err
				}
				ops = nil
			}
			ops = append(ops, more...)
		}
		if err := s.apply(ctx, e, ops, done); err != nil {
			return err
		}
		if len(page) < store.MaxOps {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

func (s UpgradeStep) apply(ctx context.Context, e store.Engine, ops []store.Op, done func(string)) error {
	if len(ops) == 0 {
		return nil
	}
	_, err := e.Apply(ctx, ops)
	done(s.What)
	return storeError(err)
}
