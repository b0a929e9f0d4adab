package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keephold/keephold/internal/offline"
	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// What was read from a source is kept encrypted, as the answers of servers are. For sourceFresh it is used without asking again, so
// that a program which starts often does not ask each time; while the store cannot be reached, for sourceKept.
const (
	sourceFresh = 5 * time.Minute
	sourceKept  = time.Hour
)

// addSources lets what a store elsewhere holds win over what an environment has so far, the later source over the earlier.
func (env Env) addSources(ctx context.Context, o *options, e environment, sources []string, merged map[string]value) error {
	for _, s := range sources {
		a, err := provider.ParseAddress(s)
		if err != nil {
			return failf(exitBadData, "%s: a source of an environment: %w", projectFile, err)
		}
		values, err := env.sourceValues(ctx, o, a, e.away)
		if err != nil {
			return err
		}
		mergeInto(merged, envAnswer{Values: values}, s)
	}
	return nil
}

// sourceValues answers a source's values, from the store or from what was kept of its last answer.
func (env Env) sourceValues(ctx context.Context, o *options, a provider.Address, f *offlineFlags) (map[string]string, error) {
	if f == nil {
		f = new(offlineFlags)
	}
	kept := env.leasesOf(&api{addr: a.Dialect.String() + "://" + a.Store, namespace: env.Getenv("VAULT_NAMESPACE")})
	fresh := sourceFresh
	if f.most > 0 {
		fresh = f.most
	}
	if kept != nil {
		if l, err := kept.store.Find(ctx, kept.place(a.Prefix), map[bool]time.Duration{true: f.most, false: fresh}[f.offline]); err == nil {
			return l.Values, nil
		} else if f.offline {
			return nil, failf(exitUnreachable, "%s: %w", a, err).withHint("reach it once, without --offline")
		}
	}
	asked := time.Now()
	got, err := env.readSource(ctx, a, nil)
	values := got.values
	var failed *fault
	switch {
	case err == nil:
		if kept != nil {
			kept.keep(ctx, a.Prefix, offline.Lease{Values: values, Fetched: asked, Ends: asked.Add(sourceKept)})
		}
		return values, nil
	case !errors.As(err, &failed) || kept == nil:
		return nil, err
	case failed.code == exitDenied:
		kept.refused(a.Prefix)
		return nil, err
	case failed.code != exitUnreachable && failed.code != exitBusy:
		return nil, err
	}
	l, missing := kept.store.Find(ctx, kept.place(a.Prefix), f.most)
	if missing != nil {
		return nil, err
	}
	if !o.quiet {
		env.talk("keephold: warning: %s cannot be reached; its values are %s old, and end at %s", a, time.Since(l.Fetched).Round(time.Second), l.Ends.Format(time.RFC3339))
	}
	return l.Values, nil
}

// readings are what a source holds.
type readings struct {
	values map[string]string // by the names of settings
	left   map[string]string // why a secret is no setting, by its name there
}

// readSource asks the store: for all secrets below a prefix, or for the one secret that is a map. bar, if there is one, counts them.
func (env Env) readSource(ctx context.Context, a provider.Address, bar *progress) (readings, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // lets go of connections
	store, a, err := env.openStore(ctx, a)
	if err != nil {
		return readings{}, err
	}
	if !a.Many() {
		got, err := store.Read(ctx, provider.Ref{Name: a.Prefix})
		if err != nil {
			return readings{}, transferFault(err)
		}
		values, err := members(a, got.Value)
		return readings{values: values}, err
	}
	out := readings{map[string]string{}, map[string]string{}}
	names := map[string]string{}
	var mu sync.Mutex // of out and names
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for ref, err := range store.List(ctx, a.Prefix) {
		if err != nil {
			return readings{}, errors.Join(transferFault(err), g.Wait())
		}
		g.Go(func() error {
			got, err := store.Read(ctx, provider.Ref{Name: ref.Name}) // of AWS the current version alone
			if bar != nil {
				bar.add(1)
			}
			key := settingName(a, ref.Name)
			mu.Lock()
			defer mu.Unlock()
			twin, taken := names[key]
			switch {
			case errors.Is(err, secret.ErrNotFound):
				out.left[ref.Name] = "it has no value"
			case errors.Is(err, secret.ErrDisabled):
				out.left[ref.Name] = "its newest version is disabled"
			case err != nil:
				return transferFault(err)
			case got.Kind == secret.Binary:
				out.left[ref.Name] = "it is bytes, which no environment can carry"
			case key == "":
				out.left[ref.Name] = "it has no name behind the prefix"
			case taken:
				return failf(exitBadData, "%s: %s and %s are both called %s as a setting", a, min(twin, ref.Name), max(twin, ref.Name), key)
			default:
				names[key], out.values[key] = ref.Name, reveal(got.Value)
			}
			return nil
		})
	}
	return out, g.Wait()
}

// settingName is what a secret is called as a setting: what is behind the prefix, with '_' for signs that names of variables do not
// have. Azure's names know no case and no '_'; there the habit is db-password for DB_PASSWORD.
func settingName(a provider.Address, name string) string {
	b := []byte(name[min(len(a.Prefix), len(name)):])
	for i, c := range b {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			b[i] = '_'
		}
	}
	if a.Dialect == secret.Azure {
		return strings.ToUpper(string(b))
	}
	return string(b)
}

// members are the settings in a secret that is a map.
func members(a provider.Address, v secret.Value) (map[string]string, error) {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(reveal(v)), &m) != nil || m == nil {
		return nil, failf(exitBadData, "%s is no map of settings", a).withHint("to take each secret below it as a setting, end the address with '/'")
	}
	out := make(map[string]string, len(m))
	for k, raw := range m {
		out[k] = plain(raw)
	}
	return out, nil
}
