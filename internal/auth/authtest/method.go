package authtest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// Harness is what TestMethod needs of a method: sign-ins that must succeed and that must not, all of one mount.
type Harness struct {
	From    auth.From
	Good    func() auth.Method
	Wrong   func() auth.Method // a known name with a wrong proof
	Unknown func() auth.Method // an unknown name
	Calls   func() uint64      // key derivations so far; nil when the method has none
}

// cost is what can be counted of a sign-in.
type cost struct {
	records, lists, changes int
	calls                   uint64
}

// TestMethod checks the contract of auth.Method.
func TestMethod(t *testing.T, open func(t *testing.T) (*Rig, Harness)) {
	t.Run("a good sign-in gives a token that is admitted", func(t *testing.T) {
		r, h := open(t)
		got, err := r.SignIn(h.Good(), h.From)
		if err != nil {
			t.Fatal(err)
		}
		if got.Token.Len() == 0 || got.Entity == "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("unknown and wrong read the same and cost the same", func(t *testing.T) {
		r, h := open(t)
		wrong, unknown := h.refusal(t, r, h.Wrong()), h.refusal(t, r, h.Unknown())
		if wrong != unknown {
			t.Errorf("wrong costs %+v, unknown %+v", wrong, unknown)
		}
	})
	t.Run("SignIn changes nothing by itself", func(t *testing.T) {
		r, h := open(t)
		before := r.Store.Keys()
		for _, m := range []auth.Method{h.Good(), h.Wrong(), h.Unknown()} {
			_, _, _ = m.SignIn(context.Background(), r.Store, h.From)
		}
		if after := r.Store.Keys(); !slices.Equal(before, after) {
			t.Errorf("keys before %v, after %v", before, after)
		}
	})
	t.Run("a store that does not answer is not a refusal", func(t *testing.T) {
		r, h := open(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, m := range []auth.Method{h.Good(), h.Wrong(), h.Unknown()} {
			if _, _, err := m.SignIn(ctx, r.Store, h.From); err == nil || errors.Is(err, secret.ErrSignIn) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func (h Harness) refusal(t *testing.T, r *Rig, m auth.Method) cost {
	t.Helper()
	records, lists := r.Store.Reads()
	calls := h.calls()
	s, changes, err := m.SignIn(context.Background(), r.Store, h.From)
	if !errors.Is(err, secret.ErrSignIn) {
		t.Errorf("%v does not wrap ErrSignIn", err)
	}
	if !reflect.DeepEqual(s, auth.SignIn{}) {
		t.Errorf("a token beside an error: %+v", s)
	}
	records2, lists2 := r.Store.Reads()
	return cost{records2 - records, lists2 - lists, len(changes), h.calls() - calls}
}

func (h Harness) calls() uint64 {
	if h.Calls == nil {
		return 0
	}
	return h.Calls()
}
