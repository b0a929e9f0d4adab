package vault

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

// Names for the parameters of a method value of the Desk.
type (
	contextOf = context.Context
	callerOf  = auth.Caller
)

// kv version 1, https://openbao.org/api-docs/secret/kv/kv-v1/

func routeKV1(rq *request, sp *secret.Space) (handler, error) {
	ref := secret.Ref{Namespace: rq.ns, Space: sp.Name}
	if rq.rest != "" {
		ref.Path, _ = secret.ParsePath(rq.rest) // the whole path was parsed
	}
	switch rq.op {
	case read:
		return func(rq *request) (answer, error) { return readKV1(rq, sp, ref) }, nil
	case write:
		return func(rq *request) (answer, error) { return writeKV1(rq, ref) }, nil
	case remove:
		return func(rq *request) (answer, error) {
			return emptyIfMissing(rq.front.desk.Delete(rq.ctx, rq.caller, ref))
		}, nil
	case list, scan:
		return func(rq *request) (answer, error) { return listNames(rq, ref) }, nil
	}
	return nil, rq.denied(errOperation)
}

// defaultLease is what the vendor answers for a kv v1 secret that names no ttl of its own.
const defaultLease = 768 * time.Hour

func readKV1(rq *request, sp *secret.Space, ref secret.Ref) (answer, error) {
	r, err := rq.front.desk.Read(rq.ctx, rq.caller, ref)
	if err != nil {
		return answer{}, err
	}
	a := answer{data: appendData(nil, r), mount: "kv", ttl: defaultLease}
	if sp.Settings.DefaultTTL > 0 {
		a.ttl = sp.Settings.DefaultTTL
	}
	if own, err := parseFields(a.data, 64); err == nil {
		for _, name := range []string{"ttl", "lease"} {
			if d, err := own.duration(name); err == nil && d > 0 {
				a.ttl = d
			}
		}
	}
	return a, nil
}

func writeKV1(rq *request, ref secret.Ref) (answer, error) {
	if len(rq.fields.raw) == 0 {
		return answer{}, rq.refused(bad("missing data fields"))
	}
	data, err := canonical(rq.body)
	if err != nil {
		return answer{}, rq.refused(err)
	}
	if _, err := rq.front.desk.Write(rq.ctx, rq.caller, ref, custody.Put{Value: secret.NewValue(data), Kind: secret.Map}); err != nil {
		return answer{}, err
	}
	return done()
}

// kvConfig is the configuration of a kv v2 mount.
func kvConfig(rq *request, sp *secret.Space) (handler, error) {
	resource := sp.Name + "/config"
	switch rq.op {
	case read:
		return func(rq *request) (answer, error) {
			need := record.Need{Action: "space.config", Resource: resource, Capability: policy.Read}
			if err := rq.front.desk.Ask(rq.ctx, rq.caller, need); err != nil {
				return answer{}, err
			}
			return say(map[string]any{
				"max_versions": sp.Settings.MaxVersions, "cas_required": sp.Settings.CASRequired, "delete_version_after": sp.Settings.DeleteAfter.String(),
			})
		}, nil
	case write:
		return func(rq *request) (answer, error) {
			_, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, registry.TuneSpace{Name: sp.Name, Action: resource, Change: rq.tuneKV})
			if err != nil {
				return answer{}, err
			}
			return done()
		}, nil
	}
	return nil, rq.refused(errOperation)
}

func (rq *request) tuneKV(s *secret.SpaceSettings) error {
	c, err := rq.configuration(&secret.Head{})
	if err != nil {
		return err
	}
	if c.MaxVersions != nil {
		s.MaxVersions = *c.MaxVersions
	}
	if c.CASRequired != nil {
		s.CASRequired = *c.CASRequired
	}
	if c.DeleteAfter != nil {
		s.DeleteAfter = max(*c.DeleteAfter, 0)
	}
	if rq.fields.has("folder_read") {
		if s.FolderRead, err = rq.fields.flag("folder_read"); err != nil {
			return err
		}
	}
	return nil
}
