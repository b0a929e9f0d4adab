package custody

import (
	"fmt"
	"testing"

	"github.com/keephold/keephold/internal/secret"
)

// The bytes that a shard counts are those of the entries it holds, whatever was kept beside them and whatever went.
func TestCacheCountsWhatItHolds(t *testing.T) {
	c := newCache(64 * 4000)
	for i := range 2000 {
		key := fmt.Sprint("n//s/", i)
		_, generation := c.get(key)
		e := &entry{head: &secret.Head{}, number: 1, sealed: make([]byte, 100)}
		c.fill(key, e, generation)
		switch i % 3 {
		case 0:
			c.keep(e, new(kept))
			c.keep(e, new(kept))
		case 1:
			c.drop(key)
			c.keep(e, new(kept))
			if e.kept.Load() != nil {
				t.Fatal("a cipher was kept beside an entry that is not cached")
			}
		}
	}
	for i := range c.shards {
		s := &c.shards[i]
		sum := int64(0)
		for _, e := range s.lru.Values() {
			sum += e.size()
		}
		if s.bytes != sum || sum > s.max {
			t.Errorf("shard %d counts %d bytes, holds %d, may hold %d", i, s.bytes, sum, s.max)
		}
	}
	c.clear()
	for i := range c.shards {
		if n := c.shards[i].bytes; n != 0 {
			t.Errorf("shard %d counts %d bytes after everything was forgotten", i, n)
		}
	}
}
