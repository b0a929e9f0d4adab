package vault

import (
	"net/http"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// rotateRoutes are the keyring's, https://openbao.org/api-docs/system/rotate/, and those of a cluster, of which this
// server is the only member.
func rotateRoutes() []route {
	return []route{
		{write, "rotate", "vault.sys.rotate", rotate},
		{write, "rotate/keyring", "vault.sys.rotate.keyring", rotate},
		{read, "rotate/config", "vault.sys.rotate.config.read", rotateConfig},
		{write, "rotate/config", "vault.sys.rotate.config.update", setRotateConfig},
		{read, "rotate/keyring/config", "vault.sys.rotate.root.read", rotateConfig},
		{write, "rotate/keyring/config", "vault.sys.rotate.root.update", setRotateConfig},
		{write, "rotate/root", "vault.sys.rotate.root.update", rotateRoot},
		{write, "rotate/purpose/{purpose}", "vault.sys.rotate.root.update", rotatePurpose}, // ours
		{read, "key-status", "vault.sys.key-status", keyStatus},
		{read, "leader", "vault.sys.leader", leader},
		{read, "ha-status", "vault.sys.ha-status", haStatus},
		{write, "step-down", "vault.sys.step-down", stepDown},
	}
}

func rotate(rq *request) (answer, error) {
	if err := rq.front.desk.Rotate(rq.ctx, rq.caller, rq.resource()); err != nil {
		return answer{}, err
	}
	return done()
}

func rotateRoot(rq *request) (answer, error) {
	if err := rq.front.desk.RotateRoot(rq.ctx, rq.caller, rq.resource()); err != nil {
		return answer{}, err
	}
	return done()
}

func rotatePurpose(rq *request) (answer, error) {
	if err := rq.front.desk.RotatePurpose(rq.ctx, rq.caller, rq.resource(), rq.args["purpose"]); err != nil {
		return answer{}, err
	}
	return done()
}

func keyStatus(rq *request) (answer, error) {
	s, err := rq.front.desk.KeyStatus(rq.ctx, rq.caller, rq.resource())
	if err != nil {
		return answer{}, err
	}
	return sayFlat(struct {
		Term        uint32 `json:"term"`
		InstallTime string `json:"install_time"`
		Encryptions uint64 `json:"encryptions"`
		Rotating    bool   `json:"rotating"` // ours
		Rewrapped   uint64 `json:"rewrapped"`
	}{s.Term, s.Installed.UTC().Format(time.RFC3339Nano), s.Seals, s.Rotating, s.Rewrapped})
}

func rotateConfig(rq *request) (answer, error) {
	c, err := rq.front.desk.RotateConfig(rq.ctx, rq.caller, rq.resource())
	if err != nil {
		return answer{}, err
	}
	var interval any = 0
	if c.Interval > 0 {
		interval = c.Interval.String()
	}
	return sayFlat(struct {
		Enabled       bool  `json:"enabled"`
		Interval      any   `json:"interval"`
		MaxOperations int64 `json:"max_operations"`
	}{c.Enabled, interval, c.MaxOperations})
}

func setRotateConfig(rq *request) (answer, error) {
	on, err := rq.fields.flag("enabled")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	operations, err := rq.fields.number("max_operations")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	interval, err := rq.fields.duration("interval")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	err = rq.front.desk.SetRotateConfig(rq.ctx, rq.caller, rq.resource(), func(c *custody.RotateConfig) {
		if rq.fields.has("enabled") {
			c.Enabled = on
		}
		if rq.fields.has("max_operations") {
			c.MaxOperations = operations
		}
		if rq.fields.has("interval") {
			c.Interval = interval
		}
	})
	if err != nil {
		return answer{}, err
	}
	return done()
}

func leader(*request) (answer, error) {
	return sayRaw(http.StatusOK, struct {
		HA            bool   `json:"ha_enabled"`
		Self          bool   `json:"is_self"`
		ActiveTime    string `json:"active_time"`
		Address       string `json:"leader_address"`
		Cluster       string `json:"leader_cluster_address"`
		Standby       bool   `json:"performance_standby"`
		LastRemoteWAL int    `json:"performance_standby_last_remote_wal"`
	}{ActiveTime: "0001-01-01T00:00:00Z"})
}

func haStatus(rq *request) (answer, error) {
	if err := rq.front.desk.Ask(rq.ctx, rq.caller, record.Need{Action: "ha-status", Resource: "sys/ha-status", Capability: policy.Read}); err != nil {
		return answer{}, err
	}
	type node struct {
		Hostname string  `json:"hostname"`
		API      string  `json:"api_address"`
		Cluster  string  `json:"cluster_address"`
		Active   bool    `json:"active_node"`
		LastEcho *string `json:"last_echo"`
		Version  string  `json:"version"`
	}
	return sayFlat(struct {
		Nodes []node `json:"nodes"`
	}{[]node{{Hostname: rq.front.cfg.Node, Active: true, Version: rq.front.cfg.Version}}})
}

// stepDown has nobody to step down for; whoever may ask is told that nothing was done, as the vendor does.
func stepDown(rq *request) (answer, error) {
	if rq.front.desk.Sealed() {
		return answer{}, secret.ErrSealed
	}
	err := rq.front.desk.Ask(rq.ctx, rq.caller, record.Need{Action: "step-down", Resource: "sys/step-down", Capability: policy.Update, Sudo: true})
	if err != nil {
		return answer{}, err
	}
	return done()
}
