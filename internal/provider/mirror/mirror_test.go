package mirror_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/provider/mirror"
	"github.com/keephold/keephold/internal/provider/vault"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/keepholdtest"
)

// rig is two folders of a running keep, each a store of its own, and the memory of the transfers between them.
type rig struct {
	t           *testing.T
	here, there *vault.Store
	journal     string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	a, b := keepholdtest.Start(t, keepholdtest.Options{}), keepholdtest.Start(t, keepholdtest.Options{})
	open := func(k *keepholdtest.Keep) *vault.Store {
		return vault.New(vault.Config{URL: k.Addr, Token: secret.NewValue([]byte(k.Token))}, "secret", true)
	}
	return &rig{t, open(a), open(b), filepath.Join(t.TempDir(), "deep", "journal")}
}

func (r *rig) put(p *vault.Store, name, value string) {
	r.t.Helper()
	s := provider.Secret{Ref: provider.Ref{Name: name}, Version: provider.Version{Value: secret.NewValue([]byte(value))}}
	if value == "" {
		if err := p.Delete(context.Background(), s.Ref); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	if _, err := p.Write(context.Background(), s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) get(p *vault.Store, name string) string {
	got, err := p.Read(context.Background(), provider.Ref{Name: name})
	if err != nil {
		return ""
	}
	return string(got.Value.Reveal())
}

// run plans and, unless there is a conflict, applies; it answers what was planned by name.
func (r *rig) run(cfg mirror.Config) map[string]mirror.Action {
	r.t.Helper()
	ctx := context.Background()
	j, err := mirror.OpenJournal(r.journal)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Here, cfg.There, cfg.Journal = r.here, r.there, j
	cfg.Name = func(s string) (string, error) { return s, nil }
	cfg.Path = cfg.Name
	m, err := mirror.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	plan, err := m.Plan(ctx, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	planned := map[string]mirror.Action{}
	for _, s := range plan {
		planned[s.Name()] = s.Do
	}
	if !slices.Contains(slices.Collect(maps.Values(planned)), mirror.Conflict) {
		if err := m.Apply(ctx, plan, nil); err != nil {
			r.t.Fatal(err)
		}
		for _, s := range plan {
			if s.Do == mirror.Failed {
				r.t.Errorf("%s: %v", s.Name(), s.Why)
			}
		}
	}
	if err := j.Close(); err != nil {
		r.t.Fatal(err)
	}
	return planned
}

// TestDecisions is the whole table: what was the same once or never, what became of it on each side, and what each way does then.
func TestDecisions(t *testing.T) {
	r := newRig(t)
	type row struct {
		name              string
		once              bool   // it was the same on both sides
		here, there       string // what it became: "" is not there, "=" unchanged
		pull, push, synch mirror.Action
	}
	var rows []row
	add := func(once bool, here, there string, pull, push, synch mirror.Action) {
		rows = append(rows, row{fmt.Sprintf("%v-%s-%s", once, here, there), once, here, there, pull, push, synch})
	}
	add(false, "x", "x", mirror.Same, mirror.Same, mirror.Same)
	add(false, "x", "y", mirror.Conflict, mirror.Conflict, mirror.Conflict)
	add(false, "x", "", mirror.Keep, mirror.MakeThere, mirror.MakeThere)
	add(false, "", "y", mirror.MakeHere, mirror.Keep, mirror.MakeHere)
	add(true, "=", "=", mirror.Same, mirror.Same, mirror.Same)
	add(true, "x", "=", mirror.Keep, mirror.ChangeThere, mirror.ChangeThere)
	add(true, "=", "y", mirror.ChangeHere, mirror.Keep, mirror.ChangeHere)
	add(true, "x", "y", mirror.Conflict, mirror.Conflict, mirror.Conflict)
	add(true, "x", "x", mirror.Same, mirror.Same, mirror.Same)
	add(true, "", "=", mirror.MakeHere, mirror.Keep, mirror.Keep)
	add(true, "=", "", mirror.Keep, mirror.MakeThere, mirror.Keep)
	add(true, "", "y", mirror.MakeHere, mirror.Keep, mirror.Conflict)
	add(true, "x", "", mirror.Keep, mirror.MakeThere, mirror.Conflict)

	for _, way := range []mirror.Way{mirror.Pull, mirror.Push, mirror.Sync} {
		dir := way.String() + "/"
		cfg := mirror.Config{Way: way, HerePrefix: dir, TherePrefix: dir}
		for _, c := range rows {
			if c.once {
				r.put(r.here, dir+c.name, "once")
			}
		}
		first := cfg
		first.Way = mirror.Sync
		r.run(first)
		for _, c := range rows {
			for side, becomes := range map[*vault.Store]string{r.here: c.here, r.there: c.there} {
				if becomes == "=" || becomes == "" && !c.once {
					continue
				}
				r.put(side, dir+c.name, becomes)
			}
		}
		planned := r.run(cfg)
		for _, c := range rows {
			want := map[mirror.Way]mirror.Action{mirror.Pull: c.pull, mirror.Push: c.push, mirror.Sync: c.synch}[way]
			if got := planned[dir+c.name]; got != want {
				t.Errorf("%s of %s: got %q, want %q", way, c.name, got, want)
			}
		}
	}
}

func TestPreferAndDelete(t *testing.T) {
	r := newRig(t)
	r.put(r.here, "both", "here")
	r.put(r.there, "both", "there")
	if got := r.run(mirror.Config{Way: mirror.Sync}); got["both"] != mirror.Conflict || r.get(r.here, "both") != "here" || r.get(r.there, "both") != "there" {
		t.Fatalf("a conflict changed something: %v", got)
	}
	r.run(mirror.Config{Way: mirror.Pull, Prefer: mirror.Here})
	if r.get(r.here, "both") != "here" {
		t.Error("a pull that prefers here changed it")
	}
	r.run(mirror.Config{Way: mirror.Sync, Prefer: mirror.There})
	if r.get(r.here, "both") != "there" {
		t.Error("preferring there did not bring its value")
	}
	r.put(r.here, "both", "")
	r.put(r.there, "only-there", "x")
	if got := r.run(mirror.Config{Way: mirror.Push}); got["both"] != mirror.Keep || got["only-there"] != mirror.Keep {
		t.Errorf("a push without Delete plans %v", got)
	}
	r.run(mirror.Config{Way: mirror.Push, Delete: true})
	if r.get(r.there, "both") != "" || r.get(r.there, "only-there") != "" {
		t.Error("a push with Delete left what is not here")
	}
	// What was deleted may come again.
	r.put(r.here, "both", "again")
	r.run(mirror.Config{Way: mirror.Sync})
	if r.get(r.there, "both") != "again" {
		t.Error("what was deleted and made again did not go over")
	}
}

// TestRepeated says that a second run writes nothing: versions are as they were.
func TestRepeated(t *testing.T) {
	r := newRig(t)
	for i := range 40 {
		r.put(r.here, fmt.Sprint("s", i), "v")
	}
	r.run(mirror.Config{Way: mirror.Push})
	if err := os.Remove(r.journal); err != nil { // what is not remembered is compared
		t.Fatal(err)
	}
	for name, do := range r.run(mirror.Config{Way: mirror.Push}) {
		if do != mirror.Same {
			t.Errorf("%s: %s", name, do)
		}
	}
	got, err := r.there.Read(context.Background(), provider.Ref{Name: "s7"})
	if err != nil || got.Revision != "1" {
		t.Errorf("revision %q, %v", got.Revision, err)
	}
}

func TestJournalCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	text := `{"name":"a","here":"1","there":"2"}` + "\n" + `{"name":"b","here":"1","there":"1"}` + "\n" + `{"name":"b"}` + "\n" + `{"name":"c","he`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := mirror.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := j.Last("a"); !ok || e.There != "2" {
		t.Errorf("a is %+v", e)
	}
	for _, name := range []string{"b", "c"} {
		if e, ok := j.Last(name); ok {
			t.Errorf("%s is %+v", name, e)
		}
	}
	if err := j.Note(mirror.Entry{Name: "d", Here: "9", There: "9"}); err != nil {
		t.Fatal(err)
	}
	// Killed here: the next one reads what was noted, behind what was cut off.
	again, err := mirror.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Last("d"); !ok {
		t.Error("what was noted before the kill is lost")
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("closed, it holds %q, %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"name":"a","here":"1","there":"2"}` + "\n"))
	f.Add([]byte("{\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, e := range mirror.ReadJournal(b) {
			if name == "" || e.Name != name || e.Here == "" && e.There == "" {
				t.Fatalf("%q is %+v", name, e)
			}
		}
	})
}
