package auth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/authtest"
	"github.com/keephold/keephold/internal/record"
)

// The records of tokens stand in the order in which the tokens were made, so that those of one moment share pages of the store.
func TestRecordsLieInTheOrderOfTime(t *testing.T) {
	r := authtest.New(t)
	var accessors, indexes, leases []string
	for range 200 {
		i := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
		accessors, leases = append(accessors, "acc/-/"+i.Accessor), append(leases, "les/-/"+i.Lease)
		indexes = append(indexes, "tok/"+as(r, i).Token().Index())
		r.Store.Advance(time.Millisecond)
	}
	stored := r.Store.Keys()
	for _, want := range [][]string{accessors, indexes, leases} {
		kind := want[0][:4]
		if got := slices.DeleteFunc(slices.Clone(stored), func(k string) bool { return !strings.HasPrefix(k, kind) }); !slices.Equal(got, want) {
			t.Errorf("%s: records are not in the order in which they were made", kind)
		}
	}
}

// A token from before the texts told their time lies under the keyed index alone, and is a token like any other.
func TestTokenFromBeforeTextsToldTheirTime(t *testing.T) {
	r := authtest.New(t)
	made := create(t, r, r.Root(), auth.Create{Policies: []string{"x"}})
	now := as(r, made).Token().Index()
	then := r.Store.Index(made.Token.Reveal())
	if !strings.HasSuffix(now, then) || len(now) == len(then) {
		t.Fatalf("the index %q is not the keyed index %q behind a time", now, then)
	}
	old, err := record.Get1(t.Context(), r.Store, "tok/"+now)
	if err != nil {
		t.Fatal(err)
	}
	changes := []record.Change{old.Remove(), {Key: "tok/" + then, Value: old.Value}, {Key: "acc/-/" + made.Accessor, Value: []byte(then)}}
	if err := r.Apply(changes); err != nil {
		t.Fatal(err)
	}
	for range 2 { // read, then kept
		if c := admitted(t, r, "a token from before", made); c.Token() != nil && c.Token().Index() != then {
			t.Errorf("index %q, want %q", c.Token().Index(), then)
		}
	}
	authtest.Must(t, r, r.Root(), auth.Lookup{Which: auth.ByToken(auth.NewProof(made.Token.Reveal()))})
	authtest.Must(t, r, r.Root(), auth.Revoke{Which: auth.ByToken(auth.NewProof(made.Token.Reveal()))})
	refused(t, r, "after it was revoked", made)
}
