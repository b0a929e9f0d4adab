package vault

import (
	"strings"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// quotaRoutes administer limits on the rate of requests, https://openbao.org/api-docs/system/rate-limit-quotas/
// They belong to the root namespace: one tenant does not slow another down.
func quotaRoutes() []route {
	return []route{
		{list, "quotas/rate-limit", "vault.sys.quotas.list", listQuotas},
		{read, "quotas/rate-limit/{name}", "vault.sys.quotas.read", readQuota},
		{write, "quotas/rate-limit/{name}", "vault.sys.quotas.update", writeQuota},
		{remove, "quotas/rate-limit/{name}", "vault.sys.quotas.delete", dropQuota},
		{read, "quotas/config", "vault.sys.quotas.config.read", readQuotaConfig},
		{write, "quotas/config", "vault.sys.quotas.config.update", writeQuotaConfig},
	}
}

// askQuota is ask, in the root namespace only.
func (rq *request) askQuota(op policy.Operation) error {
	if err := rq.ask(op); err != nil {
		return err
	}
	if rq.ns != "" {
		return errUnsupportedPath
	}
	return nil
}

func listQuotas(rq *request) (answer, error) {
	if err := rq.askQuota("vault.sys.quotas.list"); err != nil {
		return answer{}, err
	}
	var names []string
	for _, q := range rq.front.desk.Table().Quotas() {
		names = append(names, q.Name)
	}
	return keys(names)
}

func readQuota(rq *request) (answer, error) {
	if err := rq.askQuota("vault.sys.quotas.read"); err != nil {
		return answer{}, err
	}
	for _, q := range rq.front.desk.Table().Quotas() {
		if q.Name == rq.args["name"] {
			path := q.Path
			if path != "" {
				path += "/"
			}
			return say(map[string]any{
				"name": q.Name, "type": "rate-limit", "path": path, "rate": q.Rate, "interval": seconds(q.Interval),
				"block_interval": seconds(q.Block), "role": "", "inheritable": true,
			})
		}
	}
	return answer{}, secret.ErrNotFound
}

func writeQuota(rq *request) (answer, error) {
	f := rq.fields
	q := registry.Quota{Name: rq.args["name"], Path: strings.Trim(f.text("path"), "/"), Interval: time.Second}
	var err error
	if q.Rate, err = f.decimal("rate"); err != nil {
		return answer{}, rq.refused(err)
	}
	if f.has("interval") {
		if q.Interval, err = f.duration("interval"); err != nil || q.Interval < time.Second {
			return answer{}, rq.refused(bad("'interval' must be at least one second"))
		}
	}
	if q.Block, err = f.duration("block_interval"); err != nil {
		return answer{}, rq.refused(err)
	}
	if f.text("role") != "" {
		return answer{}, rq.refused(bad("a limit for one role of a sign-in mount is not supported; limit the mount's path"))
	}
	if q.Path != "" {
		if _, err := secret.ParsePath(q.Path); err != nil {
			return answer{}, rq.refused(bad("path of the quota: %v", err))
		}
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.WriteQuota{Quota: q}); err != nil {
		return answer{}, err
	}
	return done()
}

func dropQuota(rq *request) (answer, error) {
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.DropQuota{Name: rq.args["name"]}); err != nil {
		return answer{}, err
	}
	return done()
}

func readQuotaConfig(rq *request) (answer, error) {
	if err := rq.askQuota("vault.sys.quotas.config.read"); err != nil {
		return answer{}, err
	}
	c := rq.front.desk.Table().QuotaConfig()
	return say(map[string]any{
		"enable_rate_limit_audit_logging": false, "enable_rate_limit_response_headers": c.Headers, "rate_limit_exempt_paths": c.Exempts(),
	})
}

func writeQuotaConfig(rq *request) (answer, error) {
	f := rq.fields
	if on, err := f.flag("enable_rate_limit_audit_logging"); err != nil || on {
		return answer{}, rq.refused(bad("enable_rate_limit_audit_logging is not supported: requests over a limit are counted, not recorded, so that they cannot fill the log"))
	}
	act := registry.WriteQuotaConfig{Change: func(c *registry.QuotaConfig) error {
		var err error
		if f.has("enable_rate_limit_response_headers") {
			if c.Headers, err = f.flag("enable_rate_limit_response_headers"); err != nil {
				return err
			}
		}
		if f.has("rate_limit_exempt_paths") {
			c.Exempt, err = f.list("rate_limit_exempt_paths")
			c.ExemptSet = true
		}
		return err
	}}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, act); err != nil {
		return answer{}, err
	}
	return done()
}
