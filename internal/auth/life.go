package auth

import (
	"fmt"
	"strings"
	"time"
)

// Limits are the bounds on lifetimes that hold where a token is made: the mount's tuning, else the system's.
type Limits struct {
	Default time.Duration // for who asks for none
	Max     time.Duration
}

// SystemTTL is the vendor's default of both limits, 32 days.
const SystemTTL = 768 * time.Hour

// within fills the gaps of l with those of outer. A mount may be tuned beyond the system's maximum, as at the vendor.
func (l Limits) within(outer Limits) Limits {
	if l.Max <= 0 {
		l.Max = outer.Max
	}
	if l.Default <= 0 {
		l.Default = min(outer.Default, l.Max)
	}
	return l
}

// wish is what is asked for one life of a token; zero fields ask for nothing.
type wish struct {
	Increment   time.Duration // of a renewal
	TTL         time.Duration
	Period      time.Duration
	Max         time.Duration // of the method or role
	ExplicitMax time.Duration
}

// grant decides how long from now a token that started at start may live, by the vendor's rules: a period is granted
// anew each time, up to the explicit maximum; everything else ends at start plus the least of the maxima.
func (l Limits) grant(w wish, start, now time.Time) (ttl time.Duration, warnings []string, err error) {
	most := l.Max
	for _, m := range []time.Duration{w.Max, w.ExplicitMax} {
		if m > 0 && m < most {
			most = m
		}
	}
	var end time.Time
	switch {
	case w.Period > 0:
		ttl = w.Period
		if ttl > most {
			warnings = append(warnings, fmt.Sprintf("period of %q exceeded the effective max_ttl of %q; period value is capped accordingly", human(ttl), human(most)))
			ttl = most
		}
		if w.ExplicitMax > 0 {
			end = start.Add(w.ExplicitMax)
		}
	default:
		switch {
		case w.Increment > 0:
			ttl = w.Increment
		case w.TTL > 0:
			ttl = w.TTL
		default:
			ttl = l.Default
		}
		end = start.Add(most)
	}
	if end.IsZero() {
		return ttl, warnings, nil
	}
	left := end.Sub(now)
	if left <= 0 {
		return 0, nil, invalid("past the max TTL, cannot renew")
	}
	if ttl > left {
		warnings = append(warnings, fmt.Sprintf("TTL of %q exceeded the effective max_ttl of %q; TTL value is capped accordingly", human(ttl), human(left)))
		ttl = left
	}
	return ttl, warnings, nil
}

// human prints d without its zero parts, as the vendor's warnings do.
func human(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if i := strings.Index(s, "h0m"); i > 0 {
		s = s[:i+1] + s[i+3:]
	}
	return s
}
