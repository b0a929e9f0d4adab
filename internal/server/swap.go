package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// dispatch answers requests by what is composed now. While a restore has the keep alone there is nobody to ask.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if !s.gate.enter() {
		if r.URL.Path == "/livez" {
			return
		}
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"errors":["a snapshot is being restored"]}`+"\n")
		return
	}
	defer s.gate.leave()
	(*s.handler.Load()).ServeHTTP(w, r)
}

// recompose hangs the fronts on the Desk that the keep has now.
func (s *Server) recompose() error {
	h, err := compose(&s.cfg, s.restore)
	if err == nil {
		if s.cfg.Intercept != nil {
			s.cfg.Intercept.authority.Store(nil) // a restore brings its own
		}
		s.handler.Store(&h)
	}
	return err
}

// runDesk does the Desk's own work and feeds the audit sinks until ctx ends, and goes over to the next Desk and its log
// when a restore has brought one.
func (s *Server) runDesk(ctx context.Context) error {
	for ctx.Err() == nil {
		inner, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		s.work.Store(&work{stop: stop, ended: ended})
		desk := s.cfg.Keep.Desk
		if desk == nil {
			stop()
			close(ended)
			return errors.New("the keep was closed by a restore that went wrong")
		}
		fed := runFeeds(inner, s.cfg.Sinks, s.cfg.Keep.Log, s.cfg.Log)
		err := desk.Run(inner)
		stop()
		fed.Wait()
		close(ended)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-s.swapped:
		}
	}
	return nil
}

var errRestoring = fmt.Errorf("%w: another restore is under way", secret.ErrBusy)

// work is a Desk's own work while it runs.
type work struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// restore replaces everything the keep holds by a snapshot, while the server runs. The caller's request is inside the
// gate. The snapshot is verified to its end beside the serving store; then requests are turned away, the keep is closed as
// at the end of the process, the new store takes the old one's place, and the keep is opened again with the key it had.
func (s *Server) restore(ctx context.Context, c auth.Caller, body io.Reader, o custody.RestoreOptions) error {
	k := s.cfg.Keep
	rest, err := k.Desk.Restoration(ctx, c, o)
	if err != nil {
		return err
	}
	defer rest.Close()
	if !s.receiving.TryLock() {
		return errRestoring
	}
	defer s.receiving.Unlock()
	in, err := k.receive(ctx, rest, body)
	if err != nil {
		return err
	}
	if err := s.gate.alone(ctx, grace); err != nil {
		return errors.Join(err, in.discard())
	}
	defer s.gate.open()
	ctx = context.WithoutCancel(ctx) // from here on it is finished, whoever hangs up
	running := s.work.Load()
	if running != nil {
		running.stop()
		<-running.ended
	}
	err = s.swap(ctx, k, rest, in)
	if running != nil {
		s.swapped <- struct{}{}
	}
	if err != nil {
		s.cfg.Log.Error("restore", slog.String("error", err.Error()))
		return err
	}
	s.cfg.Log.Info("restored a snapshot", slog.Uint64("revision", in.meta.Revision), slog.String("installation", in.meta.Installation), slog.Bool("sealed", k.Desk.Sealed()))
	return nil
}

// swap takes the keep down, replaces its store and opens it again; where replacing fails, the old one is opened again.
func (s *Server) swap(ctx context.Context, k *Keep, rest *custody.Restoration, in incoming) error {
	failed := k.takeDown(ctx)
	switch {
	case failed != nil:
		failed = errors.Join(fmt.Errorf("closing the store: %w", failed), in.discard())
	case in.file != "":
		failed = k.replaceFile(in, false)
	}
	if err := k.reopen(in); err != nil {
		return errors.Join(failed, fmt.Errorf("opening the store after a restore: %w", err))
	}
	k.at("open again")
	failed = errors.Join(failed, rest.Unseal(ctx, k.Desk))
	k.at("unseal")
	return errors.Join(failed, s.recompose())
}
