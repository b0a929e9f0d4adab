package custody_test

import (
	"fmt"
	"testing"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// TestJobsResume removes a secret of more versions than one commit takes, and a whole Space, and kills the process
// before and after every Apply of the jobs that erase the rest. The next process ends what was begun, and what was not
// removed is still there.
func TestJobsResume(t *testing.T) {
	k := newKeep(t)
	parts := k.found(1, 1)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "other"} {
		sp := secret.Space{Name: name, Versioned: true, Settings: secret.SpaceSettings{MaxVersions: 200}}
		if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeSpace{Space: sp}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 140 {
		k.put("many", fmt.Sprintf(`{"n":"%d"}`, i))
	}
	k.put("stays", `{"n":"1"}`)
	for i := range 12 {
		r := ref(t, fmt.Sprintf("dir/%d", i))
		r.Space = "other"
		if _, err := k.desk.Write(t.Context(), k.local(), r, custody.Put{Value: secret.NewValue([]byte(`{}`)), Kind: secret.Map}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.desk.Remove(t.Context(), k.local(), ref(t, "many")); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.DropSpace{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	k.end()
	k.end = func() {}
	for _, after := range []bool{false, true} {
		step := 0
		for ; ; step++ {
			c := k.copyOf()
			c.start(-1, after)
			if err := c.unseal(parts); err != nil {
				t.Fatal(err)
			}
			c.mortal.dieAt(step)
			c.desk.RunJobs(t.Context())
			survived := !c.mortal.dead()
			c.start(-1, false)
			if err := c.unseal(parts); err != nil {
				t.Fatalf("death %d: %v", step, err)
			}
			c.desk.RunJobs(t.Context())
			for prefix, want := range map[string]int{"v/": 1, "h/": 1, "n/": 1, "r/job/": 0, "r/" + registry.PurgePrefix: 0} {
				entries, _, err := c.engine.List(t.Context(), store.Query{Prefix: prefix, KeysOnly: true})
				if err != nil || len(entries) != want {
					t.Fatalf("death %d (after: %v): %d keys below %s, want %d: %v", step, after, len(entries), prefix, want, err)
				}
			}
			c.check("stays", `{"n":"1"}`)
			c.end()
			if survived {
				break
			}
		}
		if step < 5 {
			t.Errorf("the jobs took %d commits; the test wants more to interrupt", step)
		}
		t.Logf("%d places to die", step)
	}
}

// dieAt lets the process die at the n-th Apply from now.
func (m *mortal) dieAt(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = n
}
