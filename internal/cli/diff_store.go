package cli

import (
	"context"

	"github.com/keephold/keephold/internal/provider/mirror"
)

// storesDiff compares a Space with a store elsewhere, by name. Every value is compared: nothing is taken from what an earlier
// transfer remembers.
func (env Env) storesDiff(ctx context.Context, o *options, args []string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // lets go of connections
	p, err := env.openPair(ctx, o, &transfer{way: mirror.Sync, dryRun: true}, args)
	if err != nil {
		return err
	}
	if err := p.cfg.Journal.Close(); err != nil {
		return failf(exitCannotWrite, "%w", err)
	}
	p.cfg.Journal = new(mirror.Journal)
	m, err := mirror.New(p.cfg)
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	plan, err := env.lookAtBoth(ctx, o, m)
	if err != nil {
		return transferFault(err)
	}
	states := map[mirror.Action]string{mirror.Same: "same", mirror.MakeHere: "only there", mirror.MakeThere: "only here", mirror.Conflict: "differs", mirror.ChangeHere: "labels moved there"}
	equal := true
	all := []fieldDiff{}
	var rows [][]string
	for i := range plan {
		s := &plan[i]
		d := fieldDiff{Field: s.Name(), State: states[s.Do]}
		if s.Do == mirror.Refused {
			d.State = "cannot be compared: " + s.Why.Error()
		}
		equal = equal && s.Do == mirror.Same
		all = append(all, d)
		if s.Do != mirror.Same {
			rows = append(rows, []string{d.Field, d.State})
		}
	}
	if o.json {
		err = env.printJSON(map[string]any{"local": p.space, "remote": p.there.String(), "equal": equal, "secrets": all})
	} else if equal {
		env.talk("identical: %s", plural(len(all), "secret"))
	} else {
		err = env.table([]string{"NAME", "STATE"}, rows)
	}
	if err == nil && !equal {
		return silent(exitNo)
	}
	return err
}
