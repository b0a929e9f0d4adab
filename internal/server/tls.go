package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 397 * 24 * time.Hour // the longest that browsers and Apple's clients accept
	leafLeft = 30 * 24 * time.Hour  // a certificate with less left is made anew
)

// authority is the server's own CA, made on first start: DIR/ca.pem for clients, DIR/ca.key for us alone.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

// openAuthority reads the CA in dir, or makes one.
func openAuthority(dir string) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a := &authority{file: filepath.Join(dir, "ca.pem")}
	certPEM, err := os.ReadFile(a.file)
	if errors.Is(err, os.ErrNotExist) {
		return a, a.make(dir)
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, fmt.Errorf("our CA %s has no key beside it: %w", a.file, err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("our CA in %s: %w", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("our CA in %s has a key of another kind", dir)
	}
	a.cert, a.key = pair.Leaf, key
	return a, nil
}

func (a *authority) make(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "keephold " + now.UTC().Format("2006-01-02")},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(caLife), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key goes first: a certificate without its key would be refused at the next start.
	if err := writePEM(filepath.Join(dir, "ca.key"), 0o600, "PRIVATE KEY", keyDER); err != nil {
		return err
	}
	return writePEM(a.file, 0o644, "CERTIFICATE", der)
}

// issue makes a server certificate for the names, which may be addresses.
func (a *authority) issue(names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: names[0]}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// certificates answers the certificate of a listener: given files, read again when they change, or one of our own CA,
// made again before it ends.
type certificates struct {
	certFile, keyFile string
	names             []string
	authority         *authority

	mu      sync.Mutex
	current *tls.Certificate
	stamp   time.Time // newest modification of the files
	looked  time.Time
}

// recheck is how often given files are looked at.
const recheck = 2 * time.Second

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.authority != nil {
		if c.current == nil || c.current.Leaf.NotAfter.Sub(now) < leafLeft {
			fresh, err := c.authority.issue(c.names)
			if err != nil {
				return nil, err
			}
			c.current = fresh
		}
		return c.current, nil
	}
	if c.current != nil && now.Sub(c.looked) < recheck {
		return c.current, nil
	}
	c.looked = now
	stamp, err := newest(c.certFile, c.keyFile)
	if err == nil && c.current != nil && stamp.Equal(c.stamp) {
		return c.current, nil
	}
	fresh, loadErr := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err = errors.Join(err, loadErr); err != nil {
		if c.current != nil {
			return c.current, nil // half a replacement must not end the service; the next look tries again
		}
		return nil, err
	}
	c.current, c.stamp = &fresh, stamp
	return c.current, nil
}

func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

func newest(files ...string) (t time.Time, err error) {
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return t, err
		}
		if info.ModTime().After(t) {
			t = info.ModTime()
		}
	}
	return t, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic("server: internal error: " + err.Error()) // crypto/rand never fails
	}
	return n
}

func writePEM(path string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Sync(), f.Close())
}
