package vault

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// systemRoutes is everything below sys/, https://openbao.org/api-docs/system/
func systemRoutes() []route {
	return slices.Concat(
		keyRoutes(),
		statusRoutes(),
		visibleRoutes(),
		spaceRoutes(),
		signInMountRoutes(),
		policyRoutes(),
		capabilityRoutes(),
		leaseRoutes(),
		wrappingRoutes(),
		auditRoutes(),
		quotaRoutes(),
		namespaceRoutes(),
		toolRoutes(),
		openAPIRoutes(),
		snapshotRoutes(),
		nodeRoutes(),
	)
}

func statusRoutes() []route {
	return []route{
		{read, "health", "vault.sys.health", health},
	}
}

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
