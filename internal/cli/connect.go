package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/server"
)

// options are the flags that every command has.
type options struct {
	addr, caFile, namespace, output string
	json, quiet                     bool
	store                           string // of the project whose keep this is; "": none

	closers    []func() error // what this command line opened; Run closes it
	localKeep  *api           // the local keep, once it is open
	names      *namesSeen     // for completion; written when everything is closed
	localOwner *server.Local  // the same, for what only its owner on this machine can ask
}

// setting reads KEEPHOLD_NAME, then KEEPHOLD_NAME_FILE, then VAULT_NAME. A file is for what should not stand in an
// environment.
func (env Env) setting(name string) (string, error) {
	v, err := env.ownSetting(name)
	if v == "" && err == nil {
		v = env.Getenv("VAULT_" + name)
	}
	return v, err
}

// ownSetting is setting without the vendor's names, which are no business of a project.
func (env Env) ownSetting(name string) (string, error) {
	if v := env.Getenv("KEEPHOLD_" + name); v != "" {
		return v, nil
	}
	if file := env.Getenv("KEEPHOLD_" + name + "_FILE"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", usagef("KEEPHOLD_%s_FILE: %w", name, err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	return "", nil
}

// connect answers the keep that this command line speaks to: the address of the flag, of the environment, or of the
// last login, else the local keep.
func (env Env) connect(ctx context.Context, o *options) (*api, error) {
	addr := o.addr
	if addr == "" {
		var err error
		if addr, err = env.setting("ADDR"); err != nil {
			return nil, err
		}
	}
	saved := env.session()
	if addr == "" {
		addr = saved.Addr
	}
	if addr == "" && env.hasLocal() {
		return env.local(ctx, o)
	}
	if addr == "" {
		return nil, usagef("no keep to speak to").withHint("start one with 'keephold dev' and set KEEPHOLD_ADDR and KEEPHOLD_TOKEN, or sign in with 'keephold login ADDRESS'")
	}
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("address %q is not http://HOST:PORT or https://HOST:PORT", addr)
	}
	client, err := env.httpClient(o)
	if err != nil {
		return nil, err
	}
	a := &api{addr: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), namespace: o.namespace, http: client, seen: env.see(o)}
	if a.namespace == "" {
		if a.namespace, err = env.setting("NAMESPACE"); err != nil {
			return nil, err
		}
	}
	token, err := env.setting("TOKEN")
	if err != nil {
		return nil, err
	}
	if o.store != "" {
		if token, err = env.tokenFor(a.addr); err != nil {
			return nil, err
		}
	}
	// A stored token is only ever sent to the address that it was issued for.
	if token == "" && saved.Addr == a.addr {
		token = saved.Token
	}
	a.token = secret.NewValue([]byte(token))
	return a, nil
}

// isLocal says whether connect would open the local keep.
func (env Env) isLocal(o *options) bool {
	addr := o.addr
	if addr == "" {
		addr, _ = env.setting("ADDR")
	}
	return addr == "" && env.session().Addr == ""
}

// tokenFor is the environment's token for a project's server: a token that came with the address of another server is not
// for this one.
func (env Env) tokenFor(addr string) (string, error) {
	token, err := env.ownSetting("TOKEN")
	if err != nil {
		return "", err
	}
	other, err := env.ownSetting("ADDR")
	if other = strings.TrimSuffix(other, "/"); other != "" && other != addr {
		token = ""
	}
	return token, err
}

func (env Env) httpClient(o *options) (*http.Client, error) {
	file := o.caFile
	if file == "" {
		var err error
		if file, err = env.setting("CACERT"); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial, MaxIdleConnsPerHost: 16}
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("CA file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usagef("CA file %s holds no certificate", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, Timeout: requestTime, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a token does not follow a redirect
	}}, nil
}

// configDir is where a user's settings lie (XDG Base Directory Specification).
func (env Env) configDir() (string, error) {
	if d := env.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "keephold"), nil
	}
	home := env.Getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", errors.New("neither HOME nor XDG_CONFIG_HOME is set")
		}
	}
	return filepath.Join(home, ".config", "keephold"), nil
}
