// Package syslog sends audit records to a syslog daemon in the form of RFC 5424: over a local socket or UDP one
// datagram each (RFC 5426), over TCP and TLS with octet counting (RFC 6587, section 3.4.1; RFC 5425).
package syslog

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/audit"
)

// priority is facility 13 (log audit), severity 6 (informational).
const priority = 13*8 + 6

// Sink sends to one daemon. The connection is made at the first record and again after a failure.
type Sink struct {
	Network  string      // "unixgram", "unix", "udp", "tcp" or "tls"; "" is "unixgram"
	Address  string      // "" is /dev/log
	TLS      *tls.Config // for "tls"
	Hostname string      // "" asks the system

	conn net.Conn // owned by the one goroutine that calls Append, as is buf
	buf  []byte
}

var _ audit.Sink = (*Sink)(nil)

// Append sends every record. Over datagrams nobody confirms: what the kernel took counts as delivered.
func (s *Sink) Append(ctx context.Context, records []audit.Record) error {
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("syslog: %w", err)
	}
	if d, ok := ctx.Deadline(); ok {
		_ = s.conn.SetWriteDeadline(d)
	}
	for _, r := range records {
		if _, err := s.conn.Write(s.frame(r)); err != nil {
			_ = s.conn.Close()
			s.conn = nil
			return fmt.Errorf("syslog: record %d: %w", r.Seq, err)
		}
	}
	return nil
}

func (s *Sink) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	if s.Hostname == "" {
		s.Hostname, _ = os.Hostname()
		if s.Hostname = strings.Map(printable, s.Hostname); s.Hostname == "" {
			s.Hostname = "-"
		}
	}
	network, address := s.Network, s.Address
	if network == "" {
		network = "unixgram"
	}
	if address == "" {
		address = "/dev/log"
	}
	var err error
	if network == "tls" {
		s.conn, err = (&tls.Dialer{Config: s.TLS}).DialContext(ctx, "tcp", address)
	} else {
		s.conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
	}
	if err != nil {
		s.conn = nil
	}
	return err
}

func printable(r rune) rune {
	if r > ' ' && r < 0x7f {
		return r
	}
	return -1
}

// frame builds one message: <PRI>1 TIME HOST APP PID MSGID SD MSG.
func (s *Sink) frame(r audit.Record) []byte {
	stamp := "-"
	if e, err := audit.DecodeEvent(r.Data); err == nil {
		stamp = e.Time.UTC().Format(time.RFC3339Nano[:19] + ".000000Z07:00")
	}
	msg := make([]byte, 0, len(r.Data)+128)
	msg = append(msg, '<')
	msg = strconv.AppendInt(msg, priority, 10)
	msg = append(msg, ">1 "+stamp+" "+s.Hostname+" keephold "+strconv.Itoa(os.Getpid())+" audit - "...)
	msg = r.AppendLine(msg)
	msg = msg[:len(msg)-1] // the newline
	s.buf = s.buf[:0]
	switch s.Network {
	case "tcp", "tls", "unix":
		s.buf = strconv.AppendInt(s.buf, int64(len(msg)), 10)
		s.buf = append(s.buf, ' ')
	}
	s.buf = append(s.buf, msg...)
	return s.buf
}
