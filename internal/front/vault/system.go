package vault

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// systemRoutes is everything below sys/, https://openbao.org/api-docs/system/
func systemRoutes() []route {
	return slices.Concat(keyRoutes(), []route{
		{read, "health", "vault.sys.health", health},
		{read, "internal/ui/mounts", "vault.sys.internal.mounts", visibleMounts},
		{read, "internal/ui/mounts/{path...}", "vault.sys.internal.mount", mountOf},
	})
}

// identityRoutes is everything below identity/.
func identityRoutes() []route { return nil }

type healthAnswer struct {
	Initialized         bool   `json:"initialized"`
	Sealed              bool   `json:"sealed"`
	Standby             bool   `json:"standby"`
	PerformanceStandby  bool   `json:"performance_standby"`
	ReplicationPerf     string `json:"replication_performance_mode"`
	ReplicationRecovery string `json:"replication_dr_mode"`
	ServerTime          int64  `json:"server_time_utc"`
	Version             string `json:"version"`
	ClusterName         string `json:"cluster_name,omitempty"`
	ClusterID           string `json:"cluster_id,omitempty"`
}

// health answers in status codes that load balancers are set up for: 200, 429 standby, 501 not initialized, 503 sealed.
func health(rq *request) (answer, error) {
	initialized, err := rq.front.desk.Initialized(rq.ctx)
	if err != nil {
		return answer{}, err
	}
	h := healthAnswer{
		Initialized: initialized, Sealed: rq.front.desk.Sealed(), ServerTime: time.Now().Unix(), Version: rq.front.cfg.Version,
		ReplicationPerf: "disabled", ReplicationRecovery: "disabled",
	}
	status := rq.statusFor("activecode", http.StatusOK)
	switch {
	case !initialized:
		status = rq.statusFor("uninitcode", http.StatusNotImplemented)
	case h.Sealed:
		status = rq.statusFor("sealedcode", http.StatusServiceUnavailable)
	}
	return sayRaw(status, h)
}

func (rq *request) statusFor(name string, usual int) int {
	code, err := strconv.Atoi(rq.http.URL.Query().Get(name))
	if err != nil || code < 100 || code > 599 {
		return usual
	}
	return code
}

type mountInfo struct {
	Accessor    string            `json:"accessor"`
	Description string            `json:"description"`
	Local       bool              `json:"local"`
	Options     map[string]string `json:"options"`
	Path        string            `json:"path,omitempty"`
	Type        string            `json:"type"`
	UUID        string            `json:"uuid"`
	SealWrap    bool              `json:"seal_wrap"`
	External    bool              `json:"external_entropy_access"`
}

func spaceInfo(sp *secret.Space) mountInfo {
	version := "1"
	if sp.Versioned {
		version = "2"
	}
	return mountInfo{Accessor: sp.Accessor, Description: sp.Settings.Description, Options: map[string]string{"version": version}, Type: "kv", UUID: string(sp.ID)}
}

// mountOf is the preflight of every "kv" command line: which mount a path belongs to, and of which version it is. Any
// token with some capability below the mount may ask.
func mountOf(rq *request) (answer, error) {
	denied := rq.refused(&statusError{http.StatusForbidden, "preflight capability check returned 403, please ensure client's policies grant access to path " + strconv.Quote(rq.args["path"]+"/")})
	table := rq.front.desk.Table()
	if table == nil {
		return answer{}, secret.ErrSealed
	}
	sp, _, ok := table.ResolveSpace(rq.ns, rq.args["path"])
	if !ok || rq.caller.Refusal() != nil || !rq.front.desk.KnowsOf(rq.caller, sp) {
		return answer{}, denied
	}
	info := spaceInfo(sp)
	info.Path = sp.Name + "/"
	return say(info)
}

// visibleMounts lists what the caller may know of: mounts it can reach, and those shown to everybody.
func visibleMounts(rq *request) (answer, error) {
	table := rq.front.desk.Table()
	if table == nil {
		return answer{}, secret.ErrSealed
	}
	spaces, mounts := map[string]mountInfo{}, map[string]mountInfo{}
	known := rq.caller.Refusal() == nil
	for _, sp := range table.Spaces(rq.ns) {
		if known && rq.front.desk.KnowsOf(rq.caller, sp) {
			spaces[sp.Name+"/"] = spaceInfo(sp)
		}
	}
	for _, m := range table.Mounts(rq.ns) {
		if known && rq.caller.Powers().HasAnyBelow("auth/"+m.Name+"/") {
			mounts[m.Name+"/"] = mountInfo{Accessor: m.Accessor, Description: m.Tuning.Description, Type: m.Type, UUID: m.ID}
		}
	}
	return say(map[string]any{"secret": spaces, "auth": mounts})
}
