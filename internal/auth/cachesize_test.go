package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

// The bytes that the cache counts are those of the holdings in it and of the Sets that they hold, each once, whatever was driven
// out, replaced or forgotten.
func TestCacheCountsWhatItHolds(t *testing.T) {
	c := newCache(200 << 10)
	sets := []*policy.Set{policy.Root(), compiled(t, "a/*"), compiled(t, "b/+/c")}
	check := func(when string) {
		t.Helper()
		sum, seen := int64(0), map[*policy.Set]bool{}
		for i := range c.shard {
			for _, h := range c.shard[i].m {
				sum += h.size()
				if !seen[h.set] {
					sum += int64(h.set.Size())
				}
				seen[h.set] = true
			}
		}
		if got := c.bytes.Load(); got != sum || got > c.max+4<<10 || len(c.sets.holders) != len(seen) {
			t.Errorf("%s: counted %d bytes and %d sets, there are %d and %d, at most %d", when, got, len(c.sets.holders), sum, len(seen), c.max)
		}
	}
	for i := range 2000 {
		index := fmt.Sprint(i % 700)
		h := &holding{token: &Token{index: index}, set: sets[i%len(sets)]}
		c.end(c.begin(), index, h, []string{"entity/" + fmt.Sprint(i%9)})
		switch i % 5 {
		case 0:
			again := *h
			again.set = sets[(i+1)%len(sets)]
			c.swap(index, h, &again)
		case 1:
			c.forget([]string{tokenKey(index)})
		}
	}
	check("after use")
	if c.bytes.Load() < c.max/2 {
		t.Errorf("only %d bytes of %d are used", c.bytes.Load(), c.max)
	}
	c.forgetAll()
	check("after everything was forgotten")
	if got := c.bytes.Load(); got != 0 {
		t.Errorf("%d bytes are left", got)
	}
}

func compiled(t *testing.T, path string) *policy.Set {
	t.Helper()
	pattern, err := policy.ParsePattern(path)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(time.Time{}, &policy.Policy{Name: "p", Rules: []policy.Rule{{Capabilities: policy.Read, Pattern: pattern}}})
}
