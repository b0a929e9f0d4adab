package auth

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

// holding is what the cache keeps of a token: everything Authenticate needs, derived and immutable.
type holding struct {
	token    *Token
	identity Identity
	set      *policy.Set
	setOf    uint64    // generation of policies that set was compiled from
	deadline time.Time // the least expiry of the token and those it hangs on; zero: none
	deps     []*dep    // other records it was derived from: ancestors, the entity, its groups
	who      *who
	standing *Standing // what a Claim found; nil for a token
}

// dep is one record that holdings depend on. Forgetting it makes all of them stale at once, however many they are.
type dep struct{ stale atomic.Bool }

func (h *holding) stale() bool {
	for _, d := range h.deps {
		if d.stale.Load() {
			return true
		}
	}
	return false
}

// size is about how many bytes the holding takes, as a heap profile has it, without its Set, which it shares with others. What is
// interned is counted all the same: who shares nothing pays for it.
func (h *holding) size() int64 {
	t := h.token
	n := 1000 + 300*len(h.deps) + len(t.index) + len(t.Accessor) + len(h.identity.ID) + 24*len(t.CIDRs)
	for _, a := range t.Ancestors {
		n += 16 + len(a)
	}
	for _, m := range t.Meta {
		n += 32 + len(m.Key) + len(m.Value)
	}
	if h.who != nil {
		n += h.who.size()
	}
	if h.standing != nil {
		n += 600
	}
	return int64(n)
}

const shards = 64

// cache holds holdings by token index, bounded by bytes. A shard that is over its part gives up some of its entries, whichever the
// map's random order meets first: no bookkeeping on a hit, and a hot token is back after one miss.
type cache struct {
	seed  maphash.Seed
	max   int64
	bytes atomic.Int64 // of the holdings in the shards, and of the Sets that they hold
	shard [shards]struct {
		sync.RWMutex
		m map[string]*holding // guarded by the RWMutex
	}
	sets struct {
		sync.Mutex
		holders map[*policy.Set]int // guarded by the Mutex; how many holdings in the shards hold the Set
	}

	mu    sync.Mutex
	deps  map[string]*dep    // guarded by mu; those of holdings in the shards, and some that are no more
	fills map[*fill]struct{} // guarded by mu; the look-ups under way
}

// fill is one look-up under way. Records forgotten meanwhile are noted on it: it may have read them before they changed,
// and must then not be kept.
type fill struct {
	forgotten []string
	overflow  bool
}

const maxForgotten = 4096

func newCache(bytes int64) *cache {
	c := &cache{seed: maphash.MakeSeed(), max: bytes, deps: map[string]*dep{}, fills: map[*fill]struct{}{}}
	c.sets.holders = map[*policy.Set]int{}
	for i := range c.shard {
		c.shard[i].m = map[string]*holding{}
	}
	return c
}

func (c *cache) at(index string) int { return int(maphash.String(c.seed, index) % shards) }

func (c *cache) get(index string) *holding {
	s := &c.shard[c.at(index)]
	s.RLock()
	h := s.m[index]
	s.RUnlock()
	if h == nil || h.stale() {
		return nil
	}
	return h
}

// begin announces a look-up; end must follow.
func (c *cache) begin() *fill {
	f := &fill{}
	c.mu.Lock()
	c.fills[f] = struct{}{}
	c.mu.Unlock()
	return f
}

// end keeps h, unless h is nil or a record that it was derived from was forgotten since begin.
func (c *cache) end(f *fill, index string, h *holding, depKeys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.fills, f)
	if h == nil || f.overflow || slices.Contains(f.forgotten, tokenKey(index)) {
		return
	}
	for _, k := range depKeys {
		if slices.Contains(f.forgotten, k) {
			return
		}
	}
	c.prune()
	for _, k := range depKeys {
		d := c.deps[k]
		if d == nil {
			d = &dep{}
			c.deps[k] = d
		}
		h.deps = append(h.deps, d)
	}
	c.put(index, h)
}

// put stores h; mu is held, so that no forget comes between end's check and this.
func (c *cache) put(index string, h *holding) {
	s := &c.shard[c.at(index)]
	s.Lock()
	defer s.Unlock()
	c.take(s.m, index)
	s.m[index] = h
	c.count(h, 1)
	for k, other := range s.m {
		if c.bytes.Load() <= c.max {
			return
		}
		if other != h {
			c.take(s.m, k)
		}
	}
}

// take removes an entry of a shard whose lock is held.
func (c *cache) take(m map[string]*holding, index string) {
	if h := m[index]; h != nil {
		delete(m, index)
		c.count(h, -1)
	}
}

// count adds what a holding takes, or gives it back. A Set counts once, however many hold it.
func (c *cache) count(h *holding, sign int) {
	n := int64(sign) * h.size()
	c.sets.Lock()
	defer c.sets.Unlock()
	holders := c.sets.holders[h.set] + sign
	switch {
	case holders == 0:
		delete(c.sets.holders, h.set)
		n -= int64(h.set.Size())
	case holders == 1 && sign > 0:
		n += int64(h.set.Size())
		fallthrough
	default:
		c.sets.holders[h.set] = holders
	}
	c.bytes.Add(n)
}

// swap replaces old by h where old is still what is kept: a holding whose policies were compiled again.
func (c *cache) swap(index string, old, h *holding) {
	s := &c.shard[c.at(index)]
	s.Lock()
	defer s.Unlock()
	if s.m[index] == old {
		c.take(s.m, index)
		s.m[index] = h
		c.count(h, 1)
	}
}

// prune keeps deps from growing past what the shards can hold.
func (c *cache) prune() {
	if int64(len(c.deps)) < c.max/256+1024 {
		return
	}
	for _, d := range c.deps {
		d.stale.Store(true)
	}
	clear(c.deps)
}

func (c *cache) forget(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.fills {
		if len(f.forgotten)+len(keys) > maxForgotten {
			f.overflow = true
			continue
		}
		f.forgotten = append(f.forgotten, keys...)
	}
	for _, k := range keys {
		if d := c.deps[k]; d != nil {
			d.stale.Store(true)
			delete(c.deps, k)
		}
		if index, ok := cutTokenKey(k); ok {
			s := &c.shard[c.at(index)]
			s.Lock()
			c.take(s.m, index)
			s.Unlock()
		}
	}
}

func (c *cache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.fills {
		f.overflow = true
	}
	for _, d := range c.deps {
		d.stale.Store(true)
	}
	clear(c.deps)
	for i := range c.shard {
		s := &c.shard[i]
		s.Lock()
		for k := range s.m {
			c.take(s.m, k)
		}
		s.Unlock()
	}
}
