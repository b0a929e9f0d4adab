package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
)

// listen takes the addresses of the configuration. caFile is where clients find our CA; empty when every listener has
// certificates of its own or serves plaintext.
func listen(f *File) (all []net.Listener, caFile string, err error) {
	var own *authority
	for _, l := range f.Listener {
		if l.UnixSocket != "" {
			u, err := listenUnix(l.UnixSocket)
			if err != nil {
				closeAll(all)
				return nil, "", err
			}
			all = append(all, u)
		}
		if l.Address == "" {
			continue
		}
		tcp, err := net.Listen("tcp", l.Address)
		if err != nil {
			closeAll(all)
			return nil, "", fmt.Errorf("address %s: %w", l.Address, err)
		}
		if l.Plaintext {
			all = append(all, tcp)
			continue
		}
		c := &certificates{certFile: l.CertFile, keyFile: l.KeyFile, names: subjectNames(l)}
		if l.CertFile == "" {
			if own == nil {
				if own, err = openAuthority(tlsDir(f)); err != nil {
					closeAll(append(all, tcp))
					return nil, "", err
				}
			}
			c.authority, caFile = own, own.file
		}
		if _, err := c.get(nil); err != nil {
			closeAll(append(all, tcp))
			return nil, "", fmt.Errorf("certificate of %s: %w", l.Address, err)
		}
		all = append(all, tls.NewListener(tcp, c.config()))
	}
	if len(all) == 0 {
		return nil, "", errors.New("no [[listener]] has an address")
	}
	return all, caFile, nil
}

func tlsDir(f *File) string {
	if f.Storage.Kind == "memory" || f.Storage.Path == "" {
		return filepath.Join(os.TempDir(), fmt.Sprintf("keephold-tls-%d", os.Getpid()))
	}
	return filepath.Join(f.Storage.Path, "tls")
}

// subjectNames are the names of the certificate we make: those given, the address itself, and loopback's.
func subjectNames(l ListenerFile) []string {
	names := slices.Clone(l.Names)
	if host, _, err := net.SplitHostPort(l.Address); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			names = append(names, host)
		}
		if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
			names = append(names, "localhost", "127.0.0.1", "::1")
		}
	}
	if len(names) == 0 {
		names = []string{"localhost"}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listenUnix takes a socket that only its owner may use. A socket that a dead server left is replaced.
func listenUnix(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		return nil, errors.Join(fmt.Errorf("socket %s: another server is using it", path), c.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
