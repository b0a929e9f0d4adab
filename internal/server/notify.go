package server

import (
	"net"
	"os"
)

// notify tells the service manager how the server is doing (sd_notify(3)); without one it does nothing.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return // a manager that does not listen is not told
	}
	_, _ = c.Write([]byte(state)) // as above
	_ = c.Close()
}
