package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/provider/mirror"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/server"
)

// transferLong is what pull, push and sync have in common.
const transferLong = `

ADDRESS is aws://ACCOUNT/REGION/prefix, gcp://PROJECT/prefix, azure://VAULT/prefix or vault://HOST/MOUNT/path. Credentials are what
the vendor's own tools find: the environment, their files, the machine's identity.

Without SPACE the secrets keep their whole names, in the Space that stands for that store: aws/ACCOUNT/REGION, gcp/PROJECT,
azure/VAULT, or the mount. With SPACE[/FOLDER] the prefix is taken away.

Names are shown and values never. What differs on both sides is refused until --prefer says whose value stays; what only one side has
is never deleted without --delete. A run that was interrupted is made again: what is equal already is not written twice.`

func pullCommand(env Env, o *options) *cobra.Command {
	t := &transfer{way: mirror.Pull}
	return t.command(env, o, &cobra.Command{
		Use:     "pull ADDRESS [SPACE[/FOLDER]]",
		Short:   "take secrets over from AWS, Google Cloud, Azure or a Vault",
		Long:    "Take secrets over from a store elsewhere." + transferLong + "\n\nWhat comes from AWS keeps the ends of its ARNs, the ids of its versions and their stages: code that holds the old ARN reads on.",
		Example: "  keephold pull aws://123456789012/eu-west-1/prod/ --dry-run\n  keephold pull aws://123456789012/eu-west-1/\n  keephold pull gcp://my-project/shop- shop/prod",
	})
}

func pushCommand(env Env, o *options) *cobra.Command {
	t := &transfer{way: mirror.Push}
	return t.command(env, o, &cobra.Command{
		Use:     "push ADDRESS [SPACE[/FOLDER]]",
		Short:   "bring secrets to AWS, Google Cloud, Azure or a Vault",
		Long:    "Bring secrets to a store elsewhere." + transferLong,
		Example: "  keephold push aws://123456789012/eu-west-1/prod/shop/ shop/prod --dry-run\n  keephold push azure://my-vault/ --prefer local",
	})
}

func syncCommand(env Env, o *options) *cobra.Command {
	t := &transfer{way: mirror.Sync}
	return t.command(env, o, &cobra.Command{
		Use:     "sync ADDRESS [SPACE[/FOLDER]]",
		Short:   "bring each side what was changed on the other since the last time",
		Long:    "Bring each side what was changed on the other since the last time." + transferLong,
		Example: "  keephold sync vault://vault.internal:8200/secret/shop secret/shop\n  keephold sync gcp://my-project/ --delete --dry-run",
	})
}

// transfer is one command line of pull, push, sync or diff.
type transfer struct {
	way         mirror.Way
	prefer      string
	delete, yes bool
	dryRun      bool
}

func (t *transfer) command(env Env, o *options, c *cobra.Command) *cobra.Command {
	c.Args = cobra.RangeArgs(1, 2)
	c.RunE = func(cmd *cobra.Command, args []string) error { return env.transfer(cmd.Context(), o, t, args) }
	f := c.Flags()
	f.BoolVar(&t.dryRun, "dry-run", false, "only say what would change")
	f.StringVar(&t.prefer, "prefer", "", "whose value stays where both sides differ: local or remote")
	f.BoolVar(&t.delete, "delete", false, "also delete what the other side does not have")
	f.BoolVar(&t.yes, "yes", false, "delete without asking")
	return c
}

// pair is both sides of a transfer, open.
type pair struct {
	there provider.Address
	space string
	cfg   mirror.Config
}

func (env Env) transfer(ctx context.Context, o *options, t *transfer, args []string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // lets go of connections
	p, err := env.openPair(ctx, o, t, args)
	if err != nil {
		return err
	}
	m, err := mirror.New(p.cfg)
	if err != nil {
		return failf(exitInternal, "%w", err)
	}
	plan, err := env.lookAtBoth(ctx, o, m)
	if err != nil {
		return errors.Join(transferFault(err), p.cfg.Journal.Close())
	}
	outcome := newOutcome(p, t, plan)
	if t.dryRun || outcome.refusesAll() {
		return errors.Join(env.printOutcome(o, outcome), p.cfg.Journal.Close())
	}
	if n := outcome.deletions(); n > 0 {
		if err := env.confirm(plural(n, "secret")+" will be deleted", t.yes); err != nil {
			return errors.Join(err, p.cfg.Journal.Close())
		}
	}
	if err := env.applyPlan(ctx, o, m, p, plan); err != nil {
		return errors.Join(transferFault(err).withHint("what was done stays done; the same command goes on from there"), p.cfg.Journal.Close())
	}
	return errors.Join(env.printOutcome(o, newOutcome(p, t, plan)), p.cfg.Journal.Close())
}

func (env Env) lookAtBoth(ctx context.Context, o *options, m *mirror.Mirror) ([]mirror.Step, error) {
	bar := env.progress(o, "looking", "secrets", 0)
	defer bar.end()
	return m.Plan(ctx, bar.at)
}

func (env Env) applyPlan(ctx context.Context, o *options, m *mirror.Mirror, p *pair, plan []mirror.Step) error {
	bar := env.progress(o, p.cfg.Way.String(), "secrets", 0)
	defer bar.end()
	return m.Apply(ctx, plan, bar.at)
}

// openPair reads the arguments and opens both sides.
func (env Env) openPair(ctx context.Context, o *options, t *transfer, args []string) (*pair, error) {
	prefer, err := t.preference()
	if err != nil {
		return nil, err
	}
	there, ours, err := addressOf(args)
	if err != nil {
		return nil, err
	}
	a, err := env.connect(ctx, o)
	if err != nil {
		return nil, err
	}
	store, there, err := env.openStore(ctx, there)
	if err != nil {
		return nil, err
	}
	there = there.Folder()
	p := &pair{there: there}
	p.space = there.Space()
	var folder secret.Path
	if ours != "" {
		at, err := a.find(ctx, ours)
		if err != nil {
			return nil, err
		}
		p.space = at.space
		if folder, err = secret.ParsePrefix(at.path); err != nil {
			return nil, usagef("%q: %w", ours, err)
		}
	} else if err := a.standIn(ctx, there, t); err != nil {
		return nil, err
	}
	whole := ours == ""
	p.cfg = mirror.Config{
		Here: &keepSide{api: a, space: p.space, whole: whole && there.Dialect == secret.AWS}, There: store, TherePrefix: there.Prefix,
		Name: func(here string) (string, error) {
			path, err := secret.ParsePath(here)
			if err != nil {
				return "", err
			}
			name, err := there.Name(path, folder, whole)
			if err == nil && whole && !strings.HasPrefix(name, there.Prefix) {
				return "", mirror.ErrOutside
			}
			return name, err
		},
		Path: func(name string) (string, error) {
			path, err := there.Path(name, folder, whole)
			return path.String(), err
		},
		Way: t.way, Prefer: prefer, Delete: t.delete, Untyped: there.Dialect == secret.GCP,
	}
	if !folder.IsRoot() {
		p.cfg.HerePrefix = folder.String() + "/"
	}
	p.cfg.Journal, err = env.journal(a, p, folder)
	return p, err
}

func (t *transfer) preference() (mirror.Prefer, error) {
	switch t.prefer {
	case "":
		return mirror.Nobody, nil
	case "local":
		return mirror.Here, nil
	case "remote":
		return mirror.There, nil
	}
	return 0, usagef("--prefer %q is neither local nor remote", t.prefer)
}

// addressOf tells the address from the Space; either may come first.
func addressOf(args []string) (there provider.Address, ours string, err error) {
	if len(args) == 2 && !provider.IsAddress(args[0]) {
		args = []string{args[1], args[0]}
	}
	if len(args) == 2 {
		if provider.IsAddress(args[1]) {
			return there, "", usagef("one side is this keep: %s and %s are both elsewhere", args[0], args[1])
		}
		ours = args[1]
	}
	if there, err = provider.ParseAddress(args[0]); err != nil {
		return there, "", usagef("%w", err)
	}
	return there, ours, nil
}

func (env Env) openStore(ctx context.Context, a provider.Address) (provider.Provider, provider.Address, error) {
	s, a, err := server.OpenProvider(ctx, a, env.Getenv)
	if err != nil {
		return nil, a, transferFault(err)
	}
	return s, a, nil
}

// standIn makes the Space that stands for a store, when something is to be pulled into it.
func (a *api) standIn(ctx context.Context, there provider.Address, t *transfer) error {
	if t.way == mirror.Push || t.dryRun {
		return nil
	}
	name := there.Space()
	if there.Dialect == secret.Vault {
		return a.makeSpace(ctx, name, false)
	}
	err := a.call(ctx, http.MethodPut, "keephold/spaces/"+escapePath(name), map[string]string{"home": there.Dialect.String()}, nil)
	if status(err) == http.StatusConflict || err != nil && strings.Contains(err.Error(), "already in use") {
		return nil
	}
	return explain(err, "cannot make the Space "+name)
}

// journal is the memory of the transfers between these two places. Its file is named by a hash; it holds names and revisions.
func (env Env) journal(a *api, p *pair, folder secret.Path) (*mirror.Journal, error) {
	dir, err := env.dataDir()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{a.addr, a.namespace, p.space, folder.String(), p.there.String()}, "\x00")))
	j, err := mirror.OpenJournal(filepath.Join(dir, "transfers", hex.EncodeToString(sum[:16])))
	if err != nil {
		return nil, failf(exitCannotWrite, "%w", err)
	}
	return j, nil
}

// transferFault gives an error of a provider its exit code, and says what to do about it.
func transferFault(err error) *fault {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled):
		return failf(exitInterrupted, "interrupted").withHint("the same command goes on from there")
	case errors.Is(err, secret.ErrSignIn):
		return failf(exitDenied, "%w", err).withHint("sign in with the vendor's own tool, or set its variables; docs/providers.md lists them")
	case errors.Is(err, secret.ErrDenied):
		return failf(exitDenied, "%w", err)
	case errors.Is(err, secret.ErrNotFound):
		return failf(exitNotFound, "%w", err)
	case errors.Is(err, secret.ErrConflict):
		return failf(exitConflict, "%w", err)
	case errors.Is(err, secret.ErrLimited), errors.Is(err, secret.ErrSealed), errors.Is(err, secret.ErrBusy):
		return failf(exitBusy, "%w", err).withHint("wait a little")
	case errors.Is(err, secret.ErrInvalid), errors.Is(err, secret.ErrTooLarge), errors.Is(err, secret.ErrDisabled):
		return failf(exitBadData, "%w", err)
	case errors.Is(err, secret.ErrUnavailable):
		return failf(exitUnreachable, "%w", err).withHint("check the network and the address")
	}
	return failf(exitInternal, "%w", err)
}
