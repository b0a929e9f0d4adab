package vault

import (
	"errors"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// signInMountRoutes administer the places to sign in, https://openbao.org/api-docs/system/auth/
func signInMountRoutes() []route {
	return []route{
		{read, "auth", "vault.sys.auth.list", listMounts},
		{read, "auth/{path...}/tune", "vault.sys.auth.tune.read", readMountTuning},
		{write, "auth/{path...}/tune", "vault.sys.auth.tune.update", tuneMount},
		{read, "auth/{path...}", "vault.sys.auth.read", readMount},
		{write, "auth/{path...}", "vault.sys.auth.enable", enableMount},
		{remove, "auth/{path...}", "vault.sys.auth.disable", disableMount},
	}
}

func signInInfo(m *registry.Mount) mountInfo {
	t := &m.Tuning
	kind := t.TokenType
	if kind == "" {
		kind = "default-service"
	}
	return mountInfo{
		Accessor: m.Accessor, Description: t.Description, Options: t.Options, Type: m.Type, UUID: m.ID,
		Config: &mountConfig{DefaultTTL: seconds(t.DefaultTTL), MaxTTL: seconds(t.MaxTTL), Visibility: visibility(t.Listed), TokenType: kind, Lockout: lockoutOf(t.Lockout)},
	}
}

func listMounts(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.auth.list"); err != nil {
		return answer{}, err
	}
	all := map[string]mountInfo{}
	for _, m := range rq.front.desk.Table().Mounts(rq.ns) {
		all[m.Name+"/"] = signInInfo(m)
	}
	return sayFlat(all)
}

func readMount(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.auth.read"); err != nil {
		return answer{}, err
	}
	m, ok := rq.front.desk.Table().Mount(rq.ns, rq.args["path"])
	if !ok {
		return answer{}, bad("No auth engine at %s/", rq.args["path"])
	}
	return sayFlat(signInInfo(m))
}

func enableMount(rq *request) (answer, error) {
	f := rq.fields
	m := registry.Mount{Name: rq.args["path"], Type: f.text("type")}
	switch _, ok := rq.front.mount[m.Type]; {
	case m.Type == "":
		return answer{}, rq.refused(bad("backend type must be specified as a string"))
	case m.Type == "token":
		return answer{}, rq.refused(bad("token credential backend cannot be instantiated"))
	case !ok:
		return answer{}, rq.refused(bad("plugin not found in the catalog: %s", m.Type))
	}
	config, err := f.object("config")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	m.Tuning.Description = f.text("description")
	if m.Tuning.Options, err = f.pairs("options"); err != nil {
		return answer{}, rq.refused(err)
	}
	if err := tuneMountFrom(config, &m.Tuning); err != nil {
		return answer{}, rq.refused(err)
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.MakeMount{Mount: m}); err != nil {
		return answer{}, err
	}
	return done()
}

func tuneMountFrom(f fields, t *registry.Tuning) error {
	for name, to := range map[string]*time.Duration{"default_lease_ttl": &t.DefaultTTL, "max_lease_ttl": &t.MaxTTL} {
		if err := f.ttl(name, to); err != nil {
			return err
		}
	}
	if t.MaxTTL > 0 && t.DefaultTTL > t.MaxTTL {
		return bad("backend default lease TTL of %d would be greater than its max lease TTL of %d", seconds(t.DefaultTTL), seconds(t.MaxTTL))
	}
	if f.has("token_type") {
		switch v := f.text("token_type"); v {
		case "service", "batch", "default-service", "default-batch":
			t.TokenType = v
		case "":
			t.TokenType = ""
		default:
			return bad("invalid value for 'token_type': %q", v)
		}
	}
	if err := tuneLockout(f, &t.Lockout); err != nil {
		return err
	}
	return f.visibility(&t.Listed)
}

// maxLockout bounds what may be asked for: a lock-out of years is a way to keep somebody out for ever.
const maxLockout = 24 * time.Hour

// tuneLockout reads user_lockout_config. Zero gives a field back to the server.
func tuneLockout(f fields, l *registry.Lockout) error {
	if !f.has("user_lockout_config") {
		return nil
	}
	in, err := f.object("user_lockout_config")
	if err != nil {
		return err
	}
	if in.has("lockout_threshold") {
		n, err := in.number("lockout_threshold")
		if err != nil || n < 0 || n > 1_000_000 {
			return bad("invalid value for 'lockout_threshold'")
		}
		l.Threshold = int(n)
	}
	for name, to := range map[string]*time.Duration{"lockout_duration": &l.Duration, "lockout_counter_reset": &l.Reset} {
		if !in.has(name) {
			continue
		}
		d, err := in.duration(name)
		if err != nil || d < 0 || d > maxLockout {
			return bad("invalid value for %q: at most %s", name, maxLockout)
		}
		*to = d
	}
	if in.has("lockout_disable") {
		if l.Disabled, err = in.flag("lockout_disable"); err != nil {
			return err
		}
	}
	return nil
}

// lockoutInfo is what the vendor shows of a mount whose lock-out is tuned.
type lockoutInfo struct {
	Threshold int   `json:"lockout_threshold"`
	Duration  int64 `json:"lockout_duration"`
	Reset     int64 `json:"lockout_counter_reset"`
	Disabled  bool  `json:"lockout_disable"`
}

func lockoutOf(l registry.Lockout) *lockoutInfo {
	if l == (registry.Lockout{}) {
		return nil
	}
	return &lockoutInfo{l.Threshold, seconds(l.Duration), seconds(l.Reset), l.Disabled}
}

// disableMount takes a place to sign in away, and with it every token that was given there.
func disableMount(rq *request) (answer, error) {
	err := rq.front.desk.DropMount(rq.ctx, rq.caller, rq.args["path"])
	if errors.Is(err, secret.ErrNotFound) {
		return answer{}, bad("no matching mount")
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

func readMountTuning(rq *request) (answer, error) {
	name := rq.args["path"]
	if err := rq.askFor("vault.sys.auth.tune.read", "sys/auth/"+name+"/tune"); err != nil {
		return answer{}, err
	}
	m, ok := rq.front.desk.Table().Mount(rq.ns, name)
	if !ok {
		return answer{}, bad("cannot fetch sysview for path %q", "auth/"+name+"/")
	}
	info := signInInfo(m)
	return sayTuning(info)
}

func tuneMount(rq *request) (answer, error) {
	f, name := rq.fields, rq.args["path"]
	_, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.TuneMount{Name: name, Change: func(t *registry.Tuning) error {
		if f.has("description") {
			t.Description = f.text("description")
		}
		return tuneMountFrom(f, t)
	}})
	if errors.Is(err, secret.ErrNotFound) {
		return answer{}, bad("no mount entry found for %q", "auth/"+name+"/")
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}
