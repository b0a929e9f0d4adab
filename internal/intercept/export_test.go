package intercept

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"time"
)

// Sign signs for whatever it is asked, as somebody with a stolen key would.
func (a *Authority) Sign(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: serial(), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	c, err := a.sign(template, &a.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Leaf is leaf.
func (a *Authority) Leaf(host string) (*tls.Certificate, error) { return a.leaf(host, time.Now()) }

// ParseTarget is parseTarget.
func ParseTarget(s string) (string, string, error) { return parseTarget(s) }

// Presented is presented.
func Presented(h http.Header) (string, string, bool) { return presented(h) }
