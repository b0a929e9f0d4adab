//go:build unix

package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkReadDialects reads one secret over and over through each dialect that HTTP/1.1 carries, without a network.
func BenchmarkReadDialects(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	d, err := OpenDev(ctx, DevConfig{Listen: []string{"127.0.0.1:0"}, Token: "hvs.load-0123456789abcdefghijklmnop"})
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	if err := furnishSecrets(ctx, d.cfg.Keep.Desk, 10); err != nil {
		b.Fatal(err)
	}
	ch := &child{addr: strings.TrimPrefix(d.Addr, "http://"), greeting: greeting{Token: string(d.Token.Reveal())}}
	if err := furnishClouds(ctx, d, &ch.greeting); err != nil {
		b.Fatal(err)
	}
	for _, dialect := range []struct {
		name string
		ask  func(*testing.B) question
	}{
		{"Vault", func(*testing.B) question { return readOf(ch, 10) }},
		{"AWS", func(b *testing.B) question { return awsReads(b, ch) }},
		{"Google", func(b *testing.B) question { return googleReads(b, ch) }},
		{"Azure", func(b *testing.B) question { return azureReads(b, ch) }},
	} {
		b.Run(dialect.name, func(b *testing.B) {
			text := dialect.ask(b)(nil, 7)
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
			if err != nil {
				b.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				b.Fatal(err)
			}
			r.RemoteAddr = "127.0.0.1:40000"
			var in bytes.Reader
			r.Body = io.NopCloser(&in)
			read := &reader{handler: d.http.Handler, request: r, writer: discard{header: http.Header{}}}
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(body)
				read.read(b)
			}
		})
	}
}
