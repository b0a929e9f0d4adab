package custody_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// lastRead is the newest record of a read, from a place in the log on.
func (h *house) lastRead(from uint64) (last audit.Event) {
	h.t.Helper()
	for e, err := range h.log.Events(h.t.Context(), from) {
		if err != nil {
			h.t.Fatal(err)
		}
		if e.Event.Action == "read" {
			last = e.Event
		}
	}
	return last
}

// TestReadFolderInParts reads an environment with grants on some of its keys: those are handed out and named in the record,
// whatever else is there is neither, and a folder of which nothing may be read is refused like one that does not exist.
func TestReadFolderInParts(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	space := func(name string, protected bool) secret.Ref {
		settings := secret.SpaceSettings{Protected: protected}
		if _, err := custody.Do(ctx, h.Desk, h.root, registry.MakeSpace{Space: secret.Space{Name: name, Versioned: true, Settings: settings}}); err != nil {
			t.Fatal(err)
		}
		return secret.Ref{Space: name}
	}
	write := func(ref secret.Ref, name string) {
		var err error
		if ref.Path, err = secret.ParsePath(name); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Write(ctx, h.root, ref, custody.Put{Value: secret.NewValue([]byte("value of " + name)), Kind: secret.Text}); err != nil {
			t.Fatal(err)
		}
	}
	prod, plain := space("shop/prod", true), space("shop/dev", false)
	for _, ref := range []secret.Ref{prod, plain} {
		for _, name := range []string{"A", "B", "C"} {
			write(ref, name)
		}
	}
	gone := prod
	gone.Path, _ = secret.ParsePath("C")
	if err := h.Delete(ctx, h.root, gone); err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		policy  string
		ref     secret.Ref
		want    []string
		partial bool
		err     error
	}{
		"one key of a protected Space": {`path "shop/prod/data/A" { capabilities = ["read"] }`, prod, []string{"A"}, true, nil},
		"two keys":                     {`path "shop/dev/data/A" { capabilities = ["read"] } path "shop/dev/data/C" { capabilities = ["read"] }`, plain, []string{"A", "C"}, true, nil},
		"a key that is not there":      {`path "shop/prod/data/OTHER" { capabilities = ["read"] }`, prod, nil, false, secret.ErrDenied},
		"a key that was deleted":       {`path "shop/prod/data/C" { capabilities = ["read"] }`, prod, nil, true, secret.ErrNotFound},
		"its names only":               {`path "shop/dev/metadata/*" { capabilities = ["list", "read"] }`, plain, nil, false, secret.ErrDenied},
		"writing only":                 {`path "shop/dev/data/*" { capabilities = ["create", "update"] }`, plain, nil, false, secret.ErrDenied},
		"a wildcard on a protected":    {`path "shop/*" { capabilities = ["read"] }`, prod, nil, false, secret.ErrDenied},
		"nothing":                      {`path "secret/data/A" { capabilities = ["read"] }`, plain, nil, false, secret.ErrDenied},
		"a Space that is not there":    {`path "shop/none/data/A" { capabilities = ["read"] }`, secret.Ref{Space: "shop/none"}, nil, false, secret.ErrDenied},
		"all of it":                    {`path "shop/dev/*" { capabilities = ["read"] }`, plain, []string{"A", "B", "C"}, false, nil},
		"all but one":                  {`path "shop/dev/*" { capabilities = ["read"] } path "shop/dev/data/B" { capabilities = ["deny"] }`, plain, []string{"A", "C"}, true, nil},
		"all but each":                 {`path "shop/dev/data/" { capabilities = ["read"] } path "shop/dev/data/+" { capabilities = ["deny"] }`, plain, nil, true, secret.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			dev, before := h.devWith(tt.policy), h.log.Size()
			r, err := h.ReadFolder(ctx, dev, tt.ref, 10)
			if !errors.Is(err, tt.err) || err != nil && tt.err == nil {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			var got []string
			for _, c := range r.Children {
				got = append(got, c.Name)
			}
			if !slices.Equal(got, tt.want) || r.Partial != tt.partial {
				t.Errorf("got %q, partial %v, want %q, %v", got, r.Partial, tt.want, tt.partial)
			}
			e := h.lastRead(before)
			if e.Action == "" {
				t.Fatal("nothing was recorded")
			}
			var recorded []string
			for _, item := range e.Items {
				recorded = append(recorded, item.Path)
			}
			if refused := errors.Is(tt.err, secret.ErrDenied); e.Decision.Allowed == refused || (e.Kind == audit.Refusal) != refused || !slices.Equal(recorded, tt.want) {
				t.Errorf("recorded kind %v, allowed %v, items %q", e.Kind, e.Decision.Allowed, recorded)
			}
			if _, err := h.Fingerprints(ctx, dev, tt.ref, 10); tt.partial && tt.err == nil && name != "all but one" && !errors.Is(err, secret.ErrDenied) {
				t.Errorf("who may read a part may compare the whole: %v", err)
			}
		})
	}
}

// TestRefusedFolderSaysNothing: a folder in which nothing may be read, one that holds nothing, and one that is not there
// are refused in the same words.
func TestRefusedFolderSaysNothing(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	if _, err := h.put(h.root, "full/A", `{"a":"1"}`); err != nil {
		t.Fatal(err)
	}
	dev := h.devWith(`path "secret/data/+/MINE" { capabilities = ["read"] }`)
	for _, name := range []string{"full", "none"} {
		_, err := h.ReadFolder(ctx, dev, h.ref(name), 10)
		if want := "denied: read on secret/data/" + name; err == nil || !errors.Is(err, secret.ErrDenied) || err.Error() != secret.ErrDenied.Error()+want[len("denied"):] {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestReadFolderInPartsSpendsOneUse: a token of limited uses pays once for a folder that is read in parts.
func TestReadFolderInPartsSpendsOneUse(t *testing.T) {
	h, ctx := newHouse(t), context.Background()
	if _, err := h.Write(ctx, h.root, h.ref("env/A"), custody.Put{Value: secret.NewValue([]byte("x")), Kind: secret.Text}); err != nil {
		t.Fatal(err)
	}
	h.devWith(`path "secret/data/env/A" { capabilities = ["read"] }`)
	issued, err := custody.Do(ctx, h.Desk, h.root, auth.Create{Policies: []string{"dev"}, Uses: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := h.ReadFolder(ctx, h.as(issued.Token), h.ref("env"), 10); err != nil || len(r.Children) != 1 {
			t.Fatalf("got %v, %v", r, err)
		}
	}
	if _, err := h.ReadFolder(ctx, h.as(issued.Token), h.ref("env"), 10); !errors.Is(err, secret.ErrDenied) {
		t.Errorf("a third use: got %v", err)
	}
}
