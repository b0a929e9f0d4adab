package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a server of ours: the test binary itself, called by the command's name.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	addr  string
	token string
	talk  *output // stderr
	http  *http.Client
}

// output collects what a process says. It may be read meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func keephold(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, talk: new(output), http: &http.Client{
		Timeout:   2 * time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}}
	p.cmd = &exec.Cmd{Path: exe, Args: append([]string{"keephold"}, args...), Stderr: p.talk, Dir: t.TempDir()}
	t.Cleanup(func() { p.kill(syscall.SIGKILL) })
	return p
}

// devProcess starts a development server on a directory.
func devProcess(t *testing.T, dir string) *process {
	t.Helper()
	p := keephold(t, "dev", "--json", "--listen", "127.0.0.1:0", "--store", dir)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var said struct{ Addr, Token string }
	if err != nil || json.Unmarshal(line, &said) != nil {
		t.Fatalf("no greeting: %v: %s", err, p.talk)
	}
	p.addr, p.token = said.Addr, said.Token
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p
}

// kill ends the process by a signal and answers how it ended. A second call does nothing.
func (p *process) kill(sig syscall.Signal) (status syscall.WaitStatus) {
	if p.cmd.Process == nil || p.cmd.ProcessState != nil {
		return status
	}
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself
	_ = p.cmd.Wait()
	p.http.CloseIdleConnections()
	status, _ = p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status
}

// do sends one request. An error means that nobody knows what became of it.
func (p *process) do(method, path, body string, header ...string) (int, []byte, error) {
	rq, err := http.NewRequest(method, p.addr+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	rq.Header.Set("X-Vault-Token", p.token)
	for i := 0; i+1 < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	resp, err := p.http.Do(rq)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// must is do for what has to succeed; into, unless nil, takes the answer.
func (p *process) must(into any, method, path, body string, header ...string) {
	p.t.Helper()
	status, b, err := p.do(method, path, body, header...)
	if err != nil || status/100 != 2 {
		p.t.Fatalf("%s %s: %d %s %v\n%s", method, path, status, b, err, p.talk)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(b, into); err != nil {
		p.t.Fatal(fmt.Errorf("%s %s: %w: %s", method, path, err, b))
	}
}
