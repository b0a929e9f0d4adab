package policy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

// benchSet is n policies of four paths each: the sizes differ, the questions do not.
func benchSet(b testing.TB, n int) *policy.Set {
	b.Helper()
	var policies []*policy.Policy
	for i := range n {
		app := fmt.Sprintf("app-%04d", i)
		policies = append(policies, &policy.Policy{Name: app, Rules: []policy.Rule{
			rule(b, "secret/data/"+app+"/config", policy.Read),
			rule(b, "secret/data/"+app+"/*", policy.Read|policy.Update),
			rule(b, "secret/metadata/"+app+"/*", policy.List),
			rule(b, "secret/+/"+app+"/+/key", policy.Read),
		}})
	}
	return policy.Compile(time.Time{}, policies...)
}

func BenchmarkDecide(b *testing.B) {
	for _, q := range []struct{ name, resource string }{
		{"literal", "secret/data/app-0007/config"},
		{"prefix", "secret/data/app-0007/db/password"},
		{"segment", "secret/other/app-0007/x/key"},
		{"none", "secret/data/unknown/x"},
	} {
		for _, n := range []int{10, 1000} {
			s := benchSet(b, n)
			b.Run(fmt.Sprintf("%s/policies=%d", q.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Decide(policy.Request{Resource: q.resource, Capability: policy.Read})
				}
			})
		}
	}
	b.Run("grant", func(b *testing.B) {
		s := grantSet(b, grant(b, "read", "shop/prod", "*"), grant(b, "deny", "shop/prod", "PAY*"))
		b.ReportAllocs()
		for b.Loop() {
			s.Decide(policy.Request{Resource: "shop/prod/data/KEY", Capability: policy.Read, Protected: "shop/prod"})
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		benchSet(b, 10)
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	s := benchSet(t, 100)
	add := grantSet(t, grant(t, "read", "shop/prod", "*"), grant(t, "deny", "shop/prod", "PAY*"))
	for _, q := range []struct {
		set      *policy.Set
		resource string
		ask      policy.Capability
	}{
		{s, "secret/data/app-0007/config", policy.Read},
		{s, "secret/data/app-0007/db/password", policy.Read},
		{s, "secret/other/app-0007/x/key", policy.Read},
		{s, "secret/metadata/app-0007/", policy.List},
		{s, "secret/none", policy.Read},
		{add, "shop/prod/data/KEY", policy.Read},
		{add, "shop/prod/data/PAYMENT", policy.Read},
	} {
		if n := testing.AllocsPerRun(100, func() { q.set.Decide(policy.Request{Resource: q.resource, Capability: q.ask}) }); n != 0 {
			t.Errorf("%s %s: %v allocations", q.ask, q.resource, n)
		}
	}
}

// BenchmarkFlat reports how much dearer a decision is among 1,000 policies than among 10: the median of interleaved rounds, which a busy machine
// disturbs less than two benchmarks one after the other. The target is at most 1.3.
func BenchmarkFlat(b *testing.B) {
	const rounds, asks = 31, 3000
	small, large := benchSet(b, 10), benchSet(b, 1000)
	for _, q := range []struct{ name, resource string }{
		{"literal", "secret/data/app-0007/config"}, {"prefix", "secret/data/app-0007/db/password"}, {"segment", "secret/other/app-0007/x/key"}, {"none", "secret/data/unknown/x"},
	} {
		b.Run(q.name, func(b *testing.B) {
			var ratios []float64
			round := func(s *policy.Set) time.Duration {
				start := time.Now()
				for range asks {
					s.Decide(policy.Request{Resource: q.resource, Capability: policy.Read})
				}
				return time.Since(start)
			}
			for b.Loop() {
				ratios = ratios[:0]
				for range rounds {
					one := round(small)
					ratios = append(ratios, float64(round(large))/float64(one))
				}
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "1000/10")
		})
	}
}
