package registry

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/keephold/keephold/internal/secret"
)

// exemptByDefault are paths that probes and whoever has to open the keep must always reach.
var exemptByDefault = []string{
	"sys/generate-root/attempt", "sys/generate-root/update", "sys/health", "sys/leader", "sys/seal-status", "sys/unseal",
}

// Exempts are the paths that no limit counts.
func (c QuotaConfig) Exempts() []string {
	if c.ExemptSet {
		return c.Exempt
	}
	return exemptByDefault
}

// Limiter enforces the limits on the rate of requests, by limit and client address, for all fronts of a process
// together. What it counts is this process's own; when more addresses come than it remembers, those that were quiet for
// longest are forgotten.
type Limiter struct {
	now     func() time.Time
	callers *lru.Cache[quotaKey, *allowance]
}

// rememberedCallers bounds the table: about 10 MiB.
const rememberedCallers = 1 << 16

// quotaKey holds the limit's own figures, so that a changed limit begins anew.
type quotaKey struct {
	quota Quota
	from  netip.Prefix
}

type allowance struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	blocked time.Time
}

// NewLimiter has counted nothing yet.
func NewLimiter() (*Limiter, error) {
	callers, err := lru.New[quotaKey, *allowance](rememberedCallers)
	return &Limiter{now: time.Now, callers: callers}, err
}

// OverLimit is the vendor's 429, with what a polite client needs to come back in time.
type OverLimit struct {
	path  string
	limit float64
	after time.Duration
}

func (e *OverLimit) Error() string {
	return "request path " + strconv.Quote(e.path) + ": rate limit quota exceeded"
}

func (e *OverLimit) Unwrap() error { return secret.ErrLimited }

// Headers of the answer.
func (e *OverLimit) Headers(h http.Header) {
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.after.Seconds()))))
	(&Share{limit: e.limit, reset: e.after}).Headers(h)
}

// Admit takes one request from the allowance that the most specific limit gives this address.
// What it answers, when the configuration wants it shown, is what is left.
func (q *Limiter) Admit(t *Table, ns secret.NamespaceID, path string, from netip.Addr) (*Share, error) {
	if len(t.Quotas()) == 0 {
		return nil, nil
	}
	n, ok := t.Namespace(ns)
	if !ok {
		return nil, nil
	}
	if n.Path == "" {
		for _, exempt := range t.QuotaConfig().Exempts() {
			if below(path, strings.Trim(exempt, "/")) {
				return nil, nil
			}
		}
	} else {
		path = n.Path + "/" + path
	}
	var limit *Quota
	for _, l := range t.Quotas() {
		if (l.Path == "" || below(path, l.Path)) && (limit == nil || len(l.Path) > len(limit.Path)) {
			limit = l
		}
	}
	if limit == nil {
		return nil, nil
	}
	a, now := q.allowance(limit, from), q.now()
	if after := a.take(limit, now); after > 0 {
		return nil, &OverLimit{path, limit.Rate, after}
	}
	if !t.QuotaConfig().Headers {
		return nil, nil
	}
	left := a.limiter.TokensAt(now)
	refill := time.Duration((1 - left + math.Floor(left)) / float64(a.limiter.Limit()) * float64(time.Second))
	return &Share{limit.Rate, int(max(left, 0)), refill}, nil
}

// Share is what a limit leaves to an address.
type Share struct {
	limit float64
	left  int
	reset time.Duration // until there is one more
}

// Headers of an answer.
func (s *Share) Headers(h http.Header) {
	h.Set("X-Ratelimit-Limit", strconv.FormatFloat(s.limit, 'f', -1, 64))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(s.left))
	h.Set("X-Ratelimit-Reset", strconv.Itoa(int(math.Ceil(s.reset.Seconds()))))
}

func below(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix) && path[len(prefix)] == '/'
}

// allowance of an address. One customer has a whole network of version 6 addresses, so those count by /64.
func (q *Limiter) allowance(l *Quota, from netip.Addr) *allowance {
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	network, err := from.WithZone("").Prefix(bits)
	if err != nil {
		network = netip.Prefix{} // a unix socket
	}
	key := quotaKey{*l, network}
	if a, ok := q.callers.Get(key); ok {
		return a
	}
	interval := max(l.Interval, time.Second)
	fresh := &allowance{limiter: rate.NewLimiter(rate.Limit(l.Rate/interval.Seconds()), max(1, int(l.Rate)))}
	if old, ok, _ := q.callers.PeekOrAdd(key, fresh); ok {
		return old
	}
	return fresh
}

// take answers 0, or how long to wait.
func (a *allowance) take(l *Quota, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if wait := a.blocked.Sub(now); wait > 0 {
		return wait
	}
	r := a.limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return 0
	}
	r.CancelAt(now)
	if l.Block > 0 {
		a.blocked = now.Add(l.Block)
		return l.Block
	}
	return wait
}
