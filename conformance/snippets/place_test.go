package snippets

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// place is one keep with what a program is run with.
type place struct {
	dir  string
	env  []string // of keephold and, so far as it is handed on, of the program
	arns struct{ Text, Binary string }
}

// newPlace is a project of somebody with a home of their own.
func newPlace(t *testing.T, env ...string) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{dir: dir, env: append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "KEEPHOLD_LOCAL_SEAL=keyfile"}, env...)}
	must(exec.Command("git", "init", "-q", dir).CombinedOutput())(t)
	write(t, filepath.Join(dir, ".env"), []byte("GREETING=hello\n"))
	write(t, filepath.Join(dir, "app.hcl"), []byte(policy))
	p.keephold(t, p.env, "init", "--yes")
	p.keephold(t, p.env, "import", ".env")
	return p
}

// furnish makes the Spaces and the identities, and has the vendors' SDKs write what is read.
func (p *place) furnish(t *testing.T) *place {
	t.Helper()
	p.keephold(t, p.env, "space", "make", "aws/000000000000/"+region, "--home", "aws")
	p.keephold(t, p.env, "space", "make", "gcp/p", "--home", "gcp")
	p.keephold(t, p.env, "space", "make", "azure/your-vault", "--home", "azure")
	p.keephold(t, p.env, "policy", "write", "app", "@app.hcl")
	for name, kind := range map[string][]string{
		"web-aws": {"aws-role"}, "key": {"aws-key"}, "web-gcp": {"gcp-sa", "--home", "p"}, "web-azure": {"azure-user"}, "app": {"azure-user", "--home", tenant},
	} {
		p.keephold(t, p.env, append([]string{"identity", "create", name, "--policy", "app", "--out", name + ".out", "--as"}, kind...)...)
	}
	args := []string{"run", "--intercept", "--as", "web-aws,web-gcp,web-azure", "--"}
	out := p.keephold(t, p.env, append(args, program(t, []string{"python", "seed.py"})...)...)
	if err := json.Unmarshal([]byte(out), &p.arns); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return p
}

// local is the keep of the person, in their home.
func local(t *testing.T) *place { return newPlace(t).furnish(t) }

// served is a keep on a server, by TLS of a CA of its own.
func served(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	addr := l.Addr().String()
	_ = l.Close()
	config := filepath.Join(dir, "keephold-server.toml")
	write(t, config, fmt.Appendf(nil, "[[listener]]\naddress = %q\n[storage]\nkind = \"bbolt\"\npath = %q\n[seal]\nkind = \"keyfile\"\nkey_file = %q\n",
		addr, filepath.Join(dir, "store"), filepath.Join(dir, "key")))
	c := exec.Command(binary(t), "server", "--config", config)
	stderr := must(c.StderrPipe())(t)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("the server: %v", err)
		}
	})
	ca := ""
	lines := bufio.NewScanner(stderr)
	for ca == "" && lines.Scan() {
		if _, file, ok := strings.Cut(lines.Text(), "KEEPHOLD_CACERT="); ok {
			ca = file
		}
	}
	go func() {
		for lines.Scan() { // or the server could not go on
		}
	}()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(ca))(t))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	var made struct {
		RootToken string `json:"root_token"`
	}
	rq := must(http.NewRequest(http.MethodPut, "https://"+addr+"/v1/sys/init", strings.NewReader(`{"recovery_shares": 1, "recovery_threshold": 1}`)))(t)
	answer := must(client.Do(rq))(t)
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.RootToken == "" {
		t.Fatalf("init: %s, %v", answer.Status, err)
	}
	return newPlace(t, "KEEPHOLD_ADDR=https://"+addr, "KEEPHOLD_CACERT="+ca, "KEEPHOLD_TOKEN="+made.RootToken).furnish(t)
}

// setting is one of the place's environment.
func (p *place) setting(name string) string {
	for _, pair := range p.env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			return v
		}
	}
	return ""
}

// credentials are a program's own, as its environment has them on a laptop or in a deployment.
func (p *place) credentials(t *testing.T) []string {
	t.Helper()
	env := []string{"AWS_REGION=" + region, "GOOGLE_APPLICATION_CREDENTIALS=" + filepath.Join(p.dir, "web-gcp.out")}
	for _, file := range []string{"key.out", "app.out"} {
		for pair := range strings.Lines(string(must(os.ReadFile(filepath.Join(p.dir, file)))(t))) {
			pair = strings.TrimSpace(pair)
			name, _, _ := strings.Cut(pair, "=")
			// What points at the keep is left out: these are what the program would have at the vendor's.
			if slices.Contains([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}, name) {
				env = append(env, pair)
			}
		}
	}
	return env
}

// keephold runs the command in the project and answers what it wrote to stdout.
func (p *place) keephold(t *testing.T, env []string, args ...string) string {
	t.Helper()
	c := exec.Command(binary(t), args...)
	c.Dir, c.Env = p.dir, env
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("keephold %s: %v\n%s%s", strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return strings.TrimRight(out.String(), "\n")
}

func binary(t *testing.T) string {
	t.Helper()
	b := os.Getenv("KEEPHOLD_BIN")
	if b == "" {
		t.Fatal("KEEPHOLD_BIN names no program to test")
	}
	return b
}

// program is how a program of the manuals is started: Python's with what scripts/conformance installed, Node's beside its
// packages, Go's built here.
func program(t *testing.T, argv []string) []string {
	t.Helper()
	wd := must(os.Getwd())(t)
	python := os.Getenv("KEEPHOLD_PYTHON")
	if python == "" {
		python = filepath.Join(wd, "..", "..", ".venv", "bin", "python")
	}
	switch argv[0] {
	case "python":
		return []string{python, filepath.Join(wd, "python", argv[1])}
	case "node":
		return []string{must(exec.LookPath("node"))(t), filepath.Join(wd, "..", "javascript", argv[1])}
	case "aws-cli":
		return append([]string{filepath.Join(filepath.Dir(python), "aws")}, argv[1:]...)
	}
	return []string{filepath.Join(built(t), argv[0])}
}

// built is where the programs in Go are, built once in a run: the directory is the test process's own.
func built(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("keephold-snippets-%d", os.Getpid()))
	if _, err := os.Stat(filepath.Join(dir, "aws")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", dir+"/", "./go/...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// TestMain removes what was built.
func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("keephold-snippets-%d", os.Getpid())))
	os.Exit(code)
}

// must is for calls that answer something: must(call())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
