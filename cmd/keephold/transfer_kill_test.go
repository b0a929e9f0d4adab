//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTransferKilled brings secrets to another keep and back through each provider, and kills each transfer twice on the way. In the
// end both sides are equal; no value was said by anybody, nor left in a file. TRANSFER_SECRETS makes it as large as one likes.
func TestTransferKilled(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 60
	}
	if s := os.Getenv("TRANSFER_SECRETS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, dialect := range []string{"aws", "gcp", "azure", "vault"} {
		t.Run(dialect, func(t *testing.T) {
			h := newHaul(t, dialect, n)
			h.transfer("push", h.address, "secret/out")
			h.equal(h.here, "secret/out/", h.there, h.foreign)
			h.change()
			h.transfer("sync", h.address, "secret/out")
			h.equal(h.here, "secret/out/", h.there, h.foreign)
			h.transfer("pull", h.address, "secret/back")
			h.equal(h.here, "secret/back/", h.there, h.foreign)
			h.quiet()
		})
	}
}

// haul is two keeps and what goes between them.
type haul struct {
	t           *testing.T
	n           int
	here, there *process
	address     string   // as the command line of here calls the store there
	foreign     string   // the same, as there calls it
	home        string   // everything that a command may leave lies below it
	env         []string // of the commands
	said        bytes.Buffer
}

// mark is in every value.
const mark = "canary-9b74c9897bac770f"

func newHaul(t *testing.T, dialect string, n int) *haul {
	t.Helper()
	h := &haul{t: t, n: n, home: t.TempDir()}
	var ready map[string]json.RawMessage
	h.here, _ = devWith(t)
	h.there, ready = devWith(t)
	var vars map[string]map[string]string
	var ca string
	if err := json.Unmarshal(ready["env"], &vars); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(ready["ca_file"], &ca); err != nil {
		t.Fatal(err)
	}
	h.env = append(os.Environ(), "HOME="+h.home, "XDG_DATA_HOME=", "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=", "TMPDIR="+h.home, "KEEPHOLD_ADDR="+h.here.addr, "KEEPHOLD_TOKEN="+h.here.token,
		"SSL_CERT_FILE="+ca, belowTests+"=1")
	for name, value := range vars[dialect] {
		h.env = append(h.env, name+"="+value)
	}
	switch dialect {
	case "aws":
		h.address, h.foreign = "aws://000000000000/us-east-1/haul/", "aws/000000000000/us-east-1/haul/"
	case "gcp":
		h.address, h.foreign = "gcp://dev/haul-", "gcp/dev/haul-"
	case "azure":
		h.address, h.foreign = "azure://dev/haul-", "azure/dev/haul-"
	case "vault":
		h.env = append(h.env, "VAULT_TOKEN="+h.there.token)
		h.address, h.foreign = "vault://"+strings.TrimPrefix(h.there.addr, "http://")+"/secret/haul/", "secret/haul/"
	}
	h.each(n, func(i int) { h.put(h.here, "secret/out/"+name(i), fmt.Sprint("first ", i)) })
	return h
}

func name(i int) string { return fmt.Sprintf("s-%05d", i) }

// devWith is a development server in memory, with everything that it says.
func devWith(t *testing.T) (*process, map[string]json.RawMessage) {
	t.Helper()
	p := keephold(t, "dev", "--json", "--listen", "127.0.0.1:0")
	p.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), belowTests+"=1")
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready map[string]json.RawMessage
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatalf("%v\n%s", err, p.talk)
	}
	for key, dst := range map[string]*string{"addr": &p.addr, "token": &p.token} {
		if err := json.Unmarshal(ready[key], dst); err != nil {
			t.Fatal(err)
		}
	}
	return p, ready
}

// each does n things, some at once.
func (h *haul) each(n int, do func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// put stores text: what every store takes over as it is.
func (h *haul) put(p *process, path, text string) {
	status, body, err := p.do(http.MethodPut, "keephold/value/"+path, fmt.Sprintf(`{"text": %q}`, mark+" "+text))
	if err != nil || status != http.StatusOK {
		h.t.Errorf("%s: %d %s %v", path, status, body, err)
	}
}

// change writes some secrets on one side and some on the other, and makes new ones on both.
func (h *haul) change() {
	some := max(h.n/10, 12)
	h.each(some, func(i int) {
		h.put(h.here, "secret/out/"+name(2*i), fmt.Sprint("changed here ", i))
		h.put(h.there, h.foreign+name(2*i+1), fmt.Sprint("changed there ", i))
		h.put(h.here, "secret/out/"+name(h.n+2*i), fmt.Sprint("new here ", i))
		h.put(h.there, h.foreign+name(h.n+2*i+1), fmt.Sprint("new there ", i))
	})
	h.n += 2 * some
}

// transfer runs a command, kills it twice when it has done some of its work, and lets it end the third time.
func (h *haul) transfer(args ...string) {
	h.t.Helper()
	began := time.Now()
	kills := 0
	for range 2 {
		if h.killed(args) {
			kills++
		}
	}
	cmd := h.command(args)
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("%v: %v\n%s", args, err, h.said.String())
	}
	if kills == 0 {
		h.t.Errorf("%v was never killed on its way: the test is too small", args)
	}
	h.t.Logf("%s of %d secrets, killed %d times: %v", args[0], h.n, kills, time.Since(began).Round(time.Millisecond))
}

func (h *haul) command(args []string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	return &exec.Cmd{Path: exe, Args: append([]string{"keephold"}, args...), Env: h.env, Dir: h.home, Stdout: &h.said, Stderr: &h.said}
}

// killed runs a command and kills it after the journal has grown by some lines; false says that the command was faster.
func (h *haul) killed(args []string) bool {
	before := h.lines()
	cmd := h.command(args)
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				h.t.Fatalf("%v: %v\n%s", args, err, h.said.String())
			}
			return false
		case <-time.After(2 * time.Millisecond):
			if h.lines() >= before+8 {
				_ = cmd.Process.Kill()
				return <-ended != nil
			}
		}
	}
}

// lines counts what the journals say.
func (h *haul) lines() (n int) {
	all, _ := filepath.Glob(filepath.Join(h.home, ".local", "share", "keephold", "transfers", "*"))
	for _, file := range all {
		b, err := os.ReadFile(file)
		if err == nil {
			n += bytes.Count(b, []byte("\n"))
		}
	}
	return n
}

// equal compares every value of both sides, as their own servers tell them.
func (h *haul) equal(p *process, folder string, q *process, other string) {
	h.t.Helper()
	var mu sync.Mutex
	differ := 0
	h.each(h.n, func(i int) {
		a, b := h.text(p, folder+name(i)), h.text(q, other+name(i))
		if a != b || !strings.HasPrefix(a, mark) {
			mu.Lock()
			defer mu.Unlock()
			differ++
		}
	})
	if differ > 0 {
		h.t.Fatalf("%d of %d secrets differ", differ, h.n)
	}
}

// text is a secret's value, however the keep has it: a text, or a map with the one member of a text.
func (h *haul) text(p *process, path string) string {
	var out struct {
		Data struct {
			Text *string
			Map  struct{ Value string }
		}
	}
	status, body, err := p.do(http.MethodGet, "keephold/value/"+path, "")
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &out) != nil {
		h.t.Errorf("%s: %d %v", path, status, err)
		return ""
	}
	if out.Data.Text != nil {
		return *out.Data.Text
	}
	return out.Data.Map.Value
}

// quiet says that no value was printed, and that none lies in a file.
func (h *haul) quiet() {
	h.t.Helper()
	if strings.Contains(h.said.String(), mark) {
		h.t.Error("a command printed a value")
	}
	err := filepath.WalkDir(h.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was read
		b, err := io.ReadAll(f)
		if bytes.Contains(b, []byte(mark)) {
			h.t.Errorf("%s holds a value", path)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}
