package cli

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestOwnPeer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if !ownPeer(netip.MustParseAddrPort(c.LocalAddr().String())) {
		t.Error("a connection of this process is not its user's")
	}
	if ownPeer(netip.MustParseAddrPort("127.0.0.1:1")) {
		t.Error("a connection that is not there is somebody's")
	}
}

func TestPeerOfAnotherUser(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:A001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000    33        0 2 1 0 20 4 30 10 -1
   2: 0000000000000000FFFF00000100007F:A002 0100007F:1F90 01 00000000:00000000 00:00000000 00000000    34        0 2 1 0
short
`
	for at, want := range map[string]int{"127.0.0.1:8080": 1000, "127.0.0.1:40961": 33, "127.0.0.1:40962": 34, "127.0.0.1:40963": -1, "10.0.0.1:40961": -1} {
		uid, ok := peerUID(strings.NewReader(table), netip.MustParseAddrPort(at))
		if !ok {
			uid = -1
		}
		if uid != want {
			t.Errorf("%s: got %d, want %d", at, uid, want)
		}
	}
}
