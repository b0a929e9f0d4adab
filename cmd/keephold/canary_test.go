//go:build linux

package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keephold/keephold/internal/seal/keyfile"
)

// canaries are values that must not be found anywhere. Each has characters that every encoding changes.
var canaries = []string{
	"canary-Zq8/\"w+é?&<T1",
	"canary-Vp3\\k=%7E {x}-T2",
}

// forms are the ways in which a value could leave.
func forms(value string) []string {
	quoted, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	all := []string{
		value, string(quoted[1 : len(quoted)-1]), strings.ReplaceAll(value, `"`, `\"`),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
		hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
		url.QueryEscape(value), url.PathEscape(value), fmt.Sprintf("%q", value), decimals(value),
	}
	for off := 1; off < 3; off++ { // inside a longer base64 text the value is shifted; its middle is the same in all
		shifted := base64.StdEncoding.EncodeToString(append(make([]byte, off), value...))
		all = append(all, shifted[4:len(shifted)-4])
	}
	return all
}

// channel is one way by which a value could leave, and something that is known to leave by it.
type channel struct {
	name    string
	text    string
	control string
}

// TestCanaries lets a server do everything it can with planted values, rightly and wrongly, and then looks for them in its
// logs, audit log, metrics, error answers and arguments.
func TestCanaries(t *testing.T) {
	p, auditDir := canaryServer(t)
	var errors strings.Builder
	for i, c := range canaries {
		plant(t, p, fmt.Sprintf("control-path-%d", i), c, &errors)
	}
	metrics := get(t, p.addr+"/metrics")
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	p.kill(syscall.SIGINT) // so that everything is written
	channels := []channel{
		{"log", p.talk.String(), "msg=listening"},
		{"audit log", everyFile(t, auditDir), "control-path-0"},
		{"metrics", metrics, "keephold_requests_total"},
		{"error answers", errors.String(), "control-route"},
		{"arguments", string(cmdline), "control-argument"},
	}
	for _, ch := range channels {
		if !strings.Contains(ch.text, ch.control) {
			t.Errorf("%s: the control %q is not found in %d bytes: this test looks in the wrong place", ch.name, ch.control, len(ch.text))
		}
		for i, c := range canaries {
			for n, form := range forms(c) {
				if at := strings.Index(ch.text, form); at >= 0 {
					t.Errorf("%s: canary %d in form %d: …%s…", ch.name, i, n, ch.text[max(0, at-200):at])
				}
			}
		}
	}
	t.Logf("looked in %d bytes of log, %d of audit, %d of metrics, %d of errors", len(channels[0].text), len(channels[1].text), len(metrics), errors.Len())
}

// canaryServer runs "keephold server" with everything logged, initialized and unsealed by its key file.
func canaryServer(t *testing.T) (*process, string) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := keyfile.Create(key); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "control-argument.toml")
	text := fmt.Sprintf("[[listener]]\naddress = \"127.0.0.1:0\"\nplaintext = true\n[storage]\nkind = \"bbolt\"\npath = %q\n"+
		"[seal]\nkind = \"keyfile\"\nkey_file = %q\n[log]\nlevel = \"debug\"\n[audit]\ndir = %q\n[limits]\nsign_in_rate = \"1000/s\"\n",
		filepath.Join(dir, "store"), key, filepath.Join(dir, "audit"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := keephold(t, "server", "--config", config)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	serves := regexp.MustCompile(`serves https?://(\S+)`)
	for until := time.Now().Add(2 * time.Minute); p.addr == ""; time.Sleep(10 * time.Millisecond) {
		if m := serves.FindStringSubmatch(p.talk.String()); m != nil {
			p.addr = "http://" + m[1]
		} else if time.Now().After(until) {
			t.Fatalf("the server does not serve: %s", p.talk)
		}
	}
	var made struct {
		Token string `json:"root_token"`
	}
	p.must(&made, "POST", "sys/init", `{}`)
	p.token = made.Token
	p.must(nil, "POST", "sys/mounts/secret", `{"type":"kv","options":{"version":"2"}}`)
	p.must(nil, "POST", "sys/mounts/old", `{"type":"kv","options":{"version":"1"}}`)
	p.must(nil, "POST", "sys/auth/userpass", `{"type":"userpass"}`)
	p.must(nil, "POST", "sys/auth/approle", `{"type":"approle"}`)
	return p, filepath.Join(dir, "audit")
}

// plant uses a value in every place that is made for one, and in many that are not. Refusals are collected.
func plant(t *testing.T, p *process, name, value string, refusals *strings.Builder) {
	t.Helper()
	v, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	data := fmt.Sprintf(`{"data":{"password":%s}}`, v)
	p.must(nil, "POST", "secret/data/"+name, data)
	p.must(nil, "GET", "secret/data/"+name, "")
	p.must(nil, "PATCH", "secret/data/"+name, data, "Content-Type", "application/merge-patch+json")
	p.must(nil, "GET", "secret/subkeys/"+name, "")
	p.must(nil, "POST", "old/"+name, fmt.Sprintf(`{"password":%s}`, v))
	p.must(nil, "GET", "old/"+name, "")
	p.must(nil, "POST", "cubbyhole/"+name, fmt.Sprintf(`{"password":%s}`, v))
	p.must(nil, "GET", "cubbyhole/"+name, "")
	var w struct {
		WrapInfo struct{ Token string } `json:"wrap_info"`
	}
	p.must(&w, "GET", "secret/data/"+name, "", "X-Vault-Wrap-TTL", "60s")
	p.must(nil, "POST", "sys/wrapping/unwrap", "", "X-Vault-Token", w.WrapInfo.Token)
	p.must(nil, "POST", "auth/userpass/users/"+name, fmt.Sprintf(`{"password":%s}`, v))
	p.must(nil, "POST", "auth/userpass/login/"+name, fmt.Sprintf(`{"password":%s}`, v))
	p.must(nil, "POST", "auth/approle/role/"+name, `{}`)

	wrong := func(method, path, body string, header ...string) {
		t.Helper()
		status, b, err := p.do(method, path, body, header...)
		if err != nil || status < 400 {
			t.Fatalf("%s %s is refused: got %d %s, %v", method, path, status, b, err)
		}
		refusals.Write(b)
	}
	wrong("GET", "control-route/x", "")
	wrong("POST", "secret/data/"+name, fmt.Sprintf(`{"options":{"cas":99},"data":{"password":%s}}`, v))
	wrong("POST", "secret/data/"+name, fmt.Sprintf(`{"data":{"password":%s`, v))
	wrong("POST", "secret/data/"+name, fmt.Sprintf(`{"data":%s}`, v))
	wrong("POST", "secret/data/"+name, fmt.Sprintf(`{"data":{"a":%s,"a":%s}}`, v, v))
	wrong("POST", "secret/data/"+name, fmt.Sprintf(`{"data":{"a":%q}}`, strings.Repeat(value, 60_000)))
	wrong("POST", "secret/data/"+name, data, "X-Vault-Token", url.QueryEscape(value))
	wrong("POST", "auth/userpass/login/"+name, fmt.Sprintf(`{"password":%s}`, mustJSON(t, "no "+value)))
	wrong("POST", "auth/userpass/login/nobody", fmt.Sprintf(`{"password":%s}`, v))
	wrong("POST", "auth/approle/login", fmt.Sprintf(`{"role_id":"x","secret_id":%s}`, v))
	wrong("POST", "auth/approle/role/"+name+"/custom-secret-id", fmt.Sprintf(`{"secret_id":%s}`, v))
	wrong("POST", "sys/wrapping/unwrap", fmt.Sprintf(`{"token":%s}`, v))
	wrong("POST", "auth/token/create", fmt.Sprintf(`{"id":%s,"period":"x"}`, v))
	wrong("POST", "sys/unsealed", fmt.Sprintf(`{"key":%s}`, v))
	wrong("POST", "sys/storage/raft/snapshot", value)
}

func mustJSON(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func get(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func everyFile(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNoCoreDump: a server that is told to abort leaves no core, though its parent would allow one.
func TestNoCoreDump(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	raised := limit
	raised.Cur = raised.Max
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &raised); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
			t.Error(err)
		}
	}()
	t.Setenv("GOTRACEBACK", "crash") // makes Go's runtime ask the kernel for a core
	p, _ := canaryServer(t)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	if err != nil || !regexp.MustCompile(`Max core file size +0 +0`).Match(status) {
		t.Errorf("limits: %v\n%s", err, status)
	}
	ended := p.kill(syscall.SIGABRT)
	if !ended.Signaled() || ended.CoreDump() {
		t.Errorf("ended with %#x, core %v", int(ended), ended.CoreDump())
	}
	cores, err := filepath.Glob(filepath.Join(p.cmd.Dir, "*core*"))
	if err != nil || len(cores) > 0 {
		t.Errorf("left behind: %q, %v", cores, err)
	}
}

// decimals is how a slice of bytes prints by mistake: "[104 117 110]".
func decimals(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(int(value[i])))
	}
	return "[" + b.String() + "]"
}
