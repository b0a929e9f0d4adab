// Package client reads the secrets of a Keephold server from a Go program.
//
// Start with [New], or with [FromEnvironment], which reads KEEPHOLD_ADDR, KEEPHOLD_TOKEN, KEEPHOLD_CACERT and
// KEEPHOLD_NAMESPACE. [Client.Space] is one Space of the server: a project's environment such as "shop/prod", where each
// setting is a secret of its own, or a Vault mount such as "secret".
//
//	[Space.Bind]    fills a struct with the settings of an environment: typed, with defaults, all problems at once
//	[Space.Values]  the settings as they are, from memory while they are fresh
//	[Space.Watch]   the settings now and after each change
//	[Space.Read]    one secret with its version
//	[Space.List]    the names in a folder
//
// # Values
//
// A [Value] prints, logs and marshals as "[redacted]"; only [Value.Text] and [Value.Bytes] give it away. No error of this
// package holds a value, a token or a secret id.
//
// # Memory
//
// Values and Bind answer from memory for as long as [WithFresh] says (a minute unless told otherwise), so that a program
// may ask as often as it likes. When the server cannot be reached, what is in memory goes on being answered for as long
// as [WithStale] says, which is not at all unless told; [Values.Age] tells how old it is. A refusal is never bridged: when
// the server says no, the memory of that Space is dropped. Nothing is written to disk.
//
// # Sign-in
//
// A token is used as it is; the file of [WithTokenFile] is read again when the token was refused, and [WithAppRole] signs in,
// renews before the token ends, and signs in again when it could not. A token is sent to the address that it was given for
// and does not follow a redirect. An address without TLS is refused unless it is on this machine.
//
// # Compatibility
//
// The package follows semantic versioning and depends on the standard library only. Everything is safe for concurrent use.
package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// A Client asks one server.
type Client struct {
	addr      string
	namespace string
	http      *http.Client
	sign      *signer
	fresh     time.Duration
	stale     time.Duration
	now       func() time.Time

	mu     sync.Mutex
	spaces map[string]*Space // guarded by mu; one for each name, so that all of a program share a memory
}

// An Option changes what New makes.
type Option func(*config) error

type config struct {
	namespace string
	sign      signer
	roots     *x509.CertPool
	http      *http.Client
	plaintext bool
	fresh     time.Duration
	stale     time.Duration
	timeout   time.Duration
}

// WithToken signs every request with this token.
func WithToken(token string) Option {
	return func(c *config) error {
		if strings.TrimSpace(token) == "" {
			return errors.New("client: the token is empty")
		}
		c.sign.token = strings.TrimSpace(token)
		return nil
	}
}

// WithTokenFile reads the token from a file, and again when it was refused: whoever keeps the file may replace it.
func WithTokenFile(path string) Option {
	return func(c *config) error { c.sign.file = path; return nil }
}

// WithAppRole signs in with a role's id and a secret id.
func WithAppRole(roleID, secretID string) Option { return WithAppRoleAt("approle", roleID, secretID) }

// WithAppRoleAt is WithAppRole where the method is mounted under another name.
func WithAppRoleAt(mount, roleID, secretID string) Option {
	return func(c *config) error {
		if roleID == "" {
			return errors.New("client: the role id is empty")
		}
		c.sign.role = &approle{mount: strings.Trim(mount, "/"), id: roleID, secret: secretID}
		return nil
	}
}

// WithCAFile trusts the certificates in this file, and only these: those of the server's own CA.
func WithCAFile(path string) Option {
	return func(c *config) error {
		pem, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("client: CA file: %w", err)
		}
		if c.roots == nil {
			c.roots = x509.NewCertPool()
		}
		if !c.roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("client: CA file %s holds no certificate", path)
		}
		return nil
	}
}

// WithNamespace works in a namespace of the server.
func WithNamespace(name string) Option {
	return func(c *config) error { c.namespace = name; return nil }
}

// WithHTTPClient makes requests with another client; CA files and timeouts are then its own business.
func WithHTTPClient(h *http.Client) Option {
	return func(c *config) error { c.http = h; return nil }
}

// WithFresh says how long values in memory are answered without asking the server; 0 asks each time.
func WithFresh(d time.Duration) Option {
	return func(c *config) error { c.fresh = d; return nil }
}

// WithStale says how old values may be that are answered while the server cannot be reached.
func WithStale(d time.Duration) Option {
	return func(c *config) error { c.stale = d; return nil }
}

// WithTimeout bounds each request; 30 seconds unless told otherwise.
func WithTimeout(d time.Duration) Option {
	return func(c *config) error { c.timeout = d; return nil }
}

// WithPlaintext allows an address without TLS that is not on this machine: tokens and values then travel in the clear.
func WithPlaintext() Option {
	return func(c *config) error { c.plaintext = true; return nil }
}

// New checks the address and the options. It asks nothing.
func New(addr string, options ...Option) (*Client, error) {
	cfg := config{fresh: time.Minute, timeout: 30 * time.Second}
	for _, o := range options {
		if err := o(&cfg); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, errors.New("client: the address is not https://HOST:PORT")
	}
	if u.Scheme == "http" && !cfg.plaintext && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("client: %s has no TLS: tokens and values would travel in the clear (WithPlaintext allows it)", u.Host)
	}
	if err := cfg.sign.check(); err != nil {
		return nil, err
	}
	c := &Client{
		addr: u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"), namespace: cfg.namespace, http: cfg.http,
		sign: &cfg.sign, fresh: cfg.fresh, stale: cfg.stale, now: time.Now, spaces: map[string]*Space{},
	}
	if c.http == nil {
		t := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true}
		t.TLSClientConfig = &tls.Config{RootCAs: cfg.roots, MinVersion: tls.VersionTLS12}
		c.http = &http.Client{Transport: t, Timeout: cfg.timeout}
	}
	own := *c.http
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &own
	return c, nil
}

// FromEnvironment is New with the address, token, CA file and namespace of the environment: KEEPHOLD_ADDR, KEEPHOLD_TOKEN
// or KEEPHOLD_TOKEN_FILE, KEEPHOLD_CACERT, KEEPHOLD_NAMESPACE. Options come after them and win.
func FromEnvironment(options ...Option) (*Client, error) {
	addr := os.Getenv("KEEPHOLD_ADDR")
	if addr == "" {
		return nil, errors.New("client: KEEPHOLD_ADDR is not set")
	}
	all := []Option{WithNamespace(os.Getenv("KEEPHOLD_NAMESPACE"))}
	if token := os.Getenv("KEEPHOLD_TOKEN"); token != "" {
		all = append(all, WithToken(token))
	} else if file := os.Getenv("KEEPHOLD_TOKEN_FILE"); file != "" {
		all = append(all, WithTokenFile(file))
	}
	if file := os.Getenv("KEEPHOLD_CACERT"); file != "" {
		all = append(all, WithCAFile(file))
	}
	return New(addr, append(all, options...)...)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Space is one Space of the server. Asked again for the same name it answers the same Space, with what it remembers.
func (c *Client) Space(name string) *Space {
	name = strings.Trim(name, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.spaces[name]
	if s == nil {
		s = &Space{c: c, name: name}
		c.spaces[name] = s
	}
	return s
}
