package cli

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// progress shows on stderr how far long work has come: a bar on a terminal after 400 ms, a plain line every few seconds
// elsewhere, nothing with -q.
type progress struct {
	env   Env
	label string
	unit  string       // "bytes" or what is counted
	total atomic.Int64 // 0: unknown
	done  atomic.Int64
	stop  chan struct{}
	ended chan struct{}
}

const (
	barAfter  = 400 * time.Millisecond
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

func (env Env) progress(o *options, label, unit string, total int64) *progress {
	p := &progress{env: env, label: label, unit: unit, stop: make(chan struct{}), ended: make(chan struct{})}
	p.total.Store(total)
	if o.quiet {
		close(p.ended)
		return p
	}
	go p.run(isTerminal(env.Stderr) && env.Getenv("TERM") != "dumb")
	return p
}

func (p *progress) run(terminal bool) {
	defer close(p.ended)
	first, every := lineEvery, lineEvery
	if terminal {
		first, every = barAfter, barEvery
	}
	timer := time.NewTimer(first)
	defer timer.Stop()
	drawn := false
	for {
		select {
		case <-p.stop:
			if drawn && terminal {
				_, _ = io.WriteString(p.env.Stderr, "\r\x1b[K") // nobody to tell
			}
			return
		case <-timer.C:
			drawn = true
			if terminal {
				_, _ = io.WriteString(p.env.Stderr, "\r\x1b[K"+p.String()) // nobody to tell
			} else {
				p.env.talk("%s", p)
			}
			timer.Reset(every)
		}
	}
}

func (p *progress) String() string {
	done := p.done.Load()
	count := fmt.Sprintf("%d %s", done, p.unit)
	if p.unit == "bytes" {
		count = fmt.Sprintf("%.1f MiB", float64(done)/(1<<20))
	}
	total := p.total.Load()
	if total <= 0 {
		return p.label + "  " + count
	}
	const width = 24
	filled := int(min(width, done*width/total))
	return fmt.Sprintf("%s  [%s%s] %d%%  %s", p.label, strings.Repeat("#", filled), strings.Repeat("-", width-filled), min(100, done*100/total), count)
}

// add counts; Write counts bytes.
func (p *progress) add(n int64)                 { p.done.Add(n) }
func (p *progress) Write(b []byte) (int, error) { p.add(int64(len(b))); return len(b), nil }

// at says how far it is, in all.
func (p *progress) at(done, total int) {
	p.total.Store(int64(total))
	p.done.Store(int64(done))
}

// end takes the bar away.
func (p *progress) end() {
	select {
	case <-p.ended:
	default:
		close(p.stop)
		<-p.ended
	}
}
