package vault

import (
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/record"
)

// leaseRoutes are the leases, which here are those of tokens, https://openbao.org/api-docs/system/leases/
func leaseRoutes() []route {
	return []route{
		{write, "leases/lookup", "vault.sys.leases.lookup", lookupLease},
		{list, "leases/lookup/{prefix...}", "vault.sys.leases.list", listLeases},
		{write, "leases/renew/{id...}", "vault.sys.leases.renew", renewLease},
		{write, "renew/{id...}", "vault.sys.renew-legacy", renewLease},
		{write, "leases/revoke/{id...}", "vault.sys.leases.revoke", revokeLease},
		{write, "revoke/{id...}", "vault.sys.revoke-legacy", revokeLease},
		{write, "leases/revoke-prefix/{prefix...}", "vault.sys.leases.revoke-prefix", func(rq *request) (answer, error) { return revokePrefix(rq, false) }},
		{write, "leases/revoke-force/{prefix...}", "vault.sys.leases.revoke-force", func(rq *request) (answer, error) { return revokePrefix(rq, true) }},
		{write, "revoke-prefix/{prefix...}", "vault.sys.leases.revoke-prefix", func(rq *request) (answer, error) { return revokePrefix(rq, false) }},
		{write, "revoke-force/{prefix...}", "vault.sys.leases.revoke-force", func(rq *request) (answer, error) { return revokePrefix(rq, true) }},
		{write, "leases/tidy", "vault.sys.leases.tidy", tidyLeases},
		{read, "leases/count", "vault.sys.leases.count", countLeases},
	}
}

// leaseID stands in the path or in the body.
func (rq *request) leaseID() (string, error) {
	id := rq.args["id"]
	if id == "" {
		id = rq.fields.text("lease_id")
	}
	if id == "" {
		return "", rq.refused(bad("lease_id must be specified"))
	}
	return id, nil
}

func lookupLease(rq *request) (answer, error) {
	id, err := rq.leaseID()
	if err != nil {
		return answer{}, err
	}
	l, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.LookupLease{ID: id})
	if err != nil {
		return answer{}, err
	}
	a := map[string]any{"id": l.ID, "issue_time": string(appendTime(nil, l.Issued)), "expire_time": nil, "last_renewal": nil, "renewable": l.Renewable, "ttl": seconds(l.Left)}
	if !l.Expires.IsZero() {
		a["expire_time"] = string(appendTime(nil, l.Expires))
	}
	if !l.Renewed.IsZero() {
		a["last_renewal"] = string(appendTime(nil, l.Renewed))
	}
	return say(a)
}

func listLeases(rq *request) (answer, error) {
	names, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.ListLeases{Prefix: rq.args["prefix"]})
	if err != nil {
		return answer{}, err
	}
	return keys(names)
}

func renewLease(rq *request) (answer, error) {
	id, err := rq.leaseID()
	if err != nil {
		return answer{}, err
	}
	increment, err := rq.fields.duration("increment")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	l, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.RenewLease{ID: id, Increment: increment})
	return answer{lease: l.ID, ttl: l.Left, renews: l.Renewable}, err
}

// revokeLease is done when it is answered, whatever the client says about waiting.
func revokeLease(rq *request) (answer, error) {
	id, err := rq.leaseID()
	if err != nil {
		return answer{}, err
	}
	if _, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.RevokeLease{ID: id}); err != nil {
		return answer{}, err
	}
	return done()
}

func revokePrefix(rq *request, force bool) (answer, error) {
	for {
		swept, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.RevokePrefix{Prefix: rq.args["prefix"], Force: force})
		if err != nil {
			return answer{}, err
		}
		if !swept.More {
			return done()
		}
	}
}

// leaseTidy is auth's act under the name that this path has in policies.
type leaseTidy struct{ auth.Tidy }

func (leaseTidy) Need() record.Need { return need("vault.sys.leases.tidy", "sys/leases/tidy") }

func tidyLeases(rq *request) (answer, error) {
	cursor := ""
	for {
		next, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, leaseTidy{auth.Tidy{Cursor: cursor}})
		if err != nil {
			return answer{}, err
		}
		if cursor = next; cursor == "" {
			return done()
		}
	}
}

func countLeases(rq *request) (answer, error) {
	if kind := rq.http.URL.Query().Get("type"); kind == "irrevocable" {
		if err := rq.ask("vault.sys.leases.count"); err != nil {
			return answer{}, err
		}
		return say(map[string]any{"lease_count": 0, "counts": map[string]int{}}) // revoking asks nothing of anybody else
	}
	n, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, auth.CountLeases{})
	if err != nil {
		return answer{}, err
	}
	return say(map[string]any{"lease_count": n.Total, "counts": n.By})
}
