//go:build unix

package audit_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func BenchmarkAppend(b *testing.B) {
	l := open(b, config(filepath.Join(b.TempDir(), "audit")))
	unlock(b, l)
	b.ReportAllocs()
	b.SetBytes(int64(len(event(1).AppendJSON(nil))))
	ctx := context.Background()
	ev := event(1)
	for b.Loop() {
		if err := l.Append(ctx, ev); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendParallel(b *testing.B) {
	l := open(b, config(filepath.Join(b.TempDir(), "audit")))
	unlock(b, l)
	b.ReportAllocs()
	b.SetParallelism(16)
	start := cpu(b)
	defer func() { b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op") }()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		ev := event(1)
		for pb.Next() {
			if err := l.Append(ctx, ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendSyncParallel(b *testing.B) {
	l := open(b, config(filepath.Join(b.TempDir(), "audit")))
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		ev := event(1)
		for pb.Next() {
			if err := l.AppendSync(ctx, ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	ev := event(1)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = ev.AppendJSON(buf[:0])
	}
}

// cpu is the processor time of this process, hashing in the background included.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
