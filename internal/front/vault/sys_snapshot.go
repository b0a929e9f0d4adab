package vault

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
)

// Restore puts a snapshot in the place of everything the keep holds. It decides whether the caller may before it reads
// from the snapshot. It is the server's: a Desk cannot replace the store it stands on.
type Restore func(ctx context.Context, c auth.Caller, snapshot io.Reader, o custody.RestoreOptions) error

// snapshotRoutes is https://openbao.org/api-docs/system/storage/raft/. What is sent and taken is our own snapshot, in
// the container that the vendor's clients check.
func snapshotRoutes() []route {
	return []route{
		{read, "storage/raft/snapshot", "vault.sys.raft.snapshot", takeSnapshot},
		{write, "storage/raft/snapshot", "vault.sys.raft.restore", restoreSnapshot},
		{write, "storage/raft/snapshot-force", "vault.sys.raft.restore-force", forceSnapshot},
	}
}

// carriesSnapshot says that a request's body is a snapshot: it is not read before the caller was admitted, and never
// as a whole.
func carriesSnapshot(path string) bool {
	return path == "sys/storage/raft/snapshot" || path == "sys/storage/raft/snapshot-force"
}

func takeSnapshot(rq *request) (answer, error) {
	return answer{stream: func(w io.Writer) error {
		_, err := rq.front.desk.Snapshot(rq.ctx, rq.caller, w)
		return err
	}}, nil
}

func restoreSnapshot(rq *request) (answer, error) {
	return rq.restore(custody.RestoreOptions{})
}

func forceSnapshot(rq *request) (answer, error) {
	return rq.restore(custody.RestoreOptions{Force: true})
}

func (rq *request) restore(o custody.RestoreOptions) (answer, error) {
	if rq.front.cfg.Restore == nil {
		return answer{}, rq.refused(errUnsupportedPath)
	}
	o.KeepSessions = isTrue(rq.http.URL.Query().Get("keep_sessions")) // ours
	err := rq.front.cfg.Restore(rq.ctx, rq.caller, &unhurried{r: rq.http.Body, conn: http.NewResponseController(rq.writer)}, o)
	if err != nil {
		return answer{}, err
	}
	return done()
}

// unhurried lifts the connection's deadlines when its first byte is wanted, which is after the caller was admitted: a
// snapshot takes as long as it takes.
type unhurried struct {
	r    io.Reader
	conn *http.ResponseController
}

func (u *unhurried) Read(p []byte) (int, error) {
	if u.conn != nil {
		lift(u.conn)
		u.conn = nil
	}
	return u.r.Read(p)
}

// lift is without effect where the connection knows no deadlines, in tests without a socket.
func lift(conn *http.ResponseController) {
	_ = conn.SetReadDeadline(time.Time{})
	_ = conn.SetWriteDeadline(time.Time{})
}

// streamer sends an answer whose length nobody knows. Until its first byte an error is an answer like any other; after
// that the connection is cut, so that the client cannot take what it has for the whole.
type streamer struct {
	w     http.ResponseWriter
	conn  *http.ResponseController
	began bool
}

func (s *streamer) Write(p []byte) (int, error) {
	if !s.began {
		s.began = true
		lift(s.conn)
		h := s.w.Header()
		h.Set("Content-Type", "application/gzip")
		h.Set("Content-Disposition", `attachment; filename="keephold.snapshot"`)
		h["Cache-Control"] = noStore
	}
	return s.w.Write(p)
}

func (f *Front) stream(w http.ResponseWriter, rq *request, a answer) {
	s := &streamer{w: w, conn: http.NewResponseController(rq.writer)}
	err := a.stream(s)
	switch {
	case err == nil:
	case !s.began:
		f.fail(w, rq, err)
	default:
		f.cfg.Log.Error("snapshot not sent to its end", slog.String("request", rq.id), slog.String("error", err.Error()))
		panic(http.ErrAbortHandler)
	}
}
