package server

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// File is keephold-server.toml. Every key can also be set by KEEPHOLD_SERVER_TABLE_KEY in the environment, which wins.
// docs/configuration.md shows the whole file.
type File struct {
	Listener []ListenerFile `toml:"listener"`
	Storage  StorageFile    `toml:"storage"`
	Seal     SealFile       `toml:"seal"`
	Audit    AuditFile      `toml:"audit"`
	Token    TokenFile      `toml:"token"`
	Limits   LimitsFile     `toml:"limits"`
	Snapshot SnapshotFile   `toml:"snapshot"`
	Dialect  DialectFile    `toml:"dialect"`

	Intercept InterceptFile  `toml:"intercept"`
	Metadata  []MetadataFile `toml:"metadata"`

	Log LogFile `toml:"log"`
	// AllowPlaintextAnywhere lets a listener serve plaintext on an address that is not loopback.
	AllowPlaintextAnywhere bool `toml:"allow_plaintext_anywhere"`
}

// ListenerFile is one [[listener]].
type ListenerFile struct {
	Address    string   `toml:"address"`
	Plaintext  bool     `toml:"plaintext"`
	CertFile   string   `toml:"tls_cert_file"` // empty: a CA of our own, made on first start
	KeyFile    string   `toml:"tls_key_file"`
	Names      []string `toml:"names"` // subject names of the certificate we make
	UnixSocket string   `toml:"unix_socket"`
}

// StorageFile is [storage].
type StorageFile struct {
	Kind  string `toml:"kind"` // "bbolt" or "memory"
	Path  string `toml:"path"`
	Cache Size   `toml:"cache"`
}

// SealFile is [seal].
type SealFile struct {
	Kind    string `toml:"kind"` // "shamir", "passphrase" or "keyfile"
	KeyFile string `toml:"key_file"`
}

// AuditFile is [audit].
type AuditFile struct {
	Dir          string     `toml:"dir"`
	Sync         string     `toml:"sync"` // "batch" or "always"
	SyncInterval Duration   `toml:"sync_interval"`
	Sink         []SinkFile `toml:"sink"`
}

// SinkFile is one [[audit.sink]].
type SinkFile struct {
	Kind    string `toml:"kind"` // "syslog", "stdout" or "http"
	Address string `toml:"address"`
}

// TokenFile is [token].
type TokenFile struct {
	DefaultTTL Duration `toml:"default_ttl"`
	MaxTTL     Duration `toml:"max_ttl"`
}

// LimitsFile is [limits].
type LimitsFile struct {
	Body        Size     `toml:"body"`
	JSONDepth   int      `toml:"json_depth"`
	RequestTime Duration `toml:"request_time"`
	SignInRate  Rate     `toml:"sign_in_rate"` // per client address, burst of the same
}

// SnapshotFile is [snapshot].
type SnapshotFile struct {
	Every Duration `toml:"every"` // zero: none
	Keep  int      `toml:"keep"`
	Dir   string   `toml:"dir"`
}

// DialectFile is [dialect].
type DialectFile struct {
	AWS   AWSFile   `toml:"aws"`
	GCP   GCPFile   `toml:"gcp"`
	Azure AzureFile `toml:"azure"`
}

// AWSFile is [dialect.aws].
type AWSFile struct {
	Accounts map[string][]string `toml:"accounts"`
}

// GCPFile is [dialect.gcp].
type GCPFile struct {
	Projects map[string]int64 `toml:"projects"`
}

// AzureFile is [dialect.azure].
type AzureFile struct {
	Domain string `toml:"domain"` // vaults are hosts below it; "" is none
	Tenant string `toml:"tenant"` // of the identities
	Vault  string `toml:"vault"`  // the one that answers on any other host, such as a bare address; "" is none
}

// LogFile is [log].
type LogFile struct {
	Format string `toml:"format"` // "text" or "json"
	Level  string `toml:"level"`
}

// Default is the configuration of a server that was told nothing.
func Default() File {
	return File{
		Listener: []ListenerFile{{Address: "127.0.0.1:8200", Names: []string{"localhost"}}},
		Storage:  StorageFile{Kind: "bbolt", Path: "/var/lib/keephold", Cache: 64 << 20},
		Seal:     SealFile{Kind: "shamir"},
		Audit:    AuditFile{Sync: "batch", SyncInterval: Duration(10 * time.Millisecond)},
		Token:    TokenFile{DefaultTTL: Duration(768 * time.Hour), MaxTTL: Duration(768 * time.Hour)},
		Limits:   LimitsFile{Body: 1 << 20, JSONDepth: 64, RequestTime: Duration(30 * time.Second), SignInRate: 20},
		Snapshot: SnapshotFile{Keep: 7},
		Dialect:  DialectFile{Azure: AzureFile{Domain: "vault.keephold.internal", Tenant: "adfs"}},
		Log:      LogFile{Format: "text", Level: "info"},
	}
}

// ReadFile reads and checks a configuration file; environ is what overrides it ("NAME=value").
func ReadFile(path string, environ []string) (File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	return Parse(path, b, environ)
}

// Parse is ReadFile for text at hand. Errors name the file, the line, and for an unknown key the nearest known one.
func Parse(name string, text []byte, environ []string) (File, error) {
	f := Default()
	f.Listener = nil
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, located(name, err)
	}
	if f.Listener == nil {
		f.Listener = Default().Listener
	}
	if err := override(&f, environ); err != nil {
		return f, err
	}
	if err := f.check(); err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func located(name string, err error) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		e := missing.Errors[0]
		row, _ := e.Position()
		key := strings.Join(e.Key(), ".")
		return fmt.Errorf("%s:%d: unknown key %q%s", name, row, key, didYouMean(key))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, col := bad.Position()
		return fmt.Errorf("%s:%d:%d: %s", name, row, col, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (f *File) check() error {
	switch f.Storage.Kind {
	case "bbolt", "memory":
	default:
		return fmt.Errorf("[storage] kind %q is none of \"bbolt\", \"memory\"", f.Storage.Kind)
	}
	switch f.Seal.Kind {
	case "shamir":
	case "keyfile", "passphrase":
		if f.Seal.KeyFile == "" {
			return fmt.Errorf("[seal] kind %q needs key_file", f.Seal.Kind)
		}
	default:
		return fmt.Errorf("[seal] kind %q is none of \"shamir\", \"passphrase\", \"keyfile\"", f.Seal.Kind)
	}
	if f.Audit.Sync != "batch" && f.Audit.Sync != "always" {
		return fmt.Errorf("[audit] sync %q is none of \"batch\", \"always\"", f.Audit.Sync)
	}
	if f.Storage.Kind == "bbolt" && f.Storage.Path == "" {
		return errors.New("[storage] path is missing")
	}
	if err := f.Snapshot.check(); err != nil {
		return err
	}
	if err := f.Intercept.check(); err != nil {
		return err
	}
	for i, m := range f.Metadata {
		if err := m.check(); err != nil {
			return fmt.Errorf("[[metadata]] %d: %w", i+1, err)
		}
	}
	for i, l := range f.Listener {
		if err := l.check(f.AllowPlaintextAnywhere); err != nil {
			return fmt.Errorf("[[listener]] %d: %w", i+1, err)
		}
	}
	return nil
}

func (l *ListenerFile) check(plaintextAnywhere bool) error {
	if l.UnixSocket != "" && l.Address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(l.Address)
	if err != nil {
		return fmt.Errorf("address %q is not HOST:PORT", l.Address)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if l.Plaintext && !loopback && !plaintextAnywhere {
		return fmt.Errorf("plaintext on %s, which is not a loopback address: secrets would cross the network unencrypted (allow_plaintext_anywhere = true if something else encrypts)", l.Address)
	}
	if (l.CertFile == "") != (l.KeyFile == "") {
		return errors.New("tls_cert_file and tls_key_file go together")
	}
	return nil
}

// Duration is a time span written as "15m".
type Duration time.Duration

// UnmarshalText reads a duration; the empty text is zero.
func (d *Duration) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration such as \"15m\"", b)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes written as "64MiB".
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	units := []struct {
		suffix string
		shift  uint
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}, {"", 0}}
	for _, u := range units {
		text, ok := strings.CutSuffix(string(b), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err == nil && n >= 0 && n < 1<<(62-u.shift) {
			*s = Size(n << u.shift)
			return nil
		}
		if u.suffix != "" && u.suffix != "B" {
			break
		}
	}
	return fmt.Errorf("%q is no size such as \"64MiB\"", b)
}

// Rate is a number of events a second written as "20/s".
type Rate float64

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(b []byte) error {
	text, ok := strings.CutSuffix(string(b), "/s")
	n, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || !(n > 0) {
		return fmt.Errorf("%q is no rate such as \"20/s\"", b)
	}
	*r = Rate(n)
	return nil
}
