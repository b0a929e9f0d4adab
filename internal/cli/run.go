package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/launch"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/settings"
	"github.com/keephold/keephold/redact"
)

// runOptions are the flags of run.
type runOptions struct {
	env, prefix, ifMissing, reload string
	only, allow                    []string
	noInherit                      bool
	redact, failOnLeak, noPTY      bool
	watch                          bool
	grace, every, splay            time.Duration
	fileFlags
	away      offlineFlags
	intercept bool
	as        []string // identities

	reach *reach // what the last two started; nil without them
}

// outlives says whether something of keephold has to stay above the program.
func (r *runOptions) outlives() bool {
	return r.redact || r.watch || r.intercept || len(r.as) > 0
}

func runCommand(env Env, o *options) *cobra.Command {
	r := new(runOptions)
	c := &cobra.Command{
		Use:   "run [--] COMMAND [ARGUMENT...]",
		Short: "run a program with the settings of an environment",
		Long: `Run a program with the settings of an environment in its environment variables.

Unless --redact, --watch, --secrets-dir or --mount needs it above the program, keephold is replaced by the program: nothing
of it remains. A value of more than 128 KiB, which no environment carries, is handed over as a file, named by NAME_FILE. Otherwise signals, the terminal and the exit code behave as if the program ran alone. Nothing is written to
stdout. The exit code is the program's own; 126 if it could not be started, 127 if it was not found, 128+n if signal n
ended it; 66 if a required setting has no value.`,
		Example: `  keephold run -- uvicorn app.main:app --reload
  keephold run --env prod --only DATABASE_URL -- alembic upgrade head
  keephold run --redact --watch -- python worker.py`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return env.run(cmd, o, r, args) },
	}
	r.away.add(c, "run")
	r.reachFlags(c)
	r.fileFlags.add(c)
	f := c.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&r.env, "env", "e", "", "environment (default: the project's)")
	f.StringSliceVar(&r.only, "only", nil, "hand over these settings only")
	f.StringVar(&r.prefix, "prefix", "", "put this before every name")
	f.BoolVar(&r.noInherit, "no-inherit", false, "start from an empty environment")
	f.StringVar(&r.ifMissing, "if-missing", "fail", "what to do for a required setting without a value: fail, placeholder (a dummy of its type) or ignore")
	f.StringSliceVar(&r.allow, "allow-reserved", nil, "hand these names over although they change how programs are loaded")
	f.BoolVar(&r.redact, "redact", false, "mask the values in what the program writes")
	f.BoolVar(&r.failOnLeak, "fail-on-leak", false, "with --redact: exit with 79 when something was masked and the program itself succeeded")
	f.BoolVar(&r.noPTY, "no-pty", false, "with --redact: give the program pipes even on a terminal")
	f.BoolVar(&r.watch, "watch", false, "start the program again when a value changes")
	f.StringVar(&r.reload, "reload-signal", "", "with --watch: send this signal (HUP, USR1, USR2) instead; values reach it by --secrets-dir")
	f.DurationVar(&r.grace, "grace", 10*time.Second, "how long the program may take to end before it is killed")
	f.DurationVar(&r.every, "watch-interval", 2*time.Second, "with --watch: how often to look")
	f.DurationVar(&r.splay, "splay", 0, "with --watch: wait up to so long, by chance, before a restart, so that not all of a fleet restart at once")
	return c
}

// handover is what a program gets.
type handover struct {
	environ []string
	files   []launch.Variable
	secrets []redact.Secret
	keys    int
	mark    [sha256.Size]byte // differs when a value does; for --watch
	unread  *unread           // what was left out because it may not be read
}

func (env Env) run(cmd *cobra.Command, o *options, r *runOptions, args []string) error {
	began := time.Now()
	putOffGC() // most runs end here, replaced by the program, before what they read is worth collecting
	if err := r.check(); err != nil {
		return err
	}
	if err := r.fileFlags.read(env); err != nil {
		return err
	}
	p, err := findProject()
	if r.withoutProject(err) {
		return env.runBare(cmd, o, r, args)
	}
	if err != nil {
		return err
	}
	e, err := p.environment(r.env)
	if err != nil {
		return err
	}
	got, err := env.valuesFor(cmd.Context(), o, p, e, &r.away)
	if err != nil {
		return err
	}
	if !r.chose(got.values) {
		env.tellUnread(o, got.unread)
	}
	texts, err := r.choose(p, e, got.values)
	if err != nil {
		return err
	}
	dir, err := r.dirFor(texts)
	if err != nil {
		return err
	}
	if dir != nil {
		defer func() { _ = dir.Close() }() // the next run sweeps what is left
	}
	if r.reach, err = env.startReach(cmd.Context(), o, r, p); err != nil {
		return err
	}
	defer func() { _ = r.reach.Close() }() // nothing is left of it but a directory that the system sweeps
	h, err := r.handover(p, texts, got.unread, dir)
	if err != nil {
		return err
	}
	if !o.quiet && isTerminal(env.Stderr) {
		env.talk("keephold: %s · %s · %s · %d ms", e.name, plural(h.keys, "key"), got.origin(storeName(p)), time.Since(began).Milliseconds())
	}
	if !r.outlives() && dir == nil && launch.CanExec {
		return startFault(launch.Exec(args, h.environ))
	}
	return env.supervise(cmd.Context(), o, r, &watched{p: p, e: e, dir: dir, last: h}, args)
}

func storeName(p *project) string {
	if p.Store == "" {
		return "local"
	}
	return p.Store
}

func (r *runOptions) check() error {
	switch {
	case !slices.Contains([]string{"fail", "placeholder", "ignore"}, r.ifMissing):
		return usagef("--if-missing %q is none of fail, placeholder, ignore", r.ifMissing)
	case r.failOnLeak && !r.redact:
		return usagef("--fail-on-leak needs --redact")
	case r.reload != "" && !r.watch:
		return usagef("--reload-signal needs --watch")
	case r.every < 100*time.Millisecond:
		return usagef("--watch-interval is at least 100ms")
	}
	if r.reload != "" {
		if _, ok := launch.Signal(r.reload); !ok {
			return usagef("--reload-signal %q is none of HUP, USR1, USR2, INT, QUIT, TERM", r.reload)
		}
	}
	return nil
}

// valuesFor reads an environment and lets go of the keep: it is never held across the life of a program.
func (env Env) valuesFor(ctx context.Context, o *options, p *project, e environment, f *offlineFlags) (*sourced, error) {
	own := *o
	own.closers = nil
	got, err := env.valuesOf(ctx, &own, p, e, f)
	if closed := own.closeAll(); err == nil {
		err = closed
	}
	return got, err
}

// handover merges what was chosen into what the program inherits.
func (r *runOptions) handover(p *project, texts map[string]string, left *unread, dir *launch.Dir) (handover, error) {
	h := handover{unread: left}
	merge := launch.Merge{Allow: r.allow, Set: make([]launch.Variable, 0, len(texts)+1)}
	if !r.noInherit {
		merge.Inherit = os.Environ()
	}
	known := p.Settings.Index()
	for _, name := range sortedKeys(texts) {
		v := launch.Variable{Name: r.prefix + name, Value: secret.NewValue([]byte(texts[name]))}
		s := known[name]
		hidden := s == nil || s.Secret
		if hidden && r.redact {
			h.secrets = append(h.secrets, redact.Secret{Name: name, Value: texts[name]})
		}
		long := dir != nil && launch.TooLong(v.Name, v.Value.Len()) // one that has grown since the start is refused
		inFile := long || r.secretsDir && hidden
		if !inFile {
			merge.Set = append(merge.Set, v)
		}
		if inFile || r.secretsDir {
			h.files = append(h.files, v)
		}
		if inFile {
			merge.Set = append(merge.Set, launch.Variable{Name: v.Name + "_FILE", Value: secret.NewValue([]byte(dir.File(v.Name)))})
		}
	}
	if dir != nil {
		merge.Set = append(merge.Set, launch.Variable{Name: "KEEPHOLD_SECRETS_DIR", Value: secret.NewValue([]byte(dir.Path()))})
		mounted, err := r.rendered(texts)
		if err != nil {
			return h, err
		}
		if err := dir.Write(append(h.files, mounted...)); err != nil {
			return h, failf(exitCannotWrite, "%w", err)
		}
	}
	h.keys = len(texts)
	if r.watch {
		h.mark = markOf(texts)
	}
	var err error
	if h.environ, err = launch.Environment(merge); err != nil {
		return h, environFault(err)
	}
	h.environ, err = r.reach.environ(h.environ)
	return h, err
}

// markOf differs when a text does.
func markOf(texts map[string]string) [sha256.Size]byte {
	mark := sha256.New()
	for _, name := range sortedKeys(texts) {
		for _, s := range []string{name, "\x00", texts[name], "\x00"} {
			_, _ = io.WriteString(mark, s) // never fails
		}
	}
	return [sha256.Size]byte(mark.Sum(nil))
}

// chose says that every setting which was asked for by name is there: what else there is does not matter.
func (r *runOptions) chose(values map[string]value) bool {
	for _, name := range r.only {
		if _, ok := values[name]; !ok {
			return false
		}
	}
	return len(r.only) > 0
}

// choose applies --only and --if-missing.
func (r *runOptions) choose(p *project, e environment, values map[string]value) (map[string]string, error) {
	texts := make(map[string]string, len(values))
	for name, v := range values {
		if len(r.only) == 0 || slices.Contains(r.only, name) {
			texts[name] = v.text
		}
	}
	var missing []string
	for i := range p.Settings {
		s := &p.Settings[i]
		_, set := texts[s.Name]
		_, inherited := os.LookupEnv(s.Name)
		wanted := len(r.only) == 0 || slices.Contains(r.only, s.Name)
		hasDefault := s.Default != nil && *s.Default != ""
		if set || !wanted || hasDefault || !s.Required.Holds(e.name) || inherited && !r.noInherit {
			continue
		}
		if r.ifMissing == "placeholder" {
			texts[s.Name] = settings.Placeholder(s)
			continue
		}
		missing = append(missing, s.Name)
	}
	for _, name := range r.only {
		if _, ok := texts[name]; !ok && !slices.Contains(missing, name) && r.ifMissing == "fail" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 && r.ifMissing == "fail" {
		return nil, failf(exitNotFound, "%s has no value for %s; nothing was started", e.name, strings.Join(missing, ", ")).
			withHint("keephold set %s%s, or run with --if-missing=placeholder", missing[0], envFlag(p, e))
	}
	return texts, nil
}

func environFault(err error) error {
	if err == nil {
		return nil
	}
	f := failf(exitBadData, "%w; nothing was started", err)
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		return f.withHint("%s", hint.Hint())
	}
	return f
}

func startFault(err error) error {
	var start *launch.StartError
	if errors.As(err, &start) {
		return failf(start.Code, "%w", err)
	}
	return err
}

// supervise stays above the program.
func (env Env) supervise(ctx context.Context, o *options, r *runOptions, w *watched, args []string) error {
	lo := launch.Options{Grace: r.grace}
	var red *redact.Redactor
	if r.redact {
		lo.PTY = !r.noPTY && isTerminal(os.Stdin) && isTerminal(os.Stdout)
		if exe, err := os.Executable(); err == nil {
			lo.Monitor = []string{exe, os.Args[0]}
		}
		var refused []redact.Refusal
		// On a terminal a person types at prompts that end without a newline: nothing may be held back for a pattern.
		var rules []redact.Rule
		if w.p != nil {
			var err error
			if rules, err = w.p.redactRules(); err != nil {
				return err
			}
		}
		if lo.PTY && len(rules) > 0 {
			rules = nil
			env.talk("keephold: warning: the patterns of [redact] are not looked for on a terminal; with --no-pty they are")
		}
		red, refused = redact.New(w.last.secrets, redact.Options{Patterns: !lo.PTY, ValueOnly: lo.PTY, Rules: rules})
		for _, x := range refused {
			if !o.quiet {
				env.talk("keephold: warning: %s cannot be masked by value: %s", x.Name, x.Why)
			}
		}
		lo.Filter = func(to io.Writer) io.WriteCloser { return red.Writer(to) }
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if r.watch {
		restart := make(chan []string)
		lo.Restart = restart
		if r.reload != "" {
			lo.Reload, _ = launch.Signal(r.reload)
		}
		go func() {
			defer close(restart)
			env.watch(watching, o, r, w, red, restart)
		}()
	}
	// The program's end is what ends this, not a signal to us: launch passes signals on.
	code, err := launch.Supervise(context.WithoutCancel(ctx), args, w.last.environ, lo)
	if err != nil {
		return startFault(err)
	}
	if code == 0 && r.failOnLeak {
		for _, n := range red.Counts() {
			if n > 0 {
				return failf(exitLeak, "the program wrote a secret, which was masked")
			}
		}
	}
	if code != 0 {
		return silent(code)
	}
	return nil
}
