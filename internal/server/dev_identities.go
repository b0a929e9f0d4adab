package server

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// What a development server is called in each dialect.
const (
	DevAccount = "000000000000"
	DevRegion  = "us-east-1"
	DevProject = "dev"
	DevVault   = "dev"
	DevTenant  = "adfs" // the one that Azure's SDKs need no discovery for
	DevDomain  = "vault.keephold.internal"
)

// DevEnv is the environment that makes one dialect's unchanged clients use a development server.
type DevEnv struct {
	Plain  map[string]string
	Secret map[string]secret.Value
}

// devSpaces are the Spaces that a development server has for each dialect.
func devSpaces() []secret.Space {
	return []secret.Space{
		{Name: "secret", Versioned: true, Settings: secret.SpaceSettings{Description: "key/value secret storage"}},
		{Name: "aws/" + DevAccount + "/" + DevRegion, Home: secret.AWS},
		{Name: "gcp/" + DevProject, Home: secret.GCP},
		{Name: "azure/" + DevVault, Home: secret.Azure},
	}
}

// devIdentities are one of each kind.
func devIdentities() []machine.Create {
	return []machine.Create{
		{Name: "dev-aws-key", Kind: machine.AWSKey, Home: DevAccount},
		{Name: "dev-aws-role", Kind: machine.AWSRole, Home: DevAccount},
		{Name: "dev-gcp-sa", Kind: machine.GCPAccount, Home: DevProject},
		{Name: "dev-azure-user", Kind: machine.AzureUser, Home: DevTenant},
		{Name: "dev-azure-system", Kind: machine.AzureSystem, Home: DevTenant, Owner: "space:azure/" + DevVault},
	}
}

// keptGrace is how long the credentials of an earlier start of a kept development server go on working.
const keptGrace = 30 * 24 * time.Hour

// Complete makes one identity of each kind, or gives those of a kept store fresh credentials. It is for those who show them,
// while the server answers already: the RSA key of Google's takes longer than everything else of a start. Run takes the keep down,
// so Complete returns before Run's context ends.
func (d *Dev) Complete(ctx context.Context) error {
	k := d.Server.cfg.Keep
	local, err := k.Desk.Local()
	if err != nil {
		return err
	}
	d.Identities = map[machine.Kind]machine.Credential{}
	for _, a := range devIdentities() {
		a.Policies = []string{"dev"}
		made, err := custody.Do(ctx, k.Desk, local, a)
		if errors.Is(err, secret.ErrExists) {
			made, err = custody.Do(ctx, k.Desk, local, machine.Rotate{Name: a.Name, Grace: keptGrace})
		}
		if err != nil {
			return err
		}
		d.Identities[a.Kind] = made
	}
	return nil
}

// expose gives the Space of each dialect the further faces that the developer asked for.
func (d *Dev) expose(ctx context.Context, k *Keep, local auth.Caller, faces []string) error {
	for _, text := range faces {
		f, err := secret.ParseFace(text)
		if err != nil {
			return err
		}
		for _, sp := range devSpaces() {
			if sp.Home != f.Dialect || sp.Home == secret.Vault {
				continue
			}
			if _, err := custody.Do(ctx, k.Desk, local, registry.Expose{Space: sp.Name, As: f}); err != nil && !errors.Is(err, secret.ErrExists) {
				return err
			}
		}
	}
	return nil
}

// secure lets every address answer TLS too, by a CA of the server's own, and answer plaintext only where nobody else can
// listen.
func (d *Dev) secure(listeners []net.Listener, k *Keep, cfg DevConfig) error {
	dir := filepath.Join(k.scratch, "tls")
	if cfg.Dir != "" {
		dir = filepath.Join(cfg.Dir, "tls")
	}
	ca, err := openAuthority(dir)
	if err != nil {
		return err
	}
	d.CAFile = ca.file
	for i, l := range listeners {
		c := &certificates{authority: ca, names: devNames(l.Addr())}
		listeners[i] = listenEither(l, c.config(), isLoopback(l.Addr()) || cfg.PlaintextAnywhere)
	}
	return nil
}

// devNames are the subject names of a development server's certificate.
func devNames(a net.Addr) []string {
	host, _, err := net.SplitHostPort(a.String())
	names := subjectNames(ListenerFile{Address: a.String(), Names: []string{"localhost", "127.0.0.1", "::1", DevDomain, "*." + DevDomain}})
	if err == nil && strings.Contains(host, "%") { // an address with a zone is no name
		names = names[:0:0]
	}
	return names
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// Env is what the clients of each dialect need in their environment.
func (d *Dev) Env() map[string]DevEnv {
	return map[string]DevEnv{"vault": d.vaultEnv(), "aws": d.awsEnv(), "gcp": d.gcpEnv(), "azure": d.azureEnv()}
}

func (d *Dev) vaultEnv() DevEnv {
	return DevEnv{Plain: map[string]string{"VAULT_ADDR": d.Addr}, Secret: map[string]secret.Value{"VAULT_TOKEN": d.Token}}
}

func (d *Dev) awsEnv() DevEnv {
	k := d.Identities[machine.AWSKey]
	return DevEnv{
		Plain: map[string]string{
			"AWS_ENDPOINT_URL": d.Addr, "AWS_ENDPOINT_URL_SECRETS_MANAGER": d.Addr, "AWS_ENDPOINT_URL_STS": d.Addr,
			"AWS_REGION": DevRegion, "AWS_DEFAULT_REGION": DevRegion, "AWS_ACCESS_KEY_ID": k.Key.ID,
		},
		Secret: map[string]secret.Value{"AWS_SECRET_ACCESS_KEY": k.Secret},
	}
}

// gcpEnv is besides the key file, which whoever shows the credentials writes. Google's clients take the address of the
// service in code (api_endpoint), and speak TLS there unless they are told otherwise; gcloud takes it from its variable.
func (d *Dev) gcpEnv() DevEnv {
	_, address, _ := strings.Cut(d.Addr, "://")
	return DevEnv{Plain: map[string]string{
		"GOOGLE_CLOUD_PROJECT": DevProject, "GCP_SECRETMANAGER_ENDPOINT": address, "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": d.Addr + "/",
		"CLOUDSDK_CORE_PROJECT": DevProject,
	}}
}

// azureEnv makes DefaultAzureCredential a managed identity. The vault stands on a bare address, whose parent domain is what
// the challenge names.
func (d *Dev) azureEnv() DevEnv {
	k := d.Identities[machine.AzureUser]
	secure := "https" + strings.TrimPrefix(d.Addr, "http")
	return DevEnv{
		Plain: map[string]string{
			"AZURE_KEYVAULT_URL": secure, "IDENTITY_ENDPOINT": d.Addr + "/msi/token", "AZURE_CLIENT_ID": k.Identity.Public, "AZURE_TENANT_ID": DevTenant,
			"AZURE_AUTHORITY_HOST": secure, "SSL_CERT_FILE": d.CAFile, "REQUESTS_CA_BUNDLE": d.CAFile, "NODE_EXTRA_CA_CERTS": d.CAFile,
		},
		Secret: map[string]secret.Value{"IDENTITY_HEADER": azurekv.IdentityHeader(k.Identity.Public, k.Secret)},
	}
}
