package syslog_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/audit/sink/syslog"
)

var message = regexp.MustCompile(`^<110>1 2026-01-02T03:04:05\.600000Z host keephold \d+ audit - \{"seq":(\d+),"time":.*"kind":"read"\}$`)

func records() []audit.Record {
	e := audit.Event{Time: time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC), Kind: audit.Read}
	return []audit.Record{{Seq: 7, Data: e.AppendJSON(nil)}, {Seq: 8, Data: e.AppendJSON(nil)}}
}

func TestDatagrams(t *testing.T) {
	unix := filepath.Join(t.TempDir(), "log")
	for network, address := range map[string]string{"unixgram": unix, "udp": "127.0.0.1:0"} {
		t.Run(network, func(t *testing.T) {
			conn, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			s := &syslog.Sink{Network: network, Address: conn.LocalAddr().String(), Hostname: "host"}
			if err := s.Append(context.Background(), records()); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"7", "8"} {
				buf := make([]byte, 4096)
				_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
				n, _, err := conn.ReadFrom(buf)
				if err != nil {
					t.Fatal(err)
				}
				if m := message.FindStringSubmatch(string(buf[:n])); m == nil || m[1] != want {
					t.Fatalf("got %q, want record %s", buf[:n], want)
				}
			}
		})
	}
}

func TestStreamCountsOctetsAndConnectsAgain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := make(chan string, 100)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			for range 2 { // then hang up
				size, err := r.ReadString(' ')
				if err != nil {
					break
				}
				n, _ := strconv.Atoi(strings.TrimSpace(size))
				msg := make([]byte, n)
				if _, err := io.ReadFull(r, msg); err != nil {
					break
				}
				got <- string(msg)
			}
			_ = conn.Close()
		}
	}()
	s := &syslog.Sink{Network: "tcp", Address: ln.Addr().String(), Hostname: "host"}
	if err := s.Append(context.Background(), records()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"7", "8"} {
		if msg := <-got; message.FindStringSubmatch(msg) == nil || message.FindStringSubmatch(msg)[1] != want {
			t.Fatalf("got %q, want record %s", msg, want)
		}
	}
	for end := time.Now().Add(2 * time.Minute); len(got) == 0; time.Sleep(5 * time.Millisecond) {
		_ = s.Append(context.Background(), records()) // fails once the hang-up is noticed, then connects anew
		if time.Now().After(end) {
			t.Fatal("no record came after the hang-up")
		}
	}
}
