package git

import (
	"sync"
	"sync/atomic"
)

// InflateAll inflates every entry of the packs but trees once, on all processors, and returns the bytes: the floor of
// everything that reads a history.
func (r *Repo) InflateAll() int64 {
	var total atomic.Int64
	for _, p := range r.packs {
		l := p.layout()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers() {
			wg.Go(func() {
				var f inflater
				var b []byte
				for {
					k := next.Add(1) - 1
					if k >= int64(len(l.offs)) {
						return
					}
					if l.kind[k] == kindTree || l.kind[k] == 0 || l.size[k] > maxObject {
						continue
					}
					out, err := f.inflate(p.data[l.body[k]:], l.size[k], b)
					if err == nil {
						b = out
					}
					total.Add(int64(len(out)))
				}
			})
		}
		wg.Wait()
	}
	return total.Load()
}
