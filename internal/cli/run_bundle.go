package cli

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// bundles are files of certificates for one program: for each variable by which a client is told whom to trust, whom it
// trusted before, and an authority of ours. Who was narrowed to some certificates stays so.
type bundles struct {
	own  []byte
	dir  string
	made map[string]string // file by its content
}

// trusts are the variables. A client that finds none of before trusts what the system does, unless it adds the file to that.
func trusts() []struct {
	name   string
	before []string
	adds   bool
	only   bool // set where it was set before
} {
	return []struct {
		name   string
		before []string
		adds   bool
		only   bool
	}{
		{name: "SSL_CERT_FILE", before: []string{"SSL_CERT_FILE"}},
		{name: "REQUESTS_CA_BUNDLE", before: []string{"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}},
		{name: "AWS_CA_BUNDLE", before: []string{"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}},
		{name: "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", before: []string{"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"}},
		{name: "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", before: []string{"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"}},
		{name: "NODE_EXTRA_CA_CERTS", before: []string{"NODE_EXTRA_CA_CERTS"}, adds: true},
		{name: "CURL_CA_BUNDLE", before: []string{"CURL_CA_BUNDLE"}, only: true},
	}
}

func newBundles(own []byte) (*bundles, error) {
	dir, err := os.MkdirTemp("", "keephold-trust-"+strconv.Itoa(os.Getpid())+"-")
	return &bundles{own: own, dir: dir, made: map[string]string{}}, err
}

// describe sets the variables of an environment to files that are there.
func (b *bundles) describe(e *environ) error {
	set := map[string]string{} // afterwards: some look at what another was
	for _, t := range trusts() {
		var base []byte
		found := false
		for _, name := range t.before {
			path := e.get(name)
			if path == "" {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return errors.New(name + ": " + err.Error())
			}
			base, found = text, true
			break
		}
		if t.only && !found {
			continue
		}
		if !found && !t.adds {
			base = systemBundle()
		}
		file, err := b.file(base)
		if err != nil {
			return err
		}
		set[t.name] = file
	}
	for _, name := range sortedKeys(set) {
		e.set(name, set[name])
	}
	return nil
}

// file is one with these certificates and ours.
func (b *bundles) file(base []byte) (string, error) {
	text := append(bytes.TrimRight(bytes.Clone(base), "\n"), '\n')
	text = append(text, b.own...)
	if path, ok := b.made[string(text)]; ok {
		return path, nil
	}
	path := filepath.Join(b.dir, "roots-"+strconv.Itoa(len(b.made))+".pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", err
	}
	b.made[string(text)] = path
	return path, nil
}

// Close removes the files.
func (b *bundles) Close() error { return os.RemoveAll(b.dir) }

// systemBundle is what the system trusts, where it keeps that in one file; else nothing.
func systemBundle() []byte {
	for _, path := range systemRoots {
		text, err := os.ReadFile(path)
		if err == nil && x509.NewCertPool().AppendCertsFromPEM(text) {
			return text
		}
	}
	return nil
}
