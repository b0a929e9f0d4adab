package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keephold/keephold/internal/store"
)

const (
	benchKeys  = 10_000
	benchValue = 1000
)

// Benchmark measures what a keep does all day: a durable change of two keys by 1 and by 64 callers at once, a read, a page.
func Benchmark(b *testing.B, open func(b *testing.B) store.Engine) {
	e := open(b)
	b.Cleanup(func() { _ = e.Close() })
	fill(b, e)
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("apply/c=%d", callers), func(b *testing.B) { benchApply(b, e, callers) })
	}
	b.Run("get", func(b *testing.B) { benchGet(b, e) })
	b.Run("get parallel", func(b *testing.B) {
		b.ReportAllocs()
		var n atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				getOne(b, e, int(n.Add(7919)))
			}
		})
	})
	for _, keysOnly := range []bool{false, true} {
		b.Run(fmt.Sprintf("list 1000/keysonly=%v", keysOnly), func(b *testing.B) { benchList(b, e, keysOnly) })
	}
}

func benchKey(i int) string {
	return fmt.Sprintf("data/%02d/%032x", i%10, uint64(i)*0x9e3779b97f4a7c15)
}

func fill(b *testing.B, e store.Engine) {
	b.Helper()
	for i := 0; i < benchKeys; i += store.MaxOps {
		var ops []store.Op
		for j := i; j < min(i+store.MaxOps, benchKeys); j++ {
			ops = append(ops, store.Op{Key: benchKey(j), Value: make([]byte, benchValue)})
		}
		if _, err := e.Apply(context.Background(), ops); err != nil {
			b.Fatal(err)
		}
	}
}

func benchApply(b *testing.B, e store.Engine, callers int) {
	b.ReportAllocs()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			value, head := make([]byte, benchValue), make([]byte, 200)
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				k := benchKey(int(n * 7919 % benchKeys))
				ops := []store.Op{{Key: k + "/head", Value: head}, {Key: fmt.Sprintf("%s/v/%08d", k, n), Value: value}}
				if _, err := e.Apply(context.Background(), ops); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "applies/s")
}

func getOne(b *testing.B, e store.Engine, i int) {
	entries, _, err := e.Get(context.Background(), 0, benchKey(i%benchKeys))
	if err != nil || len(entries[0].Value) != benchValue {
		b.Errorf("got %v", err)
	}
}

func benchGet(b *testing.B, e store.Engine) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i += 7919 {
		getOne(b, e, i)
	}
}

func benchList(b *testing.B, e store.Engine, keysOnly bool) {
	b.ReportAllocs()
	q := store.Query{Prefix: "data/03/", Limit: 1000, KeysOnly: keysOnly}
	for b.Loop() {
		entries, _, err := e.List(context.Background(), q)
		if err != nil || len(entries) != 1000 {
			b.Fatalf("%d entries, %v", len(entries), err)
		}
	}
}
