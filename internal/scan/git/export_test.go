package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keephold/keephold/internal/scan"
)

// InflateAll inflates every entry of the packs but trees once, on all processors, and returns the bytes: the floor of
// everything that reads a history. It does so by our own inflater, or by the standard library's.
func (r *Repo) InflateAll(library bool) int64 {
	var total atomic.Int64
	for _, p := range r.packs {
		l := p.layout()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers() {
			wg.Go(func() {
				var f inflater
				inflate := f.inflate
				if library {
					inflate = byLibrary()
				}
				var b []byte
				for {
					k := next.Add(1) - 1
					if k >= int64(len(l.offs)) {
						return
					}
					if l.kind[k] == kindTree || l.kind[k] == 0 || l.size[k] > maxObject {
						continue
					}
					out, err := inflate(p.data[l.body[k]:], l.size[k], b)
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

// byLibrary is inflate with one reader of the standard library, used again and again.
func byLibrary() func(z []byte, size uint64, to []byte) ([]byte, error) {
	var src bytes.Reader
	var r io.ReadCloser
	return func(z []byte, size uint64, to []byte) ([]byte, error) {
		src.Reset(z)
		var err error
		if r == nil {
			r, err = zlib.NewReader(&src)
		} else {
			err = r.(zlib.Resetter).Reset(&src, nil)
		}
		if err != nil {
			return to[:0], err
		}
		to = slices.Grow(to[:0], int(size))[:size]
		n, err := io.ReadFull(r, to)
		return to[:n], err
	}
}

// Lost is what the history counts as lost, after Each.
func (h *History) Lost(ctx context.Context) scan.Coverage { return h.lost(ctx) }
