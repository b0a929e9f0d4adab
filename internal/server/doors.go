package server

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/front/awssm"
	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/front/gcpsm"
	"github.com/keephold/keephold/internal/front/native"
	"github.com/keephold/keephold/internal/front/vault"
	"github.com/keephold/keephold/internal/registry"
)

// door is one dialect of the one port: which requests speak it, and what answers them.
type door struct {
	dialect string // label of the metrics, one of dialects
	speaks  func(*Config, *http.Request) bool
	open    func(*Config, doorman) (http.Handler, error) // nil: nothing answers yet, so that no other dialect takes its requests
}

// doorman is what the fronts are given besides the Config.
type doorman struct {
	restore  vault.Restore
	limit    *signInLimit
	requests *registry.Limiter // counts for all dialects together
	issuers  *jwt.Keys         // of the tokens that all dialects take
}

// doors is the literal table by which a request itself says which dialect it speaks. The first row that knows it answers.
//
//	Content-Type: application/grpc*                              Google, gRPC
//	X-Amz-Target: secretsmanager.*, Authorization: AWS4-HMAC-…   AWS Secrets Manager
//	POST / with a form of Action and Version=2011-06-15          AWS STS
//	/v1/projects/…, /computeMetadata/…, POST /token               Google, REST (no Vault mount can be called projects)
//	Host below the Azure vault domain, /secrets, /deletedsecrets  Azure Key Vault
//	/TENANT/oauth2/…, /.well-known, /metadata/identity, /msi      Azure's sign-in
//	/v1/keephold/…                                               the native API
//	/v1/…                                                        Vault
func doors() []door {
	return []door{
		{"gcp", isGoogle, openGoogle},
		{"aws", isAWS, openAWS},
		{"azure", isAzureVault, openAzureVault},
		{"azure", isAzureSignIn, openAzureSignIn},
		{"native", below(native.Prefix), openNative},
		{"vault", below("/v1/"), openVault},
	}
}

// isQuick says which requests the fast lane answers: those that are over in a moment. What may take long, streams, or has nobody
// in a hurry stays with net/http, which ends a request when its client hangs up.
//
//	POST /            AWS
//	/secrets/…        Azure Key Vault
//	/v1/…             Google by REST and Vault, but for sys/ and the native API
func isQuick(method, path string) bool {
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok {
		return !strings.HasPrefix(path, native.Prefix) && !strings.HasPrefix(rest, "sys/") &&
			!strings.Contains(rest, "/sys/") && // of a namespace
			!strings.Contains(rest, "/login/") // by password: its hash takes a while, and waits for its turn
	}
	return path == "/" && method == http.MethodPost || strings.HasPrefix(path, "/secrets/")
}

// compose hangs every front in its place. What stands beside the doors is for probes and scrapers.
func compose(cfg *Config, restore vault.Restore) (http.Handler, error) {
	m := cfg.Keep.metrics
	requests, err := registry.NewLimiter()
	if err != nil {
		return nil, err
	}
	man := doorman{
		restore: restore, limit: newSignInLimit(cfg.SignInRate, m.limited.Inc), requests: requests,
		issuers: &jwt.Keys{Local: cfg.AnyRegion}, // keephold dev asks issuers on this machine, too
	}
	rows := doors()
	handlers := make([]http.Handler, len(rows))
	for i, d := range rows {
		if d.open == nil {
			handlers[i] = http.NotFoundHandler()
			continue
		}
		front, err := d.open(cfg, man)
		if err != nil {
			return nil, err
		}
		handlers[i] = m.count(d.dialect, front)
	}
	probe := probes(cfg)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range rows {
			if rows[i].speaks(cfg, r) {
				handlers[i].ServeHTTP(w, r)
				return
			}
		}
		probe.ServeHTTP(w, r)
	}), nil
}

func openVault(cfg *Config, man doorman) (http.Handler, error) {
	front, err := vault.New(vault.Config{
		Desk: cfg.Keep.Desk, Log: cfg.Log, MaxBody: cfg.MaxBody, Depth: cfg.JSONDepth, Version: cfg.Version, Started: time.Now(), Metrics: cfg.Keep.metrics.handler(),
		Restore: man.restore, Audit: cfg.AuditDevices,
		Storage: cfg.Keep.storage(), Node: hostname(),
		Passwords: cfg.passwords, Limiter: man.requests, Issuers: man.issuers,
	})
	if err != nil {
		return nil, err
	}
	return man.limit.guard(isSignIn, tooMany, front), nil
}

func openAWS(cfg *Config, man doorman) (http.Handler, error) {
	front, err := awssm.New(awssm.Config{Desk: cfg.Keep.Desk, Log: cfg.Log, MaxBody: cfg.MaxBody, Depth: cfg.JSONDepth, AnyRegion: cfg.AnyRegion, Issuers: man.issuers})
	if err != nil {
		return nil, err
	}
	return man.limit.guard(awssm.IsSignIn, awssm.Throttled, front), nil
}

func openNative(cfg *Config, man doorman) (http.Handler, error) {
	return native.New(native.Config{Desk: cfg.Keep.Desk, Log: cfg.Log, MaxBody: cfg.MaxBody, Depth: cfg.JSONDepth, Limiter: man.requests})
}

func openAzureVault(cfg *Config, man doorman) (http.Handler, error) { return newAzure(cfg, man) }

func openAzureSignIn(cfg *Config, man doorman) (http.Handler, error) {
	front, err := newAzure(cfg, man)
	if err != nil {
		return nil, err
	}
	return man.limit.guard(always, azurekv.Throttled, front.SignIn()), nil
}

func newAzure(cfg *Config, man doorman) (*azurekv.Front, error) {
	return azurekv.New(azurekv.Config{
		Desk: cfg.Keep.Desk, Log: cfg.Log, MaxBody: cfg.MaxBody, Depth: cfg.JSONDepth,
		Domains: []string{cfg.Azure.Domain, azurekv.VendorDomain}, Vault: cfg.Azure.Vault, Tenant: cfg.Azure.Tenant, Issuers: man.issuers,
	})
}

func probes(cfg *Config) http.Handler {
	desk := cfg.Keep.Desk
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if desk.Sealed() || cfg.Keep.Log.Err() != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", cfg.Keep.metrics.handler())
	return mux
}

func below(prefix string) func(*Config, *http.Request) bool {
	return func(_ *Config, r *http.Request) bool { return strings.HasPrefix(r.URL.Path, prefix) }
}

func openGoogle(cfg *Config, man doorman) (http.Handler, error) {
	front, err := gcpsm.New(gcpsm.Config{Desk: cfg.Keep.Desk, Log: cfg.Log, Projects: cfg.GoogleProjects})
	if err != nil {
		return nil, err
	}
	return man.limit.guard(isSignIn, tooMany, front), nil
}

func isGoogle(_ *Config, r *http.Request) bool { return isGRPC(r) || isGoogleREST(r) }

func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

func isAWS(_ *Config, r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, awssm.ContainerPath) {
		return true
	}
	if r.URL.Path != "/" {
		return false
	}
	return len(r.Header["X-Amz-Target"]) > 0 || strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") ||
		r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") ||
		strings.Contains(r.URL.RawQuery, "Version=2011-06-15")
}

func isGoogleREST(r *http.Request) bool {
	p := r.URL.Path
	return strings.HasPrefix(p, "/v1/projects/") || strings.HasPrefix(p, "/computeMetadata/") || p == "/token" || strings.HasPrefix(p, "/universe/") ||
		p == "/" && r.Header.Get("Metadata-Flavor") == "Google"
}

// isAzureVault knows a vault by its host, or by the paths that only Azure has, for vaults on a bare address.
func isAzureVault(cfg *Config, r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(host)
	if d := cfg.Azure.Domain; d != "" && strings.HasSuffix(host, "."+d) || strings.HasSuffix(host, "."+azurekv.VendorDomain) {
		return !isAzureSignIn(cfg, r)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return first == "secrets" || first == "deletedsecrets" || first == "keys" || first == "certificates"
}

// isAzureSignIn knows the token service and the managed-identity endpoints, whatever the tenant is called.
func isAzureSignIn(_ *Config, r *http.Request) bool {
	p := r.URL.Path
	if strings.HasPrefix(p, "/v1/") {
		return false
	}
	_, rest, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	switch {
	case strings.HasPrefix(p, "/metadata/identity"), strings.HasPrefix(p, "/msi/"), strings.HasPrefix(p, "/metadata/instance"):
		return true
	case rest == "discovery/instance", strings.HasPrefix(rest, "oauth2/"), strings.HasPrefix(rest, "discovery/"):
		return true
	}
	return strings.HasSuffix(p, "/.well-known/openid-configuration")
}
