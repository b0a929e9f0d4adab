package custody

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/keephold/keephold/internal/store"
)

// listings is the engine with the names of whole folders kept beside it, bounded by bytes. A page of the store's tree holds two
// dozen names with what they lead to, so that a list of a thousand reads forty pages, each from another place of memory; as
// one text they are a few bytes a name and lie together.
//
// Filling is coherent as the cache of ciphertext is: a reader notes the shard's generation before it reads the store, and what it read is
// kept only if no name of the shard came or went meanwhile. Every change passes through Apply, so that none is missed.
type listings struct {
	store.Engine

	seed   maphash.Seed
	shards [16]listingShard
}

type listingShard struct {
	mu         sync.Mutex
	generation uint64
	bytes, max int64
	lru        *simplelru.LRU[string, listing]
}

// listing is the names below a folder, each ended by a zero byte, which no name holds.
type listing struct {
	names string
	count int
}

func (l listing) size(prefix string) int64 { return int64(len(prefix)+len(l.names)) + 200 }

func newListings(e store.Engine, bytes int64) *listings {
	l := &listings{Engine: e, seed: maphash.MakeSeed()}
	for i := range l.shards {
		s := &l.shards[i]
		s.max = bytes / int64(len(l.shards))
		s.lru, _ = simplelru.NewLRU(1<<30, func(prefix string, x listing) { s.bytes -= x.size(prefix) })
	}
	return l
}

func (l *listings) shard(prefix string) *listingShard {
	return &l.shards[maphash.String(l.seed, prefix)%uint64(len(l.shards))]
}

// names answers everything one level below a prefix that ends in '/', without the prefix.
func (l *listings) names(ctx context.Context, prefix string) ([]string, error) {
	s := l.shard(prefix)
	s.mu.Lock()
	known, ok := s.lru.Get(prefix)
	generation := s.generation
	s.mu.Unlock()
	if ok {
		return known.split(), nil
	}
	entries, _, err := l.List(ctx, store.Query{Prefix: prefix, KeysOnly: true, OneLevel: true})
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Key[len(prefix):])
		b.WriteByte(0)
	}
	found := listing{strings.Clone(b.String()), len(entries)} // the builder's memory is larger
	s.fill(prefix, found, generation)
	return found.split(), nil
}

// split answers the names. They share one text.
func (l listing) split() []string {
	names, rest := make([]string, l.count), l.names
	for i := range names {
		names[i], rest, _ = strings.Cut(rest, "\x00")
	}
	return names
}

func (s *listingShard) fill(prefix string, l listing, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := l.size(prefix)
	if s.generation != generation || size > s.max/4 { // one folder must not push out all others
		return
	}
	s.lru.Remove(prefix) // so that the bytes of what was there are given back
	s.lru.Add(prefix, l)
	s.bytes += size
	for s.bytes > s.max {
		s.lru.RemoveOldest()
	}
}

// Apply implements store.Engine.
func (l *listings) Apply(ctx context.Context, ops []store.Op) (store.Revision, error) {
	rev, err := l.Engine.Apply(ctx, ops)
	for i := range ops { // whatever the outcome: it may be unknown
		if !ops[i].Check && strings.HasPrefix(ops[i].Key, namePrefix) {
			l.forget(ops[i].Key)
		}
	}
	return rev, err
}

// forget drops the folders above a name: the one that it is in, and those that may have come or gone with it.
func (l *listings) forget(name string) {
	for {
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return
		}
		s := l.shard(name[:i+1])
		s.mu.Lock()
		s.generation++
		s.lru.Remove(name[:i+1])
		s.mu.Unlock()
		name = name[:i]
	}
}

// clear forgets everything.
func (l *listings) clear() {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		s.generation++
		s.lru.Purge()
		s.mu.Unlock()
	}
}
