package cli

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/server"
)

// writeGoogle writes what Google's clients read from files, beside the certificate of a development server, and says where
// in their environment: the key of a service account, and the certificates that gRPC shall trust.
func writeGoogle(d *server.Dev, vars map[string]string) error {
	made, ok := d.Identities[machine.GCPAccount]
	if !ok {
		return nil
	}
	id := &machineIdentity{ID: made.Identity.UID, Home: made.Identity.Home, Public: made.Identity.Public, KeyID: made.Key.ID, Secret: reveal(made.Secret)}
	b, err := json.MarshalIndent(googleKey(d.Addr, id), "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(d.CAFile)
	key, roots := filepath.Join(dir, "google-credentials.json"), filepath.Join(dir, "roots.pem")
	bundle, err := bundleWith(d.CAFile)
	if err != nil {
		return err
	}
	if err := errors.Join(writeOwn(key, append(b, '\n')), writeOwn(roots, bundle)); err != nil {
		return failf(exitCannotWrite, "credentials for Google's clients: %w", err)
	}
	vars["GOOGLE_APPLICATION_CREDENTIALS"], vars["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = key, roots
	return nil
}

// writeOwn replaces a file by one that its owner alone can read.
func writeOwn(path string, b []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// systemRoots are where systems keep the certificates that they trust, as Go's own list has them.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem", "/usr/local/etc/ssl/cert.pem",
}

// bundleWith is the system's roots, where they are in one file, with a certificate of ours: a client that trusts only what
// a variable names still reaches everybody else.
func bundleWith(ca string) ([]byte, error) {
	own, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	for _, path := range append([]string{os.Getenv("SSL_CERT_FILE")}, systemRoots...) {
		b, err := os.ReadFile(path)
		if err == nil && x509.NewCertPool().AppendCertsFromPEM(b) {
			return append(append(b, '\n'), own...), nil
		}
	}
	return own, nil
}
