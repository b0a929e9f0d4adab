package custody

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/keephold/keephold/internal/barrier"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// entry is what the cache knows of one secret: its opened head (names, times and the wrapped data key, no plaintext)
// and the ciphertext of one version, with a cipher ready for it once it was read repeatedly. Nothing else of it is ever
// changed after it was stored.
type entry struct {
	head    *secret.Head
	headRev store.Revision
	nameRev store.Revision
	number  uint64 // the version whose ciphertext is held; 0: none
	sealed  []byte

	key  string               // under which it is cached; set before it is
	uses atomic.Uint32        // how often it was found in the cache
	kept atomic.Pointer[kept] // changed only with the shard's lock held
}

// kept is a cipher ready for an entry's ciphertext, and the keyring that it came from: under another one the data key
// has to be opened anew, because its term may be retired.
type kept struct {
	value barrier.Kept
	ring  *barrier.Keyring
}

const (
	// keepAfter is how often an entry is found before its cipher is kept: what is read once in a while must not push out
	// what is read all the time.
	keepAfter = 3

	// moveEvery is how often an entry that is found counts as used once: moving it to the front writes to five others.
	moveEvery = 8
)

func (e *entry) size() int64 {
	n := int64(len(e.key)+len(e.sealed)+len(e.head.DataKey)+300*len(e.head.Versions)) + 720 // as a heap profile has it
	if e.kept.Load() != nil {
		n += barrier.KeptSize
	}
	return n
}

// cache holds ciphertext by name key, bounded by bytes. Filling is coherent: a reader notes the shard's generation
// before it reads the store, and what it read is kept only if no commit touched the shard meanwhile; otherwise an old
// value could be installed after the commit that replaced it and stay for ever.
type cache struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu         sync.Mutex
	generation uint64
	bytes, max int64
	lru        *simplelru.LRU[string, *entry]
}

func newCache(bytes int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.max = bytes / int64(len(c.shards))
		s.lru, _ = simplelru.NewLRU(1<<30, func(_ string, e *entry) { s.bytes -= e.size() })
	}
	return c
}

func (c *cache) shard(key string) *shard {
	return &c.shards[maphash.String(c.seed, key)%uint64(len(c.shards))]
}

// get returns the entry, or nil and the generation that a fill must present.
func (c *cache) get(key string) (*entry, uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.lru.Peek(key)
	if !ok {
		return nil, s.generation
	}
	if e.uses.Add(1)%moveEvery == 1 {
		s.lru.Get(key)
	}
	return e, s.generation
}

// fill keeps what a reader found, unless a commit came between.
func (c *cache) fill(key string, e *entry, generation uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.generation == generation {
		s.put(key, e)
	}
}

// keep puts a ready cipher beside the entry's ciphertext, while the entry is cached.
func (c *cache) keep(e *entry, k *kept) {
	s := c.shard(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.lru.Peek(e.key); !ok || now != e {
		return
	}
	s.bytes -= e.size()
	e.kept.Store(k)
	s.bytes += e.size()
	s.trim()
}

// drop forgets a key that a commit, or a commit of unknown outcome, touched.
// It answers the generation at which the committer may fill the key anew.
func (c *cache) drop(key string) uint64 {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	s.lru.Remove(key)
	return s.generation
}

// clear forgets everything.
func (c *cache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.generation++
		s.lru.Purge()
		s.mu.Unlock()
	}
}

func (s *shard) put(key string, e *entry) {
	e.key = key
	size := e.size()
	if size > s.max {
		s.lru.Remove(key)
		return
	}
	s.lru.Remove(key) // so that the bytes of what was there are given back
	s.lru.Add(key, e)
	s.bytes += size
	s.trim()
}

func (s *shard) trim() {
	for s.bytes > s.max {
		s.lru.RemoveOldest()
	}
}

// stripes serialise the writers of one secret within this process, so that they do not lose a race at the engine over
// and over. Correctness never rests on them. A stripe is held for a commit, and whoever waits for another secret's misses the
// next one: there are so many that it seldom happens.
type stripes struct{ locks [4096]sync.Mutex }

func (s *stripes) lock(key string) func() {
	m := &s.locks[s.index(key)]
	m.Lock()
	return m.Unlock
}

// index is FNV-1a; which stripe a key falls on is of no consequence but contention.
func (s *stripes) index(key string) int {
	h := uint32(2166136261)
	for i := 0; i < len(key); i++ {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return int(h % uint32(len(s.locks)))
}
