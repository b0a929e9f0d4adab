package providertest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/cli"
	"github.com/keephold/keephold/internal/provider/awssm"
	"github.com/keephold/keephold/internal/provider/azurekv"
	"github.com/keephold/keephold/internal/provider/gcpsm"
	"github.com/keephold/keephold/internal/provider/providertest"
	"github.com/keephold/keephold/internal/provider/vault"
	"github.com/keephold/keephold/internal/secret"
)

// dev is a running "keephold dev", with what it tells clients.
type dev struct {
	Addr   string                       `json:"addr"`
	Token  string                       `json:"token"`
	CAFile string                       `json:"ca_file"`
	Env    map[string]map[string]string `json:"env"`
}

func startDev(t *testing.T) *dev {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	home := t.TempDir()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Env{Stdin: strings.NewReader(""), Stdout: w, Stderr: io.Discard, Getenv: func(name string) string {
			if name == "HOME" {
				return home
			}
			return ""
		}}, []string{"dev", "--json", "--listen", "127.0.0.1:0"})
		_ = w.Close()
	}()
	t.Cleanup(func() { stop(); <-ended })
	d := new(dev)
	if err := json.NewDecoder(r).Decode(d); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the server
	return d
}

// setenv puts what the server tells of a dialect into the environment, as a user does.
func (d *dev) setenv(t *testing.T, dialect string) {
	t.Helper()
	for name, value := range d.Env[dialect] {
		t.Setenv(name, value)
	}
}

func (d *dev) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// nobody is an address at which no one listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAWS(t *testing.T) {
	d := startDev(t)
	testAWS(t, d.Addr, d.Env["aws"]["AWS_ACCESS_KEY_ID"], d.Env["aws"]["AWS_SECRET_ACCESS_KEY"], "000000000000", true)
}

// testAWS runs the contract; an emulator takes any credentials.
func testAWS(t *testing.T, addr, id, key, account string, checks bool) {
	isolate(t)
	open := must[*awssm.Store](t)
	ctx := t.Context()
	t.Setenv("AWS_ENDPOINT_URL", addr)
	t.Setenv("AWS_ACCESS_KEY_ID", id)
	t.Setenv("AWS_SECRET_ACCESS_KEY", key)
	cfg := awssm.Config{Account: account, Region: "us-east-1"}
	s := providertest.Store{Open: open(awssm.New(ctx, cfg)), Prefix: "contract/aws/", BadName: "contract/aws/a b", MaxValue: awssm.MaxValue}
	other := cfg
	other.Account = "999999999999" // good credentials, of another account than was meant
	s.Stranger = open(awssm.New(ctx, other))
	other = cfg
	other.Endpoint = "http://" + nobody(t)
	s.Away = open(awssm.New(ctx, other))
	if checks {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "not-the-key-of-anybody")
		s.Stranger = open(awssm.New(ctx, cfg))
	}
	providertest.Test(t, s)
}

// isolate keeps the machine's own settings and credentials out of a test.
func isolate(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "none"))
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// TestMoto runs the contract against an emulator that nobody here wrote.
func TestMoto(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import moto.server, flask_cors").Run() != nil {
		t.Skip("needs python3 with moto[server]")
	}
	addr := nobody(t)
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(python, "-m", "moto.server", "-H", host, "-p", port) //nolint:gosec // what was looked for
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := http.Get("http://" + addr + "/moto-api/data.json") //nolint:noctx // a probe
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("moto does not start")
		}
		time.Sleep(100 * time.Millisecond)
	}
	testAWS(t, "http://"+addr, "testing", "testing", "123456789012", false)
}

func TestGCP(t *testing.T) {
	d := startDev(t)
	isolate(t)
	d.setenv(t, "gcp")
	open := must[*gcpsm.Store](t)
	cfg := gcpsm.Config{Project: "dev", Endpoint: d.Env["gcp"]["GCP_SECRETMANAGER_ENDPOINT"], Roots: d.roots(t)}
	s := providertest.Store{Open: open(gcpsm.New(t.Context(), cfg)), Prefix: "contract-", BadName: "contract-a.b", MaxValue: gcpsm.MaxValue, Untyped: true}
	away := cfg
	away.Endpoint = nobody(t)
	s.Away = open(gcpsm.New(t.Context(), away))
	other := startDev(t) // whose service account the first one does not know
	other.setenv(t, "gcp")
	s.Stranger = open(gcpsm.New(t.Context(), cfg))
	providertest.Test(t, s)
}

func TestAzure(t *testing.T) {
	d := startDev(t)
	isolate(t)
	d.setenv(t, "azure")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.roots(t), MinVersion: tls.VersionTLS12}}}
	open := must[*azurekv.Store](t)
	cfg := azurekv.Config{URL: d.Env["azure"]["AZURE_KEYVAULT_URL"], HTTP: client}
	s := providertest.Store{Open: open(azurekv.New(cfg)), Prefix: "contract-", BadName: "contract-a_b", MaxValue: azurekv.MaxValue}
	s.Away = open(azurekv.New(azurekv.Config{URL: "https://" + nobody(t), HTTP: client}))
	t.Setenv("AZURE_CLIENT_SECRET", "not-the-secret-of-anybody") // the chain's first link takes it when it is made
	s.Stranger = open(azurekv.New(cfg))
	providertest.Test(t, s)
}

func TestVault(t *testing.T) {
	d := startDev(t)
	cfg := vault.Config{URL: "https" + strings.TrimPrefix(d.Addr, "http"), Token: secret.NewValue([]byte(d.Token)), Roots: d.roots(t)}
	open := func(c vault.Config) *vault.Store {
		s, rest, err := vault.Open(t.Context(), c, "secret/contract/")
		if err != nil || rest != "contract/" || s.Mount() != "secret" {
			t.Fatalf("opened %v with %q left: %v", s, rest, err)
		}
		return s
	}
	s := providertest.Store{Open: open(cfg), Prefix: "contract/", BadName: "contract/../a", MaxValue: secret.MaxValue - len(`{"value":""}`), Forgetful: true}
	s.Stranger = vault.New(vault.Config{URL: cfg.URL, Roots: cfg.Roots, Token: secret.NewValue([]byte("nobody's"))}, "secret", true)
	s.Away = vault.New(vault.Config{URL: "https://" + nobody(t), Roots: cfg.Roots}, "secret", true)
	providertest.Test(t, s)
}
