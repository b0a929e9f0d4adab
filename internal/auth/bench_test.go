package auth_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
)

func BenchmarkAuthenticateHit(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n, " tokens"), func(b *testing.B) {
			r := authtest.New(b)
			creds := make([]auth.Credential, n)
			for i := range creds {
				made := create(b, r, r.Root(), auth.Create{Policies: []string{"x"}})
				creds[i] = auth.Credential{Token: auth.NewProof(made.Token.Reveal()), From: authtest.From(here)}
				r.Authenticate(context.Background(), creds[i])
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if c := r.Authenticate(context.Background(), creds[i%n]); c.Refusal() != nil {
					b.Fatal(c.Refusal())
				}
			}
		})
	}
}

func BenchmarkAuthenticateMiss(b *testing.B) {
	for _, kind := range []string{"service", "batch"} {
		b.Run(kind, func(b *testing.B) {
			r := authtest.New(b)
			made := create(b, r, r.Root(), auth.Create{Policies: []string{"x"}, Type: kind})
			cred := auth.Credential{Token: auth.NewProof(made.Token.Reveal()), From: authtest.From(here)}
			b.ReportAllocs()
			for range b.N {
				r.ForgetAll()
				if c := r.Authenticate(context.Background(), cred); c.Refusal() != nil {
					b.Fatal(c.Refusal())
				}
			}
		})
	}
}

func BenchmarkIndexAlone(b *testing.B) {
	r := authtest.New(b)
	text := create(b, r, r.Root(), auth.Create{Policies: []string{"x"}}).Token.Reveal()
	b.ReportAllocs()
	for range b.N {
		r.Store.Index(text)
	}
}
