package registry

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// errTenantQuota keeps limits, which act on everybody, in the hands of the root namespace.
var errTenantQuota = auth.Tell(secret.ErrUnsupported, "unsupported path: quotas belong to the root namespace")

// WriteQuota stores a rate limit.
type WriteQuota struct{ Quota Quota }

// Need of the act.
func (a WriteQuota) Need() record.Need {
	return record.Need{Action: "quota.write", Resource: "sys/quotas/rate-limit/" + a.Quota.Name, Capability: policy.Update}
}

// Plan stores the limit.
func (a WriteQuota) Plan(_ context.Context, c auth.Caller, _ record.View) (struct{}, []record.Change, error) {
	if c.From().Namespace != "" {
		return struct{}{}, nil, errTenantQuota
	}
	if _, err := secret.ParsePath(a.Quota.Name); err != nil {
		return struct{}{}, nil, fmt.Errorf("name of the quota: %w", err)
	}
	if !(a.Quota.Rate > 0) || a.Quota.Rate > 1e9 || a.Quota.Interval < 0 || a.Quota.Block < 0 {
		return struct{}{}, nil, fmt.Errorf("%w: 'rate' must be greater than zero and durations must not be negative", secret.ErrInvalid)
	}
	return struct{}{}, []record.Change{{Key: quotaPrefix + a.Quota.Name, Value: record.Encode(a.Quota)}}, nil
}

// DropQuota removes a rate limit.
type DropQuota struct{ Name string }

// Need of the act.
func (a DropQuota) Need() record.Need {
	return record.Need{Action: "quota.drop", Resource: "sys/quotas/rate-limit/" + a.Name, Capability: policy.Delete}
}

// Plan removes the limit, if there is one.
func (a DropQuota) Plan(_ context.Context, c auth.Caller, _ record.View) (struct{}, []record.Change, error) {
	if c.From().Namespace != "" {
		return struct{}{}, nil, errTenantQuota
	}
	return struct{}{}, []record.Change{{Key: quotaPrefix + a.Name, Delete: true}}, nil
}

// QuotaConfig is what all rate limits have in common.
type QuotaConfig struct {
	Headers   bool     // answers say how much of a limit is left
	Exempt    []string // paths without a limit
	ExemptSet bool     // false: the fronts' own list
}

const quotaConfigKey = Prefix + "quotaconfig"

// WriteQuotaConfig changes it.
type WriteQuotaConfig struct{ Change func(*QuotaConfig) error }

// Need of the act.
func (a WriteQuotaConfig) Need() record.Need {
	return record.Need{Action: "quota.config", Resource: "sys/quotas/config", Capability: policy.Update}
}

// Plan stores the change.
func (a WriteQuotaConfig) Plan(ctx context.Context, c auth.Caller, v record.View) (struct{}, []record.Change, error) {
	if c.From().Namespace != "" {
		return struct{}{}, nil, errTenantQuota
	}
	var q QuotaConfig
	r, err := record.LoadIf(ctx, v, quotaConfigKey, &q)
	if err != nil {
		return struct{}{}, nil, err
	}
	if err := a.Change(&q); err != nil {
		return struct{}{}, nil, err
	}
	return struct{}{}, []record.Change{r.Put(record.Encode(q))}, nil
}

// QuotaConfig answers what all rate limits have in common.
func (t *Table) QuotaConfig() QuotaConfig { return t.quotaConfig }

func (t *Table) addQuotaConfig(value []byte) error {
	if err := json.Unmarshal(value, &t.quotaConfig); err != nil {
		return fmt.Errorf("%s: %w: not readable", quotaConfigKey, secret.ErrDamaged)
	}
	return nil
}
