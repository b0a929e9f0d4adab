package custody_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
	"github.com/keephold/keephold/internal/store/mem"
)

var errKilled = errors.New("the process was killed")

// mortal is an engine whose process dies at its k-th Apply: before it, or after it was durable and before anybody heard.
type mortal struct {
	store.Engine
	mu     sync.Mutex
	left   int // Applies until death; negative: immortal
	after  bool
	killed bool
	asked  int // Gets and Lists
}

func (m *mortal) Apply(ctx context.Context, ops []store.Op) (store.Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.killed {
		return 0, errKilled
	}
	if m.left == 0 {
		m.killed = true
		if m.after {
			if _, err := m.Engine.Apply(ctx, ops); err != nil {
				return 0, err
			}
		}
		return 0, errKilled
	}
	if m.left > 0 {
		m.left--
	}
	return m.Engine.Apply(ctx, ops)
}

func (m *mortal) Get(ctx context.Context, at store.Revision, keys ...string) ([]store.Entry, store.Revision, error) {
	if m.dead() {
		return nil, 0, errKilled
	}
	return m.Engine.Get(ctx, at, keys...)
}

func (m *mortal) List(ctx context.Context, q store.Query) ([]store.Entry, store.Revision, error) {
	if m.dead() {
		return nil, 0, errKilled
	}
	return m.Engine.List(ctx, q)
}

// dead is asked once for each question.
func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return m.killed
}

// clock is a time that a test moves on.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// keep is one store through the lives of several processes.
type keep struct {
	t      *testing.T
	engine *mem.Engine
	mortal *mortal
	desk   *custody.Desk
	log    *audit.Log
	clock  *clock
	end    func()

	auditDir string
	tidiers  map[string]custody.Tidier

	requests sync.RWMutex // held for reading by writers that run beside work
}

// start is a process that opens the store and dies at its n-th Apply; n < 0 lives.
func (k *keep) start(n int, after bool) {
	k.t.Helper()
	if k.end != nil {
		k.end()
	}
	var err error
	k.auditDir = k.t.TempDir() + "/audit"
	k.log, err = audit.Open(audit.Config{Dir: k.auditDir, Origin: "test"})
	if err != nil {
		k.t.Fatal(err)
	}
	k.mortal = &mortal{Engine: k.engine, left: n, after: after}
	desk, err := custody.Open(custody.Config{Engine: k.mortal, Log: k.log, Installation: "test", Node: "n1", Now: k.clock.now, Tidiers: k.tidiers})
	if err != nil {
		k.t.Fatal(err)
	}
	k.desk = desk
	log := k.log
	k.end = sync.OnceFunc(func() {
		_ = desk.Close(context.Background()) // a dead process closes nothing in order
		_ = log.Close()
	})
	k.t.Cleanup(k.end) // after TempDir's own, so that it runs before the directory goes
}

func newKeep(t *testing.T) *keep {
	k := &keep{t: t, engine: mem.New(), clock: &clock{at: time.Now()}}
	k.start(-1, false)
	return k
}

// copyOf is another keep with the same bytes.
func (k *keep) copyOf() *keep {
	k.t.Helper()
	c := &keep{t: k.t, engine: mem.New(), clock: &clock{at: k.clock.now()}}
	entries, _, err := k.engine.List(k.t.Context(), store.Query{})
	if err != nil {
		k.t.Fatal(err)
	}
	for chunk := range slices.Chunk(entries, store.MaxOps) {
		var ops []store.Op
		for _, e := range chunk {
			ops = append(ops, store.Op{Key: e.Key, Value: e.Value})
		}
		if _, err := c.engine.Apply(k.t.Context(), ops); err != nil {
			k.t.Fatal(err)
		}
	}
	return c
}

func (k *keep) found(shares, threshold int) (parts [][]byte) {
	k.t.Helper()
	made, err := k.desk.Found(k.t.Context(), auth.Caller{}, custody.Founding{Shares: custody.Split{Shares: shares, Threshold: threshold}})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, s := range made.Shares.Shares {
		parts = append(parts, s.Reveal())
	}
	return parts
}

// unseal says whether these shares open the keep.
func (k *keep) unseal(parts [][]byte) error {
	for _, p := range parts {
		if _, err := k.desk.UnsealShare(k.t.Context(), auth.Caller{}, slices.Clone(p)); err != nil {
			return err
		}
	}
	if k.desk.Sealed() {
		return errors.New("still sealed")
	}
	return nil
}

func (k *keep) local() auth.Caller {
	k.t.Helper()
	c, err := k.desk.Local()
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

// known is the caller that a token makes.
func (k *keep) known(issued auth.Issued) auth.Caller {
	return k.desk.Authenticate(k.t.Context(), auth.Credential{Token: auth.NewProof(issued.Token.Reveal())})
}

func ref(t *testing.T, path string) secret.Ref {
	p, err := secret.ParsePath(path)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Ref{Space: "secret", Path: p}
}

func (k *keep) put(path, value string) {
	k.t.Helper()
	if _, err := k.desk.Write(k.t.Context(), k.local(), ref(k.t, path), custody.Put{Value: secret.NewValue([]byte(value)), Kind: secret.Map}); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keep) check(path, want string) {
	k.t.Helper()
	r, err := k.desk.Read(k.t.Context(), k.local(), ref(k.t, path))
	if err != nil || !r.Value.Equal(secret.NewValue([]byte(want))) {
		k.t.Fatalf("read %s: %v", path, err)
	}
}

// work lets the house do its jobs: through the passes, the grace and the retirement.
func (k *keep) work(rounds int) error {
	for range rounds {
		if err := k.desk.WorkOnce(k.t.Context()); err != nil {
			return err
		}
		// No request lives for eleven minutes, so none may straddle them here: a writer that sealed under a term must
		// have committed before the term can be retired.
		k.requests.Lock()
		k.clock.pass(11 * time.Minute)
		k.requests.Unlock()
	}
	return nil
}

// terms lists the terms under which something is sealed: the fourth to fifth byte of every record name it.
func (k *keep) terms() []byte {
	k.t.Helper()
	entries, _, err := k.engine.List(k.t.Context(), store.Query{})
	if err != nil {
		k.t.Fatal(err)
	}
	found := map[byte]bool{}
	for _, e := range entries {
		switch e.Key[:2] {
		case "h/", "n/", "r/":
			found[e.Value[4]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// furnished is a store with shares and enough secrets that a sweep takes several pages.
func furnished(t *testing.T) (*keep, [][]byte) {
	t.Helper()
	k := newKeep(t)
	parts := k.found(2, 2)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeSpace{Space: secret.Space{Name: "secret", Versioned: true}}); err != nil {
		t.Fatal(err)
	}
	for i := range 70 {
		k.put(fmt.Sprintf("app/%03d", i), fmt.Sprintf(`{"n":"%d"}`, i))
	}
	return k, parts
}

func TestRotationMovesEverything(t *testing.T) {
	k, parts := furnished(t)
	if err := k.desk.Rotate(t.Context(), k.local(), "sys/rotate"); err != nil {
		t.Fatal(err)
	}
	k.put("app/new", `{"n":"new"}`)
	if err := k.work(5); err != nil {
		t.Fatal(err)
	}
	if got := k.terms(); !slices.Equal(got, []byte{2}) {
		t.Errorf("sealed under terms %v after a rotation, want only 2", got)
	}
	s, err := k.desk.KeyStatus(t.Context(), k.local(), "sys/key-status")
	if err != nil || s.Term != 2 || s.Rotating {
		t.Errorf("key status: %+v, %v", s, err)
	}
	k.start(-1, false)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	for i := range 70 {
		k.check(fmt.Sprintf("app/%03d", i), fmt.Sprintf(`{"n":"%d"}`, i))
	}
	k.check("app/new", `{"n":"new"}`)
}

// TestRotationKilledAtEveryStep lets the process die at each Apply of a rotation and its sweep, both before the commit
// and after it. The store must open with the same shares, answer everything, and finish the job.
func TestRotationKilledAtEveryStep(t *testing.T) {
	base, parts := furnished(t)
	for _, after := range []bool{false, true} {
		for step := 0; ; step++ {
			k := base.copyOf()
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatal(err)
			}
			k.mortal.mu.Lock()
			k.mortal.left, k.mortal.after = step, after
			k.mortal.mu.Unlock()
			err := k.desk.Rotate(t.Context(), k.local(), "sys/rotate")
			if err == nil {
				err = k.work(5)
			}
			died := k.mortal.dead()
			if err != nil && !died {
				t.Fatalf("step %d: %v", step, err)
			}
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatalf("killed at step %d (after the commit: %v), the store does not open: %v", step, after, err)
			}
			k.check("app/000", `{"n":"0"}`)
			if err := k.work(6); err != nil {
				t.Fatalf("killed at step %d: the job does not resume: %v", step, err)
			}
			terms := k.terms()
			if len(terms) != 1 || step > 0 && terms[0] != 2 {
				t.Fatalf("killed at step %d (after: %v): sealed under terms %v at the end", step, after, terms)
			}
			for i := range 70 {
				k.check(fmt.Sprintf("app/%03d", i), fmt.Sprintf(`{"n":"%d"}`, i))
			}
			k.end()
			if !died {
				if step < 6 {
					t.Fatalf("the rotation took only %d steps", step)
				}
				break
			}
		}
	}
}

// TestRekeyKilledAtEveryStep: after a kill either the old shares open the store or the new ones do, never neither and
// never both.
func TestRekeyKilledAtEveryStep(t *testing.T) {
	base, parts := furnished(t)
	for _, verify := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for step := 0; ; step++ {
				k := base.copyOf()
				k.start(-1, false)
				if err := k.unseal(parts); err != nil {
					t.Fatal(err)
				}
				k.mortal.mu.Lock()
				k.mortal.left, k.mortal.after = step, after
				k.mortal.mu.Unlock()
				var fresh [][]byte
				custody.TapShares(k.desk, func(p [][]byte) { fresh = p })
				err := k.rekey(parts, verify)
				died := k.mortal.dead()
				if err != nil && !died {
					t.Fatalf("step %d: %v", step, err)
				}
				k.start(-1, false)
				old := k.unseal(parts)
				k.start(-1, false)
				young := errors.New("no new shares were made")
				if fresh != nil {
					young = k.unseal(fresh)
				}
				if (old == nil) == (young == nil) {
					t.Fatalf("killed at step %d (verify %v, after %v): old shares: %v, new shares: %v; want exactly one of them to open", step, verify, after, old, young)
				}
				if !died && young != nil {
					t.Fatalf("a finished rekey: new shares: %v", young)
				}
				if young != nil {
					k.start(-1, false)
					if err := k.unseal(parts); err != nil {
						t.Fatal(err)
					}
				}
				k.check("app/000", `{"n":"0"}`)
				k.end()
				if !died {
					break
				}
			}
		}
	}
}

func (k *keep) rekey(parts [][]byte, verify bool) error {
	ctx, c := k.t.Context(), k.local()
	s, _, err := k.desk.RekeyStart(ctx, c, "sys/rekey/init", custody.UnsealKey, custody.Rekey{Split: custody.Split{Shares: 1, Threshold: 1}, Verify: verify})
	if err != nil {
		return err
	}
	var made *custody.Rekeyed
	for _, p := range parts {
		if _, made, err = k.desk.RekeyUpdate(ctx, c, "sys/rekey/update", custody.UnsealKey, s.Nonce, slices.Clone(p)); err != nil {
			return err
		}
	}
	if !verify {
		return nil
	}
	_, err = k.desk.RekeyVerify(ctx, c, "sys/rekey/verify", custody.UnsealKey, made.VerifyNonce, slices.Clone(made.Parts.Shares[0].Reveal()))
	return err
}

// TestFoundingKilled: a kill while the keys are made leaves a store that is initialized or one that is not.
func TestFoundingKilled(t *testing.T) {
	for _, after := range []bool{false, true} {
		k := &keep{t: t, engine: mem.New(), clock: &clock{at: time.Now()}}
		k.start(0, after)
		var parts [][]byte
		custody.TapShares(k.desk, func(p [][]byte) { parts = p })
		_, err := k.desk.Found(t.Context(), auth.Caller{}, custody.Founding{Shares: custody.Split{Shares: 1, Threshold: 1}})
		if err == nil {
			t.Fatal("survived its death")
		}
		k.start(-1, false)
		if done, err := k.desk.Initialized(t.Context()); err != nil || done != after {
			t.Fatalf("initialized: %v, %v; want %v", done, err, after)
		}
		if !after {
			parts = k.found(1, 1)
		}
		if err := k.unseal(parts); err != nil {
			t.Errorf("after %v: %v", after, err)
		}
		k.end()
	}
}

// TestRootTokenKilledAtEveryStep: the kill leaves no half token, and the shares still make one.
func TestRootTokenKilledAtEveryStep(t *testing.T) {
	base, parts := furnished(t)
	for _, after := range []bool{false, true} {
		for step := 0; ; step++ {
			k := base.copyOf()
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatal(err)
			}
			k.mortal.mu.Lock()
			k.mortal.left, k.mortal.after = step, after
			k.mortal.mu.Unlock()
			_, err := k.rootToken(parts)
			died := k.mortal.dead()
			if (err == nil) == died {
				t.Fatalf("step %d: died %v, %v", step, died, err)
			}
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatal(err)
			}
			token, err := k.rootToken(parts)
			if err != nil {
				t.Fatalf("killed at step %d: %v", step, err)
			}
			c := k.desk.Authenticate(t.Context(), auth.Credential{Token: auth.NewProof(token.Reveal())})
			if _, err := k.desk.KeyStatus(t.Context(), c, "sys/key-status"); err != nil {
				t.Errorf("the token is good for nothing: %v", err)
			}
			k.end()
			if !died {
				break
			}
		}
	}
}

func (k *keep) rootToken(parts [][]byte) (secret.Value, error) {
	ctx := k.t.Context()
	s, err := k.desk.RootStart(ctx, auth.Caller{}, slices.Clone(parts[0]), custody.RootPlan{OTP: secret.NewValue([]byte("pad"))})
	if err != nil {
		return secret.Value{}, err
	}
	var made *custody.RootMade
	for _, p := range parts {
		if _, made, err = k.desk.RootUpdate(ctx, auth.Caller{}, s.Nonce, slices.Clone(p)); err != nil {
			return secret.Value{}, err
		}
	}
	return made.Token, nil
}

// TestWritesDuringSweep: a user's write always wins over the sweep, and none is lost.
func TestWritesDuringSweep(t *testing.T) {
	k, parts := furnished(t)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	last := make([]int, 8)
	for w := range last {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				k.requests.RLock()
				_, err := k.desk.Write(t.Context(), k.local(), ref(t, fmt.Sprintf("app/%03d", w*11)), custody.Put{Value: secret.NewValue(fmt.Appendf(nil, `{"w":%d}`, i)), Kind: secret.Map})
				k.requests.RUnlock()
				if err != nil {
					t.Error(err)
					return
				}
				last[w] = i
			}
		})
	}
	for range 3 {
		if err := k.desk.Rotate(t.Context(), k.local(), "sys/rotate"); err != nil {
			t.Error(err)
		}
		if err := k.work(3); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := k.work(6); err != nil {
		t.Fatal(err)
	}
	if got := k.terms(); !slices.Equal(got, []byte{4}) {
		t.Errorf("sealed under terms %v, want only 4", got)
	}
	k.start(-1, false)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	for w, i := range last {
		k.check(fmt.Sprintf("app/%03d", w*11), fmt.Sprintf(`{"w":%d}`, i))
	}
	k.check("app/069", `{"n":"69"}`)
	if n := k.desk.Damaged(); n != 0 {
		t.Errorf("%d records counted as damaged", n)
	}
}
