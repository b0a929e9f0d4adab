//go:build unix

package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// childRole says in the environment what a copy of the test binary is to be.
const childRole = "KEEPHOLD_LOAD_ROLE"

// The servers of a load run are processes of their own, copies of this binary, so that their use of the processor can be
// told from that of the load.
func TestMain(m *testing.M) {
	switch role := os.Getenv(childRole); role {
	case "":
		os.Exit(m.Run())
	default:
		if err := beChild(role); err != nil {
			fmt.Fprintln(os.Stderr, "load server:", err)
			os.Exit(1)
		}
	}
}

// order is how a child is furnished; it reads it as one line of JSON.
type order struct {
	Dir     string
	Secrets int
	Body    []byte // of the floor
	Cgroup  string // directory of a cgroup that the child goes into

	Tokens, Policies int  // ordinary tokens, of ten of the policies each
	Clouds           bool // the other dialects' Spaces and identities too
}

// folders is over how many folders the secrets are spread.
func (o order) folders() int { return max(o.Secrets/1000, 1) }

// greeting is what a child says when it serves.
type greeting struct {
	Addr, Token      string
	RoleID, SecretID string
	SealedRoleID     string // the role's tokens are sealed, not stored
	SealedSecretID   string
	Opened           float64 // seconds that it took to serve
	Clouds           clouds
}

// usage is what a child has used so far.
type usage struct {
	CPU       float64 // seconds
	System    float64 // seconds of that in the kernel
	Switches  int64   // of a thread that had nothing to do
	Anonymous int64   // bytes of memory, without the mapped store
	Mallocs   uint64
	Heap      uint64
}

func beChild(role string) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	if role == mortalRole {
		return beMortal(line)
	}
	var o order
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	if o.Cgroup != "" {
		if err := confine(o); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	var hello greeting
	answer := func(string) (any, error) { return nil, fmt.Errorf("no such order") }
	switch role {
	case "floor":
		hello, err = serveFloor(o, ended)
	case "keep":
		hello, err = serveKeep(ctx, o, ended)
	case "engine":
		answer, err = openBare(ctx, o)
		ended <- nil
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(hello); err != nil {
		return err
	}
	if err := obey(in, out, answer); err != nil {
		return err
	}
	stop()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		return fmt.Errorf("does not end")
	}
}

// confine puts this process into a cgroup. What others have read of the store goes from the page cache first: the pages
// count for who reads them in, and would not be bounded.
func confine(o order) error {
	err := filepath.WalkDir(o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return exec.Command("dd", "if="+path, "iflag=nocache", "count=0", "status=none").Run()
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.Cgroup, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// obey answers orders until its input ends.
func obey(in *bufio.Reader, out *json.Encoder, other func(string) (any, error)) error {
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var say any
		switch what := strings.TrimSpace(line); what {
		case "usage":
			say, err = used()
		case "profile":
			var f *os.File
			if f, err = os.CreateTemp("", "keephold-load-*.pprof"); err == nil {
				err = pprof.StartCPUProfile(f)
				say = f.Name()
			}
		case "stop profile":
			pprof.StopCPUProfile()
			say = "stopped"
		default:
			say, err = other(what)
		}
		if err != nil {
			return err
		}
		if err := out.Encode(say); err != nil {
			return err
		}
	}
}

func used() (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, err
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{CPU: seconds(r.Utime) + seconds(r.Stime), System: seconds(r.Stime), Switches: r.Nvcsw, Mallocs: m.Mallocs, Heap: m.HeapAlloc}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return u, nil // not Linux: memory is not measured there
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssAnon:")); ok {
			kib, err := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			u.Anonymous = kib << 10
			return u, err
		}
	}
	return u, nil
}

// serveFloor is the least that a Go HTTP server can do for the same bytes.
func serveFloor(o order, ended chan<- error) (greeting, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return greeting{}, err
	}
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"application/json"}
		_, _ = w.Write(o.Body)
	}
	go func() { _ = http.Serve(l, http.HandlerFunc(answer)) }() // until the process ends
	ended <- nil
	return greeting{Addr: l.Addr().String()}, nil
}

func serveKeep(ctx context.Context, o order, ended chan<- error) (greeting, error) {
	start := time.Now()
	d, err := OpenDev(ctx, DevConfig{Listen: []string{"127.0.0.1:0"}, Dir: o.Dir, Token: "hvs.load-0123456789abcdefghijklmnop"})
	if err != nil {
		return greeting{}, err
	}
	d.cfg.SignInRate = 1e6 // everybody here comes from one address
	if d.Server, err = New(d.cfg); err != nil {
		return greeting{}, err
	}
	go func() { ended <- d.Run(ctx) }()
	opened := time.Since(start).Seconds()
	if err := furnishSecrets(ctx, d.cfg.Keep.Desk, o.Secrets); err != nil {
		return greeting{}, err
	}
	if err := furnishTokens(ctx, d.cfg.Keep.Desk, o); err != nil {
		return greeting{}, err
	}
	hello := greeting{
		Addr: strings.TrimPrefix(d.Addr, "http://"), Token: string(d.Token.Reveal()), RoleID: d.RoleID,
		SecretID: string(d.SecretID.Reveal()), Opened: opened,
	}
	if err := sealedRole(ctx, d.cfg.Keep.Desk, &hello); err != nil {
		return greeting{}, err
	}
	if o.Clouds {
		err = furnishClouds(ctx, d, &hello)
	}
	return hello, err
}

// sealedRole makes a role that gives sealed tokens.
func sealedRole(ctx context.Context, desk *custody.Desk, hello *greeting) error {
	local, err := desk.Local()
	if err != nil {
		return err
	}
	m, ok := desk.Table().Mount("", "approle")
	if !ok {
		return fmt.Errorf("no approle mount")
	}
	mount := auth.Mount{Path: m.Name, Accessor: m.Accessor}
	_, err = custody.Do(ctx, desk, local, approle.WriteRole{Mount: mount, Role: "sealed", Change: func(r *approle.Role, _ bool) error {
		r.Token.Policies, r.Token.Type, r.Token.TTL = []string{"dev"}, "batch", time.Hour
		return nil
	}})
	if err != nil {
		return err
	}
	role, err := custody.Do(ctx, desk, local, approle.ReadRole{Mount: mount, Role: "sealed"})
	if err != nil {
		return err
	}
	made, err := custody.Do(ctx, desk, local, approle.NewSecretID{Mount: mount, Role: "sealed"})
	hello.SealedRoleID, hello.SealedSecretID = role.RoleID, string(made.SecretID.Reveal())
	return err
}

// furnishSecrets writes what is not there yet, through custody, as a client's writes would be.
func furnishSecrets(ctx context.Context, desk *custody.Desk, count int) error {
	local, err := desk.Local()
	if err != nil {
		return err
	}
	space := secret.Ref{Space: "secret"}
	if space.Path, err = secret.ParsePath(secretPath(uint64(count - 1))); err != nil {
		return err
	}
	if _, err := desk.Read(ctx, local, space); err == nil {
		return nil
	}
	return crowded(count, func(n int) error {
		ref := secret.Ref{Space: "secret"}
		ref.Path, _ = secret.ParsePath(secretPath(uint64(n)))
		_, err := desk.Write(ctx, local, ref, custody.Put{Value: secret.NewValue(secretData(uint64(n))), Kind: secret.Map})
		return err
	})
}

// furnishTokens makes the tokens and then the policies, so that the last policy says that all is there.
func furnishTokens(ctx context.Context, desk *custody.Desk, o order) error {
	local, err := desk.Local()
	if err != nil || o.Policies == 0 {
		return err
	}
	name := func(i int) string { return fmt.Sprintf("p-%04d", i%o.Policies) }
	if _, there := desk.Table().Policy("", name(o.Policies-1)); there {
		return nil
	}
	err = crowded(o.Tokens, func(n int) error {
		create := auth.Create{ID: auth.NewProof([]byte(ordinaryToken(n))), NoParent: true, TTL: 24 * time.Hour}
		for i := range 10 {
			create.Policies = append(create.Policies, name(n+i))
		}
		_, err := custody.Do(ctx, desk, local, create)
		return err
	})
	for i := range o.Policies {
		if err != nil {
			return err
		}
		text := fmt.Sprintf("path \"secret/data/team-%04d/*\" { capabilities = [\"read\"] }\npath \"secret/data/app-%d/+/config\" { capabilities = [\"read\", \"update\"] }\n", i%o.folders(), i)
		var policyName policy.Name
		if policyName, err = policy.NormalizeName(name(i)); err == nil {
			_, err = custody.Do(ctx, desk, local, registry.WritePolicy{Name: policyName, Text: text, Resource: "sys/policies/acl/" + name(i)})
		}
	}
	return err
}

func ordinaryToken(n int) string { return fmt.Sprintf("hvs.ordinary-%08d-0123456789abcdef", n) }

// crowded does something count times, by many at once.
func crowded(count int, do func(n int) error) error {
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for failure.Load() == nil {
				n := next.Add(1) - 1
				if n >= int64(count) {
					return
				}
				if err := do(int(n)); err != nil {
					failure.Store(&err)
				}
			}
		})
	}
	all.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}

// secretPath spreads n secrets over folders of 1,000.
func secretPath(n uint64) string { return fmt.Sprintf("team-%04d/service-%03d", n/1000, n%1000) }

// secretData makes an answer of about 500 bytes.
func secretData(n uint64) []byte {
	return fmt.Appendf(nil, `{"password":"%0128x","user":"service-%d","host":"db.internal"}`, n*0x9e3779b97f4a7c15, n)
}

// bareOps is what a write of a new version stores of the secret itself: its value and its head. The record of the
// act, and the check of the name, are what a keep adds.
func bareOps(n uint64) []store.Op {
	return []store.Op{
		{Key: fmt.Sprintf("v//%026x/%016x", n*0x9e3779b97f4a7c15, n), Value: make([]byte, 41+len(secretData(n)))},
		{Key: fmt.Sprintf("h//%026x", n*0x9e3779b97f4a7c15), Value: make([]byte, 330)},
	}
}

// openBare measures the engine alone, in its own process: "put C MILLISECONDS" answers a rate.
func openBare(ctx context.Context, o order) (func(string) (any, error), error) {
	k := new(Keep)
	if _, err := k.openEngine(&KeepConfig{Dir: o.Dir}); err != nil {
		return nil, err
	}
	var next atomic.Uint64
	return func(what string) (any, error) {
		var c, ms int
		if _, err := fmt.Sscanf(what, "put %d %d", &c, &ms); err != nil {
			return nil, err
		}
		var stop atomic.Bool
		var all sync.WaitGroup
		var count atomic.Int64
		var failure atomic.Pointer[error]
		start := time.Now()
		for range c {
			all.Go(func() {
				for !stop.Load() {
					if _, err := k.Engine.Apply(ctx, bareOps(next.Add(1)%10_000)); err != nil {
						failure.Store(&err)
						return
					}
					count.Add(1)
				}
			})
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		stop.Store(true)
		all.Wait()
		if err := failure.Load(); err != nil {
			return nil, *err
		}
		return float64(count.Load()) / time.Since(start).Seconds(), nil
	}, nil
}

// child is a server under load.
type child struct {
	greeting

	addr string
	in   io.WriteCloser
	out  *json.Decoder
}

// spawn starts a child that ends with the benchmark.
func spawn(b *testing.B, role string, o order) *child {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ch := &child{in: in, out: json.NewDecoder(out)}
	b.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	if err := json.NewEncoder(in).Encode(o); err != nil {
		b.Fatal(err)
	}
	if err := ch.out.Decode(&ch.greeting); err != nil {
		b.Fatal(err)
	}
	ch.addr = ch.Addr
	return ch
}

// order makes the child do something and reads what it says to that.
func (ch *child) order(b *testing.B, what string, answer any) {
	b.Helper()
	if _, err := io.WriteString(ch.in, what+"\n"); err != nil {
		b.Fatal(err)
	}
	if err := ch.out.Decode(answer); err != nil {
		b.Fatal(err)
	}
}

func (ch *child) usage(b *testing.B) (u usage) {
	b.Helper()
	ch.order(b, "usage", &u)
	return u
}
