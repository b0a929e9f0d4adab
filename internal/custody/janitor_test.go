package custody_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
)

// pages is a method's cleaning: so many pages in each mount, of which the last has something to remove.
type pages struct {
	m      auth.Mount
	cursor string
	seen   *[]string
}

func (p pages) Need() record.Need {
	return record.Need{Action: "pages.tidy", Resource: p.m.Resource("tidy"), Capability: policy.Update}
}

func (p pages) Plan(context.Context, auth.Caller, record.View) (string, []record.Change, error) {
	*p.seen = append(*p.seen, string(p.m.Namespace)+":"+p.m.Path+"@"+p.cursor)
	if n := len(p.cursor); n < 14 {
		return p.cursor + "x", nil, nil
	}
	return "", []record.Change{{Key: "swept/" + p.m.Path, Value: []byte("1")}}, nil
}

// TestJanitor: what expired is removed without being asked, in all mounts of all namespaces, a bounded number of pages a round;
// a pass over everything is followed by a rest.
func TestJanitor(t *testing.T) {
	k, parts := furnished(t)
	var seen []string
	k.tidiers = map[string]custody.Tidier{"pages": func(m auth.Mount, cursor string) custody.Act[string] { return pages{m, cursor, &seen} }}
	k.start(-1, false)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	ns, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeNamespace{Name: "team"})
	if err != nil {
		t.Fatal(err)
	}
	for i, in := range []auth.Caller{k.local(), k.local(), k.local().In(ns.ID)} {
		for _, kind := range []string{"pages", "other"} {
			if _, err := custody.Do(t.Context(), k.desk, in, registry.MakeMount{Mount: registry.Mount{Name: fmt.Sprint(kind, i), Type: kind}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	rounds := 0
	for ; len(seen) < 3*15+1 && rounds < 20; rounds++ {
		before := len(seen)
		k.desk.RunJobs(t.Context())
		if done := len(seen) - before; done > 40 { // a page with changes is planned twice
			t.Errorf("a round looked at %d pages", done)
		}
	}
	ends := 0
	for _, s := range seen {
		if strings.HasSuffix(s, "@"+strings.Repeat("x", 14)) {
			ends++
		}
		if strings.Contains(s, "other") {
			t.Errorf("the janitor was in %s", s)
		}
	}
	if rounds < 3 || ends < 6 || len(seen) > 3*16 {
		t.Errorf("%d rounds, %d pages, %d ends of a mount; want a pass of 3 mounts of 15 pages", rounds, len(seen), ends)
	}
	total := len(seen)
	k.desk.RunJobs(t.Context())
	k.desk.RunJobs(t.Context())
	if len(seen) != total {
		t.Error("no rest after a pass")
	}
	k.clock.pass(11 * 60 * 1e9)
	k.desk.RunJobs(t.Context())
	if len(seen) == total {
		t.Error("no further pass after the rest")
	}
}
