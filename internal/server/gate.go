package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// gate lets many work with the keep at once, or one alone. The many pay two atomic additions.
type gate struct {
	inside atomic.Int64
	shut   atomic.Bool
}

// enter is false while somebody has the keep alone. After true, leave must follow.
func (g *gate) enter() bool {
	g.inside.Add(1)
	if g.shut.Load() {
		g.inside.Add(-1)
		return false
	}
	return true
}

func (g *gate) leave() { g.inside.Add(-1) }

// alone is for one who is inside: it returns when all others have left and nobody else can enter, until open.
func (g *gate) alone(ctx context.Context, patience time.Duration) error {
	if !g.shut.CompareAndSwap(false, true) {
		return errRestoring
	}
	until := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for g.inside.Load() > 1 {
		select {
		case <-ctx.Done():
			g.open()
			return ctx.Err()
		case <-tick.C:
		}
		if time.Now().After(until) {
			g.open()
			return fmt.Errorf("%w: requests did not end within %s; nothing was changed", secret.ErrBusy, patience)
		}
	}
	return nil
}

func (g *gate) open() { g.shut.Store(false) }
