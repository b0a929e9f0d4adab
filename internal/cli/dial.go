package cli

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// startTime is how long a command waits for a server on this machine that takes no connections yet.
const startTime = 2 * time.Second

// dial waits for a server that was started one line above, as in "keephold dev & keephold put …". Only on this machine:
// elsewhere nobody starts one for this command, and a refusal is an answer.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	started := time.Now()
	for {
		conn, err := d.DialContext(ctx, network, addr)
		if !errors.Is(err, syscall.ECONNREFUSED) || !loopback(addr) || time.Since(started) > startTime {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
