package cli

import (
	"strings"

	"github.com/keephold/keephold/internal/provider/mirror"
)

// outcome is what a transfer would do, or did, by name.
type outcome struct {
	local, remote string
	way           mirror.Way
	dryRun        bool
	same          int
	by            map[mirror.Action][]string
	why           []reasoned
	fault         *fault // of the first that was refused or failed
}

type reasoned struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

func newOutcome(p *pair, t *transfer, plan []mirror.Step) *outcome {
	out := &outcome{local: p.space, remote: p.there.String(), way: t.way, dryRun: t.dryRun, by: map[mirror.Action][]string{}}
	for i := range plan {
		s := &plan[i]
		switch s.Do {
		case mirror.Same:
			out.same++
		case mirror.Refused, mirror.Failed:
			out.why = append(out.why, reasoned{s.Name(), s.Why.Error()})
			if out.fault == nil {
				out.fault = transferFault(s.Why)
			}
		default:
			out.by[s.Do] = append(out.by[s.Do], s.Name())
		}
	}
	return out
}

// refusesAll says that nothing may be done before somebody decides.
func (out *outcome) refusesAll() bool { return len(out.by[mirror.Conflict]) > 0 }

func (out *outcome) deletions() int {
	return len(out.by[mirror.DeleteHere]) + len(out.by[mirror.DeleteThere])
}

// rows is what is said of each action, in order.
var rows = []struct {
	do         mirror.Action
	sign, text string
	key        string
}{
	{mirror.MakeHere, "+", "new here", "made_here"},
	{mirror.ChangeHere, "~", "changed here", "changed_here"},
	{mirror.DeleteHere, "-", "deleted here", "deleted_here"},
	{mirror.MakeThere, "+", "new there", "made_there"},
	{mirror.ChangeThere, "~", "changed there", "changed_there"},
	{mirror.DeleteThere, "-", "deleted there", "deleted_there"},
	{mirror.Keep, "=", "only on the side that follows, or newer there: kept", "kept"},
	{mirror.Conflict, "!", "differs on both sides", "conflicts"},
}

// namesShown is how many names of a kind are written for people; a document has them all.
const namesShown = 20

func (env Env) printOutcome(o *options, out *outcome) error {
	if err := env.writeOutcome(o, out); err != nil {
		return err
	}
	switch {
	case out.refusesAll():
		names := out.by[mirror.Conflict]
		return failf(exitConflict, "%s, different on both sides, and nothing says whose value stays; nothing was changed: %s", plural(len(names), "secret"), someOf(names)).
			withHint("look at them, then add --prefer local or --prefer remote")
	case out.fault != nil:
		return silent(out.fault.code)
	}
	return nil
}

func (env Env) writeOutcome(o *options, out *outcome) error {
	if o.json {
		doc := map[string]any{"local": out.local, "remote": out.remote, "direction": out.way.String(), "dry_run": out.dryRun, "same": out.same, "refused": out.why}
		if out.why == nil {
			doc["refused"] = []reasoned{}
		}
		for _, r := range rows {
			doc[r.key] = orEmpty(out.by[r.do])
		}
		return env.printJSON(doc)
	}
	if o.quiet {
		return nil
	}
	for _, r := range rows {
		names := out.by[r.do]
		if len(names) == 0 {
			continue
		}
		env.talk("%s %s: %d", r.sign, r.text, len(names))
		for _, n := range names[:min(namesShown, len(names))] {
			env.talk("    %s", n)
		}
		if more := len(names) - namesShown; more > 0 {
			env.talk("    and %d more (--json lists them)", more)
		}
	}
	for _, w := range out.why[:min(namesShown, len(out.why))] {
		env.talk("x %s", w.Why)
	}
	if more := len(out.why) - namesShown; more > 0 {
		env.talk("x and %d more (--json lists them)", more)
	}
	env.talk("%s %s: %d the same, %d refused%s", out.local, map[mirror.Way]string{mirror.Pull: "<- ", mirror.Push: "-> ", mirror.Sync: "<-> "}[out.way]+out.remote, out.same, len(out.why),
		map[bool]string{true: "; nothing was changed (--dry-run)"}[out.dryRun])
	return nil
}

// someOf is some of the names.
func someOf(names []string) string {
	const some = 5
	if len(names) <= some {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:some], ", ") + " …"
}
