package vault

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// spaceRoutes administer the secret engines' mounts, https://openbao.org/api-docs/system/mounts/
func spaceRoutes() []route {
	return []route{
		{read, "mounts", "vault.sys.mounts.list", listSpaces},
		{read, "mounts/auth/{path...}/tune", "vault.sys.auth.tune.read", readMountTuning}, // as the vendor's command line asks
		{write, "mounts/auth/{path...}/tune", "vault.sys.auth.tune.update", tuneMount},
		{read, "mounts/{path...}/tune", "vault.sys.mounts.tune.read", readSpaceTuning},
		{write, "mounts/{path...}/tune", "vault.sys.mounts.tune.update", tuneSpace},
		{read, "mounts/{path...}", "vault.sys.mounts.read", readSpace},
		{write, "mounts/{path...}", "vault.sys.mounts.enable", enableSpace},
		{remove, "mounts/{path...}", "vault.sys.mounts.disable", disableSpace},
		{write, "remount", "vault.sys.remount", remount},
		{read, "remount/status/{id}", "vault.sys.remount.status", remountStatus},
	}
}

// mountInfo is one mount as the vendor shows it.
type mountInfo struct {
	Accessor    string            `json:"accessor"`
	Config      *mountConfig      `json:"config,omitempty"`
	Description string            `json:"description"`
	Local       bool              `json:"local"`
	Options     map[string]string `json:"options"`
	Path        string            `json:"path,omitempty"`
	Type        string            `json:"type"`
	UUID        string            `json:"uuid"`
	SealWrap    bool              `json:"seal_wrap"`
	External    bool              `json:"external_entropy_access"`
	Plugin      string            `json:"plugin_version"`
	Running     string            `json:"running_plugin_version"`
	RunningSum  string            `json:"running_sha256"`
}

type mountConfig struct {
	DefaultTTL int64  `json:"default_lease_ttl"`
	MaxTTL     int64  `json:"max_lease_ttl"`
	NoCache    bool   `json:"force_no_cache"`
	Visibility string `json:"listing_visibility,omitempty"`
	TokenType  string `json:"token_type,omitempty"`
	FolderRead bool   `json:"folder_read,omitempty"`
	Protected  bool   `json:"protected,omitempty"`

	Lockout *lockoutInfo `json:"user_lockout_config,omitempty"`
}

func visibility(listed bool) string {
	if listed {
		return "unauth"
	}
	return ""
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func spaceInfo(sp *secret.Space) mountInfo {
	version := "1"
	if sp.Versioned {
		version = "2"
	}
	s := &sp.Settings
	return mountInfo{
		Accessor: sp.Accessor, Description: s.Description, Options: map[string]string{"version": version}, Type: "kv", UUID: string(sp.ID),
		Config: &mountConfig{
			DefaultTTL: seconds(s.DefaultTTL), MaxTTL: seconds(s.MaxTTL), Visibility: visibility(s.Listed),
			FolderRead: s.FolderRead, Protected: s.Protected,
		},
	}
}

// systemMounts are what the vendor lists beside the Spaces: places that are always there.
func systemMounts() map[string]mountInfo {
	m := map[string]mountInfo{}
	for name, description := range map[string]string{
		"cubbyhole": "per-token private secret storage", "identity": "identity store", "sys": "system endpoints used for control, policy and debugging",
	} {
		kind := name
		if name == "sys" {
			kind = "system"
		}
		m[name+"/"] = mountInfo{Accessor: kind + "_builtin", Description: description, Type: kind, Config: &mountConfig{}, UUID: kind}
	}
	return m
}

func listSpaces(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.mounts.list"); err != nil {
		return answer{}, err
	}
	all := systemMounts()
	for _, sp := range rq.front.desk.Table().Spaces(rq.ns) {
		all[sp.Name+"/"] = spaceInfo(sp)
	}
	return sayFlat(all)
}

func readSpace(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.mounts.read"); err != nil {
		return answer{}, err
	}
	name := rq.args["path"]
	if info, ok := systemMounts()[name+"/"]; ok {
		return sayFlat(info)
	}
	if below, ok := strings.CutPrefix(name, "auth/"); ok { // newer clients ask here, where it takes no sudo
		if m, ok := rq.front.desk.Table().Mount(rq.ns, below); ok {
			return sayFlat(signInInfo(m))
		}
	}
	sp, ok := rq.front.desk.Table().Space(rq.ns, name)
	if !ok {
		return answer{}, bad("No secret engine mount at %s/", name)
	}
	return sayFlat(spaceInfo(sp))
}

// enableSpace makes a Space. Without a version the vendor's "kv" is version 1.
func enableSpace(rq *request) (answer, error) {
	sp := secret.Space{Name: rq.args["path"]}
	kind := rq.fields.text("type")
	options, err := rq.fields.pairs("options")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	version := options["version"]
	switch kind {
	case "kv-v2":
		version = "2"
	case "kv-v1", "generic":
		version = "1"
	case "kv":
	case "":
		return answer{}, rq.refused(bad("backend type must be specified as a string"))
	default:
		return answer{}, rq.refused(bad("plugin not found in the catalog: %s (this server's secret engine is \"kv\")", kind))
	}
	switch version {
	case "2":
		sp.Versioned = true
	case "", "1":
	default:
		return answer{}, rq.refused(bad("options.version must be \"1\" or \"2\""))
	}
	config, err := rq.fields.object("config")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	sp.Settings.Description = rq.fields.text("description")
	if err := tuneFrom(config, &sp.Settings); err != nil {
		return answer{}, rq.refused(err)
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.MakeSpace{Space: sp}); err != nil {
		return answer{}, err
	}
	return done()
}

// tuneFrom reads the members that a mount's configuration and its tuning have in common.
func tuneFrom(f fields, s *secret.SpaceSettings) error {
	var err error
	for name, to := range map[string]*time.Duration{"default_lease_ttl": &s.DefaultTTL, "max_lease_ttl": &s.MaxTTL} {
		if err = f.ttl(name, to); err != nil {
			return err
		}
	}
	if s.MaxTTL > 0 && s.DefaultTTL > s.MaxTTL {
		return bad("backend default lease TTL of %d would be greater than its max lease TTL of %d", seconds(s.DefaultTTL), seconds(s.MaxTTL))
	}
	for name, to := range map[string]*bool{"folder_read": &s.FolderRead, "protected": &s.Protected} {
		if f.has(name) {
			if *to, err = f.flag(name); err != nil {
				return err
			}
		}
	}
	return f.visibility(&s.Listed)
}

// ttl reads a lifetime: seconds, a duration, or "system" for the server's own.
func (f fields) ttl(name string, to *time.Duration) error {
	if !f.has(name) {
		return nil
	}
	if f.text(name) == "system" {
		*to = 0
		return nil
	}
	d, err := f.duration(name)
	if err == nil && d < 0 {
		err = bad("%s must not be negative", name)
	}
	if err == nil {
		*to = d
	}
	return err
}

func (f fields) visibility(to *bool) error {
	if !f.has("listing_visibility") {
		return nil
	}
	switch v := f.text("listing_visibility"); v {
	case "unauth":
		*to = true
	case "", "hidden":
		*to = false
	default:
		return bad("invalid listing visibility type %q: use \"unauth\" or \"hidden\"", v)
	}
	return nil
}

func disableSpace(rq *request) (answer, error) {
	name := rq.args["path"]
	if _, ok := systemMounts()[name+"/"]; ok {
		return answer{}, rq.refused(bad("cannot unmount %q", name+"/"))
	}
	_, err := rq.front.desk.DropSpace(rq.ctx, rq.caller, name)
	if errors.Is(err, secret.ErrNotFound) {
		return answer{}, bad("no matching mount")
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

type tuning struct {
	mountConfig
	Description string            `json:"description"`
	Options     map[string]string `json:"options,omitempty"`
}

func readSpaceTuning(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.mounts.tune.read"); err != nil {
		return answer{}, err
	}
	name := rq.args["path"]
	info, ok := systemMounts()[name+"/"]
	if !ok {
		sp, found := rq.front.desk.Table().Space(rq.ns, name)
		if !found {
			return answer{}, bad("cannot fetch sysview for path %q", name+"/")
		}
		info = spaceInfo(sp)
	}
	return sayTuning(info)
}

// sayTuning answers the lifetimes that hold: the system's where the mount has none of its own.
func sayTuning(info mountInfo) (answer, error) {
	c := *info.Config
	c.DefaultTTL, c.MaxTTL = cmp.Or(c.DefaultTTL, seconds(auth.SystemTTL)), cmp.Or(c.MaxTTL, seconds(auth.SystemTTL))
	return sayFlat(tuning{c, info.Description, info.Options})
}

func tuneSpace(rq *request) (answer, error) {
	f, name := rq.fields, rq.args["path"]
	options, err := f.pairs("options")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	act := registry.TuneSpace{Name: name, Upgrade: options["version"], Change: func(s *secret.SpaceSettings) error {
		if f.has("description") {
			s.Description = f.text("description")
		}
		return tuneFrom(f, s)
	}}
	_, err = custody.Do(rq.ctx, rq.front.desk, rq.caller, act)
	if errors.Is(err, secret.ErrNotFound) {
		return answer{}, bad("no mount entry found for %q", name+"/")
	}
	if err != nil {
		return answer{}, err
	}
	return done()
}

// remount renames a Space. It is done when it is answered; the id is for clients that ask how far it is.
func remount(rq *request) (answer, error) {
	from, to := strings.Trim(rq.fields.text("from"), "/"), strings.Trim(rq.fields.text("to"), "/")
	if from == "" || to == "" {
		return answer{}, rq.refused(bad("both 'from' and 'to' path must be specified as a string"))
	}
	if strings.HasPrefix(from+"/", "auth/") || strings.HasPrefix(to+"/", "auth/") {
		return answer{}, rq.refused(bad("cannot remount auth mounts: what signed in there goes by the mount's path; enable a new one"))
	}
	_, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.RenameSpace{From: from, To: to})
	if errors.Is(err, secret.ErrNotFound) {
		return answer{}, bad("no matching mount at %q", from+"/")
	}
	if err != nil {
		return answer{}, err
	}
	id := newRequestID()
	rq.front.remounts.Add(id, migration{rq.ns, from + "/", to + "/"})
	return sayFlat(map[string]string{"migration_id": id})
}

// migration is a remount that was done. The front remembers the last ones; nothing depends on it.
type migration struct {
	ns       secret.NamespaceID
	from, to string
}

const rememberedRemounts = 256

func remountStatus(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.remount.status"); err != nil {
		return answer{}, err
	}
	m, ok := rq.front.remounts.Get(rq.args["id"])
	if !ok || m.ns != rq.ns {
		return answer{}, &statusError{http.StatusNotFound, "no migration with this id"}
	}
	return say(map[string]any{
		"migration_id":   rq.args["id"],
		"migration_info": map[string]string{"source_mount": m.from, "target_mount": m.to, "status": "success"},
	})
}
