package server

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// signInLimit bounds how often one address may try to sign in. The table is bounded too: when it is full the addresses
// that were quiet longest are forgotten, which gives them a fresh allowance and nobody else anything.
type signInLimit struct {
	rate    rate.Limit
	burst   int
	refused func()

	mu    sync.Mutex
	table map[netip.Addr]*visitor
}

type visitor struct {
	limiter *rate.Limiter
	seen    time.Time
}

const maxVisitors = 1 << 16

func newSignInLimit(perSecond float64, refused func()) *signInLimit {
	return &signInLimit{rate: rate.Limit(perSecond), burst: max(1, int(perSecond)), refused: refused, table: map[netip.Addr]*visitor{}}
}

// guard refuses a sign-in beyond the rate before anything of it is read: tries says what is one, busy answers it.
func (l *signInLimit) guard(tries func(*http.Request) bool, busy http.HandlerFunc, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !tries(r) || l.allow(r.RemoteAddr, time.Now()) {
			next.ServeHTTP(w, r)
			return
		}
		l.refused()
		w.Header().Set("Retry-After", "1")
		busy(w, r)
	})
}

// tooMany is the refusal of those dialects whose clients look at the status only.
func tooMany(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte(`{"errors":["too many sign-ins from this address"]}` + "\n"))
}

func always(*http.Request) bool { return true }

// isSignIn says that a request tries a credential that is no token: auth/MOUNT/login and what lies below it, and the token
// service of Google's clients.
func isSignIn(r *http.Request) bool {
	if r.URL.Path == "/token" {
		return true
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok || r.Method == http.MethodGet {
		return false
	}
	return strings.Contains(rest, "auth/") && (strings.HasSuffix(rest, "/login") || strings.Contains(rest, "/login/"))
}

func (l *signInLimit) allow(remote string, now time.Time) bool {
	p, err := netip.ParseAddrPort(remote)
	if err != nil {
		return true // a unix socket: its owner
	}
	addr := p.Addr().Unmap()
	if addr.Is6() {
		// One customer of a provider has a whole /64.
		if net, err := addr.WithZone("").Prefix(64); err == nil {
			addr = net.Addr()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.table[addr]
	if !ok {
		if len(l.table) >= maxVisitors {
			l.forget(now)
		}
		v = &visitor{limiter: rate.NewLimiter(l.rate, l.burst)}
		l.table[addr] = v
	}
	v.seen = now
	return v.limiter.AllowN(now, 1)
}

// forget drops who has been quiet for a minute, and everybody when that is not enough.
func (l *signInLimit) forget(now time.Time) {
	for a, v := range l.table {
		if now.Sub(v.seen) > time.Minute {
			delete(l.table, a)
		}
	}
	if len(l.table) >= maxVisitors {
		clear(l.table)
	}
}
