package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/provider/awssm"
	"github.com/keephold/keephold/internal/provider/azurekv"
	"github.com/keephold/keephold/internal/provider/gcpsm"
	"github.com/keephold/keephold/internal/provider/vault"
	"github.com/keephold/keephold/internal/secret"
)

// OpenProvider opens the store that an address names, with the credentials that the vendor's own clients would find here: the
// environment, files, and the machine's identity. The address that it answers has its parts told apart. Connections are closed when
// ctx ends.
func OpenProvider(ctx context.Context, a provider.Address, getenv func(string) string) (provider.Provider, provider.Address, error) {
	switch a.Dialect {
	case secret.AWS:
		account, region, _ := strings.Cut(a.Store, "/")
		s, err := awssm.New(ctx, awssm.Config{Account: account, Region: region})
		return s, a, err
	case secret.GCP:
		s, err := gcpsm.New(ctx, gcpsm.Config{Project: a.Store, Endpoint: getenv("GCP_SECRETMANAGER_ENDPOINT")})
		return s, a, err
	case secret.Azure:
		s, err := azurekv.New(azurekv.Config{URL: azureVault(a.Store, getenv("AZURE_KEYVAULT_URL"))})
		return s, a, err
	}
	return openVaultProvider(ctx, a, getenv)
}

// azureVault is the URL of a vault. The one in the environment counts when it is of this vault, or of a bare address, which has no
// name to be of another.
func azureVault(name, set string) string {
	if u, err := url.Parse(set); err == nil && u.Scheme == "https" {
		first, _, _ := strings.Cut(u.Hostname(), ".")
		if net.ParseIP(u.Hostname()) != nil || u.Hostname() == "localhost" || strings.EqualFold(first, name) {
			return strings.TrimSuffix(set, "/")
		}
	}
	if !strings.Contains(name, ".") {
		name += ".vault.azure.net"
	}
	return "https://" + name
}

// openVaultProvider takes the settings of the vendor's command line. A token goes to the server that it is for: to the one in VAULT_ADDR, where
// that is set, and to no other.
func openVaultProvider(ctx context.Context, a provider.Address, getenv func(string) string) (provider.Provider, provider.Address, error) {
	cfg := vault.Config{URL: "https://" + a.Store, Namespace: getenv("VAULT_NAMESPACE")}
	if set := getenv("VAULT_ADDR"); set != "" {
		u, err := url.Parse(set)
		if err != nil || !strings.EqualFold(u.Host, a.Store) {
			return nil, a, fmt.Errorf("%w: VAULT_ADDR names another server than %s, and VAULT_TOKEN is for that one", secret.ErrSignIn, a.Store)
		}
		cfg.URL = u.Scheme + "://" + u.Host
	}
	token := getenv("VAULT_TOKEN")
	if token == "" {
		b, err := os.ReadFile(filepath.Join(getenv("HOME"), ".vault-token"))
		if err != nil {
			return nil, a, fmt.Errorf("%w: neither VAULT_TOKEN nor ~/.vault-token", secret.ErrSignIn)
		}
		token = strings.TrimSpace(string(b))
	}
	cfg.Token = secret.NewValue([]byte(token))
	if file := getenv("VAULT_CACERT"); file != "" {
		pem, err := os.ReadFile(file)
		cfg.Roots = x509.NewCertPool()
		if err != nil || !cfg.Roots.AppendCertsFromPEM(pem) {
			return nil, a, fmt.Errorf("VAULT_CACERT: %w: %s holds no certificate", secret.ErrInvalid, file)
		}
	}
	s, rest, err := vault.Open(ctx, cfg, a.Prefix)
	if err != nil {
		return nil, a, fmt.Errorf("%s: %w", a.Store, err)
	}
	a.Store, a.Prefix = a.Store+"/"+s.Mount(), rest
	return s, a, nil
}
