//go:build unix

package server

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// question makes the n-th request of a connection, whole, into buf.
type question func(buf []byte, n uint64) []byte

// round is what one round of load found.
type round struct {
	answers int
	seconds float64
	cpu     float64 // of the server, seconds
	system  float64 // of cpu, in the kernel
	yields  int64   // switches of the server's threads
	slowest time.Duration
}

func (r round) perSecond() float64 { return float64(r.answers) / r.seconds }
func (r round) cpuEach() float64   { return r.cpu / float64(r.answers) * 1e6 } // µs

func (r *round) add(o round) {
	r.answers += o.answers
	r.cpu += o.cpu
	r.system += o.system
	r.yields += o.yields
}

// line is one kept-alive connection. It reads answers as leanly as can be, because it shares the processors with what
// it measures.
type line struct {
	conn net.Conn
	in   []byte
	out  []byte

	frames *frames // of a line that speaks gRPC
}

// crowd is c connections to one server.
type crowd struct {
	child *child
	lines []*line
}

func gather(b *testing.B, ch *child, c int) *crowd {
	b.Helper()
	w := &crowd{child: ch}
	for range c {
		conn, err := net.Dial("tcp", ch.addr)
		if err != nil {
			b.Fatal(err)
		}
		w.lines = append(w.lines, &line{conn: conn, in: make([]byte, 0, 64<<10)})
	}
	b.Cleanup(func() {
		for _, l := range w.lines {
			_ = l.conn.Close()
		}
	})
	return w
}

// ask loads the server for d and answers what came of it. Every answer's status must be 2xx.
func (w *crowd) ask(b *testing.B, d time.Duration, q question) round {
	b.Helper()
	var stop atomic.Bool
	var total, slowest atomic.Int64
	var failure atomic.Pointer[error]
	var all sync.WaitGroup
	before := w.child.usage(b)
	start := time.Now()
	for i, l := range w.lines {
		all.Go(func() {
			seed := uint64(i+1) * 0x9e3779b97f4a7c15
			n, worst := 0, time.Duration(0)
			for !stop.Load() {
				seed ^= seed << 13
				seed ^= seed >> 7
				seed ^= seed << 17
				l.out = q(l.out[:0], seed)
				at := time.Now()
				if err := l.exchange(); err != nil {
					failure.Store(&err)
					break
				}
				worst = max(worst, time.Since(at))
				n++
			}
			total.Add(int64(n))
			for old := slowest.Load(); int64(worst) > old && !slowest.CompareAndSwap(old, int64(worst)); old = slowest.Load() {
			}
		})
	}
	time.Sleep(d)
	stop.Store(true)
	all.Wait()
	took := time.Since(start)
	after := w.child.usage(b)
	if err := failure.Load(); err != nil {
		b.Fatal(*err)
	}
	return round{answers: int(total.Load()), seconds: took.Seconds(), cpu: after.CPU - before.CPU, system: after.System - before.System, yields: after.Switches - before.Switches, slowest: time.Duration(slowest.Load())}
}

var headEnd, lengthName = []byte("\r\n\r\n"), []byte("Content-Length: ")

// exchange sends l.out and reads one answer.
func (l *line) exchange() error {
	if l.frames != nil {
		return l.frames.exchange(l)
	}
	if _, err := l.conn.Write(l.out); err != nil {
		return err
	}
	l.in = l.in[:0]
	want := -1
	for want < 0 || len(l.in) < want {
		if len(l.in) == cap(l.in) {
			l.in = slices.Grow(l.in, 1)
		}
		n, err := l.conn.Read(l.in[len(l.in):cap(l.in)])
		if err != nil {
			return err
		}
		l.in = l.in[:len(l.in)+n]
		if want >= 0 {
			continue
		}
		head := bytes.Index(l.in, headEnd)
		if head < 0 {
			continue
		}
		if want, err = bodyLength(l.in[:head+2]); err != nil {
			return err
		}
		want += head + 4
	}
	if len(l.in) < 12 || l.in[9] != '2' {
		return fmt.Errorf("answer to %.80q: %.400q", l.out, l.in)
	}
	return nil
}

func bodyLength(head []byte) (int, error) {
	at := bytes.Index(head, lengthName)
	if at < 0 {
		if bytes.HasPrefix(head[9:], []byte("204")) {
			return 0, nil
		}
		return 0, fmt.Errorf("an answer without a length: %.400q", head)
	}
	digits := head[at+len(lengthName):]
	return strconv.Atoi(string(digits[:bytes.IndexByte(digits, '\r')]))
}

// series is several rounds of one measurement.
type series []float64

func (s series) median() float64 {
	if len(s) == 0 {
		return 0
	}
	c := slices.Sorted(slices.Values(s))
	return c[len(c)/2]
}
