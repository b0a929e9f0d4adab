package custody_test

import (
	"fmt"
	"testing"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// TestCopyKilledOnTheWay ends the process before and after commits of a copy, all over it. Whoever asks again ends with
// every secret there once, with the value it has, and with the source untouched.
func TestCopyKilledOnTheWay(t *testing.T) {
	const secrets = 105 // a page and a bit
	k := newKeep(t)
	parts := k.found(1, 1)
	if err := k.unseal(parts); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "other"} {
		if _, err := custody.Do(t.Context(), k.desk, k.local(), registry.MakeSpace{Space: secret.Space{Name: name, Versioned: true}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range secrets {
		k.put(fmt.Sprintf("app/%03d", i), fmt.Sprintf(`{"n":"%d"}`, i))
	}
	from, to := ref(t, "app"), ref(t, "app")
	to.Space = "other"
	for _, after := range []bool{false, true} {
		for step := 0; step < 2*secrets; step += 13 {
			c := k.copyOf()
			c.start(-1, after)
			if err := c.unseal(parts); err != nil {
				t.Fatal(err)
			}
			c.mortal.dieAt(step)
			first, err := c.desk.Copy(t.Context(), c.local(), from, to)
			if err == nil && !first.Done {
				_, _ = c.desk.CopyOn(t.Context(), c.local(), first.ID) // dies somewhere, or not at all
			}
			c.start(-1, false)
			if err := c.unseal(parts); err != nil {
				t.Fatalf("death %d: %v", step, err)
			}
			c.finishCopy(step, from, to)
			for i := range secrets {
				for _, r := range []secret.Ref{ref(t, fmt.Sprintf("app/%03d", i)), inOther(t, i)} {
					got, err := c.desk.Read(t.Context(), c.local(), r)
					if err != nil || got.Version.Number != 1 || !got.Value.Equal(secret.NewValue(fmt.Appendf(nil, `{"n":"%d"}`, i))) {
						t.Fatalf("death %d (after: %v): %s: version %d, %v", step, after, r, got.Version.Number, err)
					}
				}
			}
		}
	}
}

func (k *keep) finishCopy(step int, from, to secret.Ref) {
	k.t.Helper()
	job, err := k.desk.Copy(k.t.Context(), k.local(), from, to)
	for err == nil && !job.Done {
		job, err = k.desk.CopyOn(k.t.Context(), k.local(), job.ID)
	}
	if err != nil {
		k.t.Fatalf("death %d: asked again: %v", step, err)
	}
}

func inOther(t *testing.T, i int) secret.Ref {
	r := ref(t, fmt.Sprintf("app/%03d", i))
	r.Space = "other"
	return r
}
