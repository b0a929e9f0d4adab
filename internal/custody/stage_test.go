package custody_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// hands is a clock that a test sets.
type hands struct {
	mu sync.Mutex
	at time.Time
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hands) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// cloud is a house with the Space gcp/p, whose home dialect is Google's, and the secret "s" in it.
func cloud(t *testing.T) (*house, *hands, secret.Ref) {
	t.Helper()
	clock := &hands{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := newHouseAt(t, clock.now)
	ctx := context.Background()
	if _, err := custody.Do(ctx, h.Desk, h.root, registry.MakeSpace{Space: secret.Space{Name: "gcp/p", Home: secret.GCP, Versioned: true}}); err != nil {
		t.Fatal(err)
	}
	ref := cloudRef(t, "s")
	if _, err := h.Make(ctx, h.root, ref, "", custody.Configuration{}); err != nil {
		t.Fatal(err)
	}
	return h, clock, ref
}

func cloudRef(t *testing.T, name string) secret.Ref {
	t.Helper()
	p, err := secret.ParsePath(name)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Ref{Space: "gcp/p", Path: p}
}

func (h *house) add(ref secret.Ref, text string) uint64 {
	h.t.Helper()
	r, err := h.Write(context.Background(), h.root, ref, custody.Put{Value: secret.NewValue([]byte(text)), Existing: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return r.Version.Number
}

func TestMakeAndRevise(t *testing.T) {
	h, _, ref := cloud(t)
	ctx := context.Background()
	if _, err := h.Make(ctx, h.root, ref, "", custody.Configuration{}); !errors.Is(err, secret.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := h.Read(ctx, h.root, ref); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("read without a version: %v", err)
	}
	other := cloudRef(t, "other")
	if _, err := h.Write(ctx, h.root, other, custody.Put{Existing: true}); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("a version of nothing: %v", err)
	}
	h.add(ref, "one")
	h.add(ref, "two")
	facts, delay := []secret.Pair{{Key: "gcp.b", Value: "2"}, {Key: "gcp.a", Value: "1"}}, time.Hour
	head, err := h.Revise(ctx, h.root, ref, func(old *secret.Head) (custody.Configuration, error) {
		return custody.Configuration{Facts: &facts, DestroyDelay: &delay, Labels: []custody.Labelling{{Label: "blue", Number: 1}}}, nil
	})
	if err != nil || head.Revision != 2 || secret.Fact(head.Facts, "gcp.a") != "1" || head.Labelled("blue").Number != 1 {
		t.Fatalf("got %+v, %v", head, err)
	}
	if !slices.IsSortedFunc(head.Facts, func(a, b secret.Pair) int { return strings.Compare(a.Key, b.Key) }) {
		t.Error("the facts are not sorted")
	}
	_, err = h.Revise(ctx, h.root, ref, func(*secret.Head) (custody.Configuration, error) {
		return custody.Configuration{Labels: []custody.Labelling{{Label: "green", Number: 9}}}, nil
	})
	if !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("label on a version that is not there: %v", err)
	}
	refused := errors.New("changed")
	_, err = h.Revise(ctx, h.root, ref, func(*secret.Head) (custody.Configuration, error) { return custody.Configuration{}, refused })
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	head, err = h.Revise(ctx, h.root, ref, func(*secret.Head) (custody.Configuration, error) {
		return custody.Configuration{Labels: []custody.Labelling{{Label: "blue"}}}, nil
	})
	if err != nil || head.Labelled("blue") != nil || head.Revision != 3 {
		t.Errorf("got %+v, %v", head, err)
	}
	if _, err := h.Revise(ctx, h.root, other, func(*secret.Head) (custody.Configuration, error) { return custody.Configuration{}, nil }); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("revised nothing: %v", err)
	}
}

func TestSetState(t *testing.T) {
	h, _, ref := cloud(t)
	ctx := context.Background()
	ref.Number = h.add(ref, "one")
	set := func(to secret.State) error {
		head, n, err := h.SetState(ctx, h.root, ref, custody.Transition{To: to})
		if err == nil && (n != ref.Number || head.Find(n).State != to) {
			t.Errorf("to %s: got %s", to, head.Find(n).State)
		}
		return err
	}
	for _, to := range []secret.State{secret.Disabled, secret.Disabled, secret.Enabled, secret.Enabled, secret.Disabled} {
		if err := set(to); err != nil {
			t.Fatalf("to %s: %v", to, err)
		}
	}
	if _, err := h.Read(ctx, h.root, ref); !errors.Is(err, secret.ErrDisabled) {
		t.Errorf("read: %v", err)
	}
	no := errors.New("no")
	_, _, err := h.SetState(ctx, h.root, ref, custody.Transition{To: secret.Destroyed, Check: func(*secret.Head, *secret.Version) error { return no }})
	if !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := set(secret.Destroyed); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []secret.State{secret.Enabled, secret.Disabled} {
		if err := set(to); !errors.Is(err, secret.ErrDestroyed) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if n := h.add(ref.Latest(), "two"); n != 2 {
		t.Errorf("a number was used again: %d", n)
	}
	ref.Number = 7
	if err := set(secret.Disabled); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := set(secret.Deleted); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestDestroyDelay(t *testing.T) {
	h, clock, ref := cloud(t)
	ctx := context.Background()
	delay := 24 * time.Hour
	if _, err := h.Revise(ctx, h.root, ref, func(*secret.Head) (custody.Configuration, error) {
		return custody.Configuration{DestroyDelay: &delay}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.add(ref, "x")
	}
	destroy := func(n uint64) *secret.Head {
		r := ref
		r.Number = n
		head, _, err := h.SetState(ctx, h.root, r, custody.Transition{To: secret.Destroyed})
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	head := destroy(1)
	due := head.Find(1).Destroyed
	if head.Find(1).State != secret.Disabled || !due.Equal(clock.now().Add(delay)) {
		t.Fatalf("got %+v", head.Find(1))
	}
	clock.pass(time.Hour)
	if again := destroy(1); !again.Find(1).Destroyed.Equal(due) {
		t.Error("destroying again put it off")
	}
	destroy(2)
	if err := h.Destroy(ctx, h.root, ref, 3); err != nil { // as the Vault dialect asks
		t.Fatal(err)
	}
	two := ref
	two.Number = 2
	if head, _, err := h.SetState(ctx, h.root, two, custody.Transition{To: secret.Enabled}); err != nil || !head.Find(2).Destroyed.IsZero() {
		t.Fatalf("enabling takes it back: %v", err)
	}
	clock.pass(23*time.Hour + time.Second)
	one := ref
	one.Number = 1
	if _, _, err := h.SetState(ctx, h.root, one, custody.Transition{To: secret.Enabled}); !errors.Is(err, secret.ErrDestroyed) {
		t.Errorf("its time has come, and still: %v", err)
	}
	h.RunJobs(ctx)
	states := func() []secret.State {
		head, err := h.Describe(ctx, h.root, ref)
		if err != nil {
			t.Fatal(err)
		}
		return []secret.State{head.Versions[0].State, head.Versions[1].State, head.Versions[2].State}
	}
	if got, want := states(), []secret.State{secret.Destroyed, secret.Enabled, secret.Disabled}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	clock.pass(time.Hour)
	h.RunJobs(ctx)
	if got, want := states(), []secret.State{secret.Destroyed, secret.Enabled, secret.Destroyed}; !slices.Equal(got, want) {
		t.Errorf("later: got %v, want %v", got, want)
	}
	if r, err := h.Verify(ctx, h.root, func(uint64) {}); err != nil || len(r.Damage) > 0 {
		t.Errorf("verify: %+v, %v", r.Damage, err)
	}
	if !h.recorded("destroy-due") {
		t.Error("what the house did by itself is not in the log")
	}
}

func TestExpiry(t *testing.T) {
	h, clock, ref := cloud(t)
	ctx := context.Background()
	h.add(ref, "x")
	moved := cloudRef(t, "moved")
	at := func(after time.Duration) {
		t.Helper()
		when := clock.now().Add(after)
		if _, err := h.Revise(ctx, h.root, ref, func(*secret.Head) (custody.Configuration, error) {
			return custody.Configuration{ExpiresAt: &when}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	at(time.Hour)
	at(2 * time.Hour) // put off: what was due in an hour does nothing
	clock.pass(time.Hour + 2*time.Second)
	h.RunJobs(ctx)
	if _, err := h.Read(ctx, h.root, ref); err != nil {
		t.Fatalf("before it expires: %v", err)
	}
	if err := h.Move(ctx, h.root, ref, moved); err != nil {
		t.Fatal(err)
	}
	clock.pass(time.Hour)
	if _, err := h.Read(ctx, h.root, moved); !errors.Is(err, secret.ErrExpired) {
		t.Errorf("after: %v", err)
	}
	h.RunJobs(ctx)
	if _, err := h.Describe(ctx, h.root, moved); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	if !h.recorded("expire") {
		t.Error("not in the log")
	}
}

func TestExpungeAndInventory(t *testing.T) {
	h, _, ref := cloud(t)
	ctx := context.Background()
	names := []string{"a", "b", "c", "s"}
	for _, n := range names[:3] {
		if _, err := h.Make(ctx, h.root, cloudRef(t, n), "", custody.Configuration{}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	q := custody.Stocktaking{Space: "gcp/p", Limit: 3, Count: true}
	for {
		s, err := h.Inventory(ctx, h.root, q)
		if err != nil {
			t.Fatal(err)
		}
		if s.Count != 4 {
			t.Errorf("count %d", s.Count)
		}
		for _, i := range s.Items {
			got = append(got, i.Path.String())
		}
		if q.After = s.Next; q.After == "" {
			break
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("got %v", got)
	}
	s, err := h.Inventory(ctx, h.root, custody.Stocktaking{Space: "gcp/p", Keep: func(p secret.Path, _ *secret.Head) bool { return p.String() == "b" }})
	if err != nil || len(s.Items) != 1 || s.Count != -1 {
		t.Errorf("got %+v, %v", s, err)
	}
	no := errors.New("no")
	if err := h.Expunge(ctx, h.root, ref, func(*secret.Head) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if err := h.Expunge(ctx, h.root, ref, nil); err != nil {
		t.Fatal(err)
	}
	if err := h.Expunge(ctx, h.root, ref, nil); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// recorded says that the log has an act of that name; a change gets there a moment after its commit.
func (h *house) recorded(action string) bool {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		found, _, err := h.AuditSearch(context.Background(), h.root, audit.Query{}, 1000)
		if err != nil {
			h.t.Fatal(err)
		}
		if slices.ContainsFunc(found, func(e audit.Entry) bool { return e.Event.Action == action }) {
			return true
		}
	}
	return false
}
