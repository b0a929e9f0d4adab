//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is who works on one keep at a time.
const (
	crowdRunners   = 16
	crowdWriters   = 4
	crowdCompletes = 2
)

// seatTime is how long the crowd works: KEEPHOLD_SEAT_TIME, or a few seconds.
func seatTime(t *testing.T) time.Duration {
	text := os.Getenv("KEEPHOLD_SEAT_TIME")
	if text == "" {
		return 2 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTortureSeat lets 16 start programs, 4 write, one watch and shells complete names on one local keep, all as processes
// of their own. Nothing may fail, no acknowledged write be lost or stored twice, the watched program ends with the last
// value, and the audit log verifies.
func TestTortureSeat(t *testing.T) {
	var dotenv strings.Builder
	for w := range crowdWriters {
		fmt.Fprintf(&dotenv, "WRITER_%d=0\n", w)
	}
	s := newSeat(t, dotenv.String())
	watcher := s.start("run", "--watch", "--watch-interval", "100ms", "--", "sh", "-c", `echo "sees $WRITER_0."; exec sleep 100000`)
	watcher.want("sees 0.")

	c := &crowded{s: s, until: time.Now().Add(seatTime(t))}
	for range crowdRunners {
		c.work(func(int) error { _, err := c.command("", "run", "--", "true"); return err })
	}
	for range crowdCompletes {
		c.work(func(int) error {
			out, err := c.command("", "__complete", "get", "WRITER_")
			if err == nil && !strings.Contains(out, "WRITER_3") {
				err = fmt.Errorf("completion lacks a name: %q", out)
			}
			return err
		})
	}
	last := make([]int, crowdWriters) // each has one writer
	for w := range crowdWriters {
		c.work(func(i int) error {
			if _, err := c.command(strconv.Itoa(i), "set", fmt.Sprintf("WRITER_%d", w), "-q"); err != nil {
				return err
			}
			last[w] = i
			return nil
		})
	}
	c.all.Wait()
	for w, n := range last {
		checkWriter(t, s, fmt.Sprintf("WRITER_%d", w), n)
	}
	watcher.want(fmt.Sprintf("sees %d.", last[0]))
	s.must("audit", "verify", "--dir", filepath.Join(s.home, "data", "keephold", "audit"))
	t.Logf("%v: %d commands, writes of each writer %v", seatTime(t), c.done.Load(), last)
}

// crowded is the crowd at work. A failure ends it.
type crowded struct {
	s     *seat
	until time.Time
	all   sync.WaitGroup
	done  atomic.Int64
	stop  atomic.Bool
}

// work does something again and again, numbered from 1, until the time is over.
func (c *crowded) work(do func(i int) error) {
	c.all.Go(func() {
		for i := 1; i == 1 || time.Now().Before(c.until); i++ {
			if c.stop.Load() {
				return
			}
			if err := do(i); err != nil {
				c.stop.Store(true)
				c.s.t.Error(err)
				return
			}
			c.done.Add(1)
		}
	})
}

func (c *crowded) command(stdin string, args ...string) (string, error) {
	cmd := c.s.command(args...)
	var out, talk bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &talk
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("keephold %q: %w: %s%s", args, err, out.String(), talk.String())
	}
	return out.String(), nil
}

// checkWriter wants the last value, and one version for every write: the import's is the first.
func checkWriter(t *testing.T, s *seat, name string, writes int) {
	t.Helper()
	if got := strings.TrimSpace(s.must("get", name)); got != strconv.Itoa(writes) {
		t.Errorf("%s: got %s, want %d", name, got, writes)
	}
	var origin struct{ Version int }
	if err := json.Unmarshal([]byte(s.must("explain", name, "--json")), &origin); err != nil || origin.Version != writes+1 {
		t.Errorf("%s: version %d after %d writes, %v", name, origin.Version, writes, err)
	}
}
