package cli

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"strconv"
)

// knowsPeers says that ownPeer can tell.
const knowsPeers = true

// ownPeer says that the program at the other end of a connection over loopback runs as this user. The kernel lists both
// ends of it (proc(5), /proc/net/tcp).
func ownPeer(peer netip.AddrPort) bool {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		uid, ok := peerUID(f, peer)
		_ = f.Close() // it was only read
		if ok {
			return uid == os.Geteuid()
		}
	}
	return false
}

// peerUID finds in such a table whose socket has that local end.
func peerUID(table io.Reader, peer netip.AddrPort) (uid int, ok bool) {
	const local, user = 1, 7
	for s := bufio.NewScanner(table); s.Scan(); {
		fields := bytes.Fields(s.Bytes())
		if len(fields) <= user {
			continue
		}
		if at, valid := tableAddr(fields[local]); !valid || at != peer {
			continue
		}
		n, err := strconv.Atoi(string(fields[user]))
		return n, err == nil
	}
	return 0, false
}

// tableAddr reads ADDRESS:PORT in hexadecimal; the address is words of the machine's own byte order.
func tableAddr(b []byte) (netip.AddrPort, bool) {
	text, port, ok := bytes.Cut(b, []byte(":"))
	raw, err := hex.DecodeString(string(text))
	n, portErr := strconv.ParseUint(string(port), 16, 16)
	if !ok || err != nil || portErr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}
