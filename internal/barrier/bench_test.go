package barrier_test

import (
	"bytes"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

func BenchmarkRecord(b *testing.B) {
	for _, alg := range []barrier.Algorithm{barrier.XAES, barrier.GCM} {
		k := newRing(b, alg)
		k.LimitActive(0)
		plain := bytes.Repeat([]byte{'v'}, 1024)
		record := must(k.Seal(place, plain))(b)
		dst := make([]byte, 0, 2048)
		b.Run("seal 1 KiB/"+alg.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.AppendSeal(dst, place, plain); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("open 1 KiB/"+alg.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.AppendOpen(dst, place, record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a read of one secret pays: unwrap the data key, open the value.
func BenchmarkDataKey(b *testing.B) {
	for _, alg := range []barrier.Algorithm{barrier.XAES, barrier.GCM} {
		k := newRing(b, alg)
		dk, wrapped, err := k.NewDataKey(place)
		if err != nil {
			b.Fatal(err)
		}
		value := must(dk.Seal(place, bytes.Repeat([]byte{'v'}, 1024)))(b)
		dst := make([]byte, 0, 2048)
		b.Run("unwrap/"+alg.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.OpenDataKey(place, wrapped); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("unwrap and open 1 KiB/"+alg.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dk, err := k.OpenDataKey(place, wrapped)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := dk.AppendOpen(dst, place, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHMAC(b *testing.B) {
	k := newRing(b, barrier.XAES)
	token := bytes.Repeat([]byte{'t'}, 95)
	b.Run("28 B", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.HMAC(barrier.PurposeIndex, token[:28])
		}
	})
	b.Run("95 B", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.HMAC(barrier.PurposeIndex, token)
		}
	})
}
