// Package snippets runs the programs that the vendors' manuals show, as they are, under keephold run.
package snippets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What every keep here has.
const (
	tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47" // as applications have one: no name that SDKs treat specially
	region = "eu-west-1"
	policy = `path "aws/*" { capabilities = ["create", "read", "update", "list"] }
path "gcp/*" { capabilities = ["create", "read", "update", "list"] }
path "azure/*" { capabilities = ["create", "read", "update", "list"] }`
)

// programs are those of the manuals, what they print, and which identity they are lent.
var programs = []struct {
	name string
	argv []string
	as   string
	want string
	own  bool // credentials of its own, in its environment; nothing is lent
	bare bool // the settings of the environment suffice: without --intercept too
}{
	{"boto3 session", []string{"python", "aws_session.py"}, "web-aws", "shop pw-aws", false, true},
	{"boto3 client by ARN", []string{"python", "aws_client.py"}, "web-aws", "{\"username\":\"shop\",\"password\":\"pw-aws\"}\n0001ff", false, true},
	{"boto3 with a key", []string{"python", "aws_session.py"}, "", "shop pw-aws", true, false},
	{"google-cloud-secret-manager", []string{"python", "google_version.py"}, "web-gcp", "pw-google", false, false},
	{"google-cloud-secret-manager with a key", []string{"python", "google_version.py"}, "", "pw-google", true, false},
	{"azure-keyvault-secrets, managed identity", []string{"python", "azure_vault.py"}, "web-azure", "pw-azure", false, false},
	{"azure-keyvault-secrets, client secret", []string{"python", "azure_vault.py"}, "", "pw-azure", true, false},
	{"another server", []string{"python", "elsewhere.py"}, "web-azure", "from elsewhere\npw-azure", false, false},
	{"Go, AWS", []string{"aws"}, "web-aws", `{"username":"shop","password":"pw-aws"}`, false, true},
	{"Go, AWS with a key", []string{"aws"}, "", `{"username":"shop","password":"pw-aws"}`, true, false},
	{"Go, Google", []string{"google"}, "web-gcp", "pw-google", false, false},
	{"Go, Google with a key", []string{"google"}, "", "pw-google", true, false},
	{"Go, Azure, managed identity", []string{"azure"}, "web-azure", "pw-azure", false, false},
	{"Go, Azure, client secret", []string{"azure"}, "", "pw-azure", true, false},
	{"JavaScript, AWS", []string{"node", "aws.mjs"}, "web-aws", "shop pw-aws", false, true},
	{"JavaScript, Google", []string{"node", "google.mjs"}, "web-gcp", "pw-google", false, false},
	{"JavaScript, Google with a key", []string{"node", "google.mjs"}, "", "pw-google", true, false},
	{"JavaScript, Azure, managed identity", []string{"node", "azure.mjs"}, "web-azure", "pw-azure", false, false},
	{"JavaScript, Azure, client secret", []string{"node", "azure.mjs"}, "", "pw-azure", true, false},
	{"aws-cli", []string{"aws-cli", "secretsmanager", "get-secret-value", "--secret-id", "prod/db", "--query", "SecretString", "--output", "text"}, "web-aws", `{"username":"shop","password":"pw-aws"}`, false, true},
}

func TestManualsProgramsAgainstLocalKeep(t *testing.T) { everyProgram(t, local(t)) }

func TestManualsProgramsAgainstServer(t *testing.T) { everyProgram(t, served(t)) }

func everyProgram(t *testing.T, p *place) {
	far := elsewhere(t)
	for _, x := range programs {
		modes := map[string][]string{"": {"--intercept"}}
		if x.bare {
			modes[", by settings alone"] = nil
		}
		for mode, flags := range modes {
			t.Run(x.name+mode, func(t *testing.T) {
				env := append(slices.Clone(p.env), far...)
				env = append(env, "TEXT_ARN="+p.arns.Text, "BINARY_ARN="+p.arns.Binary)
				if mode == "" && x.argv[0] != "node" { // at the vendor's own address; Node's SDK for AWS heeds no proxy
					env = append(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true")
				}
				args := append([]string{"run"}, flags...)
				if x.own {
					env = append(env, p.credentials(t)...)
				} else {
					args = append(args, "--as", x.as)
				}
				if got := p.keephold(t, env, append(append(args, "--"), program(t, x.argv)...)...); got != x.want {
					t.Errorf("got %q, want %q", got, x.want)
				}
			})
		}
	}
}

// TestGcloud runs Google's command line where there is one; no registry of packages that we install from has it.
func TestGcloud(t *testing.T) {
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Log("there is no gcloud here")
		return
	}
	p := local(t)
	if got := p.keephold(t, p.env, "run", "--intercept", "--as", "web-gcp", "--", gcloud, "secrets", "versions", "access", "latest", "--secret", "s", "--project", "p"); got != "pw-google" {
		t.Errorf("got %q", got)
	}
}

// TestHvac: a client of ours by an address of its own is not led anywhere.
func TestHvac(t *testing.T) {
	p := served(t)
	p.keephold(t, p.env, "space", "make", "secret")
	p.keephold(t, p.env, "put", "secret/app", "password=pw-vault", "--not-secret")
	env := append(slices.Clone(p.env), "VAULT_ADDR="+p.setting("KEEPHOLD_ADDR"), "VAULT_TOKEN="+p.setting("KEEPHOLD_TOKEN"), "REQUESTS_CA_BUNDLE="+p.setting("KEEPHOLD_CACERT"))
	if got := p.keephold(t, env, append([]string{"run", "--intercept", "--"}, program(t, []string{"python", "vault.py"})...)...); got != "pw-vault" {
		t.Errorf("got %q", got)
	}
}

// elsewhere is a server that the keep knows nothing of, with a certificate that only who is told so trusts. Its address is
// none that clients keep proxies away from.
func elsewhere(t *testing.T) []string {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 2)},
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	s := &httptest.Server{
		Listener: must(net.Listen("tcp", "127.0.0.2:0"))(t),
		Config:   &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "from elsewhere") })},
		TLS:      &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "elsewhere.pem")
	write(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return []string{"ELSEWHERE=" + s.URL, "SSL_CERT_FILE=" + ca}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
