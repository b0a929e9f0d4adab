// Package vault reaches HashiCorp Vault and OpenBao, and another Keephold, by their HTTP API: kv version 2 and 1. It takes what
// the vendor's command line takes: VAULT_TOKEN or ~/.vault-token, VAULT_NAMESPACE, VAULT_CACERT. The vendor's own library is
// under the MPL, and a handful of requests does not need it.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// Config of a Store.
type Config struct {
	URL       string // of the server
	Token     secret.Value
	Namespace string
	Roots     *x509.CertPool                             // nil: the system's
	Wait      func(context.Context, time.Duration) error // nil: by the clock
}

// Store is the secrets of one mount.
type Store struct {
	cfg       Config
	http      *http.Client
	mount     string
	versioned bool
}

var _ provider.Provider = (*Store)(nil)

const (
	requestTime = 60 * time.Second
	maxAnswer   = 16 << 20
	attempts    = 6
	atOnce      = 32
)

// New is a mount whose kind is known: kv version 2, or 1.
func New(cfg Config, mount string, versioned bool) *Store {
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	return &Store{cfg: cfg, mount: mount, versioned: versioned, http: &http.Client{
		Timeout:       requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token does not follow a redirect
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: atOnce, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12}},
	}}
}

// Open asks which mount the path begins with, and answers what is left of the path.
func Open(ctx context.Context, cfg Config, path string) (s *Store, rest string, err error) {
	s = New(cfg, "", false)
	var info struct {
		Data struct {
			Path    string            `json:"path"`
			Type    string            `json:"type"`
			Options map[string]string `json:"options"`
		} `json:"data"`
	}
	clean := strings.Trim(path, "/")
	if err := s.ask(ctx, http.MethodGet, "sys/internal/ui/mounts/"+escape(clean), nil, &info); err != nil {
		return nil, "", fmt.Errorf("which mount %s begins with: %w", clean, err)
	}
	s.mount = strings.TrimSuffix(info.Data.Path, "/")
	s.versioned = info.Data.Options["version"] == "2"
	if info.Data.Type != "kv" && info.Data.Type != "generic" {
		return nil, "", fmt.Errorf("%s is a mount of the kind %q: %w: only kv holds secrets", s.mount, info.Data.Type, secret.ErrInvalid)
	}
	return s, strings.TrimPrefix(strings.TrimPrefix(path, s.mount), "/"), nil
}

// Mount is the mount's name.
func (s *Store) Mount() string { return s.mount }

func (s *Store) url(kind, name string) string {
	base := escape(s.mount)
	if s.versioned {
		base += "/" + kind
	}
	return base + "/" + escape(name)
}

// List walks the folders below the prefix.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[provider.Ref, error] {
	return func(yield func(provider.Ref, error) bool) {
		begin := ""
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			begin = prefix[:i+1]
		}
		for folders := []string{begin}; len(folders) > 0; {
			folder := folders[len(folders)-1]
			folders = folders[:len(folders)-1]
			var out struct {
				Data struct {
					Keys []string `json:"keys"`
				} `json:"data"`
			}
			err := s.ask(ctx, "LIST", s.url("metadata", folder), nil, &out)
			if err != nil && !errors.Is(err, secret.ErrNotFound) {
				yield(provider.Ref{}, fmt.Errorf("the list of %s/%s: %w", s.mount, folder, err))
				return
			}
			for _, key := range out.Data.Keys {
				name := folder + key
				switch {
				case strings.HasSuffix(key, "/") && (strings.HasPrefix(name, prefix) || strings.HasPrefix(prefix, name)):
					folders = append(folders, name)
				case strings.HasSuffix(key, "/") || !strings.HasPrefix(name, prefix):
				case !yield(provider.Ref{Name: name}, nil):
					return
				}
			}
		}
	}
}

// Read answers the current version: a map; or text or bytes where the map has but the one member by which they are kept.
func (s *Store) Read(ctx context.Context, ref provider.Ref) (provider.Secret, error) {
	var out struct {
		Data json.RawMessage `json:"data"`
	}
	if err := s.ask(ctx, http.MethodGet, s.url("data", ref.Name), nil, &out); err != nil {
		return provider.Secret{}, fmt.Errorf("%s: %w", ref.Name, err)
	}
	data := out.Data
	got := provider.Secret{Ref: provider.Ref{Name: ref.Name}}
	if s.versioned {
		var v struct {
			Data     json.RawMessage `json:"data"`
			Metadata struct {
				Version uint64            `json:"version"`
				Custom  map[string]string `json:"custom_metadata"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(data, &v); err != nil {
			return provider.Secret{}, fmt.Errorf("%s: %w: the answer is not understood", ref.Name, secret.ErrUnavailable)
		}
		data, got.Tags, got.Revision = v.Data, v.Metadata.Custom, strconv.FormatUint(v.Metadata.Version, 10)
	}
	object, err := wire.Canonical(data)
	if err != nil { // the newest version is deleted
		return provider.Secret{}, fmt.Errorf("%s: %w: it has no value", ref.Name, secret.ErrNotFound)
	}
	got.Value, got.Kind = secret.NewValue(object), secret.Map
	if text, ok := provider.Text(got.Value, "value"); ok {
		got.Value, got.Kind = secret.NewValue([]byte(text)), secret.Text
	}
	if text, ok := provider.Text(got.Value, "value_base64"); ok {
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			got.Value, got.Kind = secret.NewValue(b), secret.Binary
		}
	}
	return got, nil
}

// Write makes a version that takes the place of the revision in s: of none where s has none, so that what somebody else wrote
// meanwhile is not lost.
func (s *Store) Write(ctx context.Context, in provider.Secret) (provider.Ref, error) {
	object, err := objectOf(&in)
	if err != nil {
		return provider.Ref{}, fmt.Errorf("%s: %w", in.Name, err)
	}
	defer clear(object)
	if !s.versioned {
		if err := s.ask(ctx, http.MethodPost, s.url("", in.Name), object, nil); err != nil {
			return provider.Ref{}, fmt.Errorf("%s: %w", in.Name, err)
		}
		return provider.Ref{Name: in.Name}, nil
	}
	body := fmt.Appendf(nil, `{"data":%s`, object)
	defer clear(body)
	if in.Revision != "" {
		body = fmt.Appendf(body, `,"options":{"cas":%s}`, in.Revision)
	}
	var out struct {
		Data struct {
			Version uint64 `json:"version"`
		} `json:"data"`
	}
	if err := s.ask(ctx, http.MethodPost, s.url("data", in.Name), append(body, '}'), &out); err != nil {
		return provider.Ref{}, fmt.Errorf("%s: %w", in.Name, err)
	}
	return provider.Ref{Name: in.Name, Revision: strconv.FormatUint(out.Data.Version, 10)}, nil
}

// objectOf is a value as this store keeps it: a map as it is, text and bytes as the one member of a map.
func objectOf(in *provider.Secret) ([]byte, error) {
	switch in.Kind {
	case secret.Map:
		return wire.Canonical(in.Value.Reveal())
	case secret.Binary:
		return json.Marshal(map[string][]byte{"value_base64": in.Value.Reveal()})
	}
	return json.Marshal(map[string]string{"value": string(in.Value.Reveal())})
}

// Delete deletes the newest version, which can be undeleted there; of kv version 1, the secret.
func (s *Store) Delete(ctx context.Context, ref provider.Ref) error {
	if err := s.ask(ctx, http.MethodDelete, s.url("data", ref.Name), nil, nil); err != nil {
		return fmt.Errorf("%s: %w", ref.Name, err)
	}
	return nil
}

// ask makes one request, again while the server is throttled or unsteady.
func (s *Store) ask(ctx context.Context, method, path string, body []byte, out any) error {
	for n := 0; ; n++ {
		after, err := s.once(ctx, method, path, body, out)
		if after < 0 || n == attempts-1 || ctx.Err() != nil {
			return err
		}
		if after == 0 {
			after = spread(200 * time.Millisecond << n)
		}
		if err := s.cfg.Wait(ctx, after); err != nil {
			return err
		}
	}
}

// spread is about d, so that clients which were refused together do not come back together.
func spread(d time.Duration) time.Duration {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return d/2 + d*time.Duration(b[0])/256
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// once is ask without trying again. It answers when to: never (negative), as soon as the caller likes (0), or after a pause that
// the server asked for.
func (s *Store) once(ctx context.Context, method, path string, body []byte, out any) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.cfg.URL+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return -1, fmt.Errorf("%w: %w", secret.ErrInvalid, err)
	}
	req.Header.Set("X-Vault-Request", "true")
	req.Header.Set("User-Agent", "keephold")
	if s.cfg.Token.Len() > 0 {
		req.Header.Set("X-Vault-Token", string(s.cfg.Token.Reveal()))
	}
	if s.cfg.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", s.cfg.Namespace)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the path
		}
		var op *net.OpError
		var untrusted *tls.CertificateVerificationError
		if ctx.Err() != nil || errors.As(err, &op) && op.Op == "dial" || errors.As(err, &untrusted) { // nobody is there, or somebody else: asking again would only take time
			return -1, fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
		}
		return 0, fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }() // everything of use was read
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	defer clear(b)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", secret.ErrUnavailable, err)
	case resp.StatusCode < http.StatusMultipleChoices:
		if out != nil && len(b) > 0 && json.Unmarshal(b, out) != nil {
			return -1, fmt.Errorf("%w: the answer is not understood", secret.ErrUnavailable)
		}
		return -1, nil
	}
	return again(resp), fail(resp.StatusCode, b)
}

// again says when a refused request may be made once more.
func again(resp *http.Response) time.Duration {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusPreconditionFailed:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			return min(time.Duration(s)*time.Second, time.Minute)
		}
		return 0
	}
	return -1
}

// fail says what an answer means. The texts of its errors are the server's and hold no values.
func fail(status int, body []byte) error {
	var told struct {
		Errors []string `json:"errors"`
	}
	_ = json.Unmarshal(body, &told) // what is no JSON tells nothing
	text := strings.TrimSpace(strings.Join(told.Errors, "; "))
	if text == "" {
		text = http.StatusText(status)
	}
	is := secret.ErrUnavailable
	switch status {
	case http.StatusNotFound:
		is = secret.ErrNotFound
	case http.StatusForbidden:
		is = secret.ErrDenied
	case http.StatusUnauthorized:
		is = secret.ErrSignIn
	case http.StatusRequestEntityTooLarge:
		is = secret.ErrTooLarge
	case http.StatusTooManyRequests:
		is = secret.ErrLimited
	case http.StatusBadRequest, http.StatusMethodNotAllowed:
		is = secret.ErrInvalid
		if strings.Contains(text, "check-and-set") {
			is = secret.ErrConflict
		}
	}
	return fmt.Errorf("%w: the server says %d: %s", is, status, text)
}

func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
