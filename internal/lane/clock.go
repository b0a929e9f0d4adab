package lane

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// past is a deadline that ends whatever waits.
var past = time.Unix(1, 0)

// Run moves the clock until ctx ends. One look at all connections a second stands in for timers that every request would
// set and stop: limits are kept to within a second or two.
//
// The clock counts its own beats and not the time of day: while the process stands still (a frozen cgroup, memory that is
// being reclaimed, a laptop's lid) there are none, and what it could not do then is not held against its clients.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.strike(now)
		}
	}
}

// strike is one second's work: it sets the time, and ends who has been patient for too long.
func (s *Server) strike(now time.Time) {
	s.setDate(now)
	seconds := s.now.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		ch := c.channel.Load()
		switch {
		case ch != nil && c.late(seconds):
			_ = c.net.SetReadDeadline(past) // its reader says goodbye
		case c.late(seconds) || ch != nil && ch.late(seconds):
			_ = c.net.SetDeadline(past) // its own goroutine finds that, and closes it
		}
	}
}

func (s *Server) setDate(now time.Time) {
	date := "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"
	s.date.Store(&date)
}

// stage is where a connection stands, and until when it may: the clock reads it, the connection's goroutine sets it.
type stage struct{ v atomic.Int64 } // the second in which it is late, twice, and 1 while idle

func (st *stage) idle() bool          { return st.v.Load()&1 == 1 }
func (st *stage) late(now int64) bool { return now > st.v.Load()>>1 }
func (st *stage) set(now int64, patience time.Duration, idle int64) {
	st.v.Store((now+int64((patience+time.Second-1)/time.Second))<<1 | idle)
}

// wait begins the time between two requests. A new connection has no more than the time for a head until its first one.
func (c *conn) wait() {
	patience := c.server.cfg.IdleTime
	if c.req.Method == "" {
		patience = c.server.cfg.HeadTime
	}
	c.stage.set(c.server.now.Load(), patience, 1)
}

// begin begins the time for a head.
func (c *conn) begin() { c.stage.set(c.server.now.Load(), c.server.cfg.HeadTime, 0) }

// proceed begins the time for a body, and then for an answer.
func (c *conn) proceed() { c.stage.set(c.server.now.Load(), c.server.cfg.RequestTime, 0) }
