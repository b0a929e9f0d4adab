package vault

import (
	"github.com/keephold/keephold/internal/policy"
)

// auditRoutes show where records go. Where they go is decided by the server's own configuration alone: a path that a
// request may choose is a way to write files, https://openbao.org/api-docs/system/audit/
func auditRoutes() []route {
	const headers = "config/auditing/request-headers"
	return []route{
		{read, "audit", "vault.sys.audit.list", listAudit},
		{write, "audit/{path...}", "vault.sys.audit.enable", refuseAudit("vault.sys.audit.enable")},
		{remove, "audit/{path...}", "vault.sys.audit.disable", refuseAudit("vault.sys.audit.disable")},
		{write, "audit-hash/{path...}", "vault.sys.audit-hash", auditHash},
		{read, headers, "vault.sys.audited-headers.list", func(rq *request) (answer, error) {
			if err := rq.ask("vault.sys.audited-headers.list"); err != nil {
				return answer{}, err
			}
			return sayFlat(map[string]any{"headers": map[string]any{}})
		}},
		{read, headers + "/{name}", "vault.sys.audited-headers.read", func(rq *request) (answer, error) {
			if err := rq.ask("vault.sys.audited-headers.read"); err != nil {
				return answer{}, err
			}
			return answer{}, bad("Could not find header in config")
		}},
		{write, headers + "/{name}", "vault.sys.audited-headers.update", func(rq *request) (answer, error) {
			if err := rq.ask("vault.sys.audited-headers.update"); err != nil {
				return answer{}, err
			}
			return answer{}, bad("request headers are not recorded: a record holds an allow-list of fields, none of which a client can fill with a secret")
		}},
		{remove, headers + "/{name}", "vault.sys.audited-headers.delete", func(rq *request) (answer, error) {
			if err := rq.ask("vault.sys.audited-headers.delete"); err != nil {
				return answer{}, err
			}
			return done()
		}},
	}
}

// AuditDevice is one place that records go to, as the vendor shows it.
type AuditDevice struct {
	Path        string            `json:"path"` // ends in '/'
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Options     map[string]string `json:"options"`
	Local       bool              `json:"local"`
}

// theLog is always there: without it nothing is answered.
func theLog() AuditDevice {
	return AuditDevice{Path: "log/", Type: "file", Description: "the server's own log, which shows tampering", Options: map[string]string{}}
}

func listAudit(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.audit.list"); err != nil {
		return answer{}, err
	}
	all := map[string]AuditDevice{}
	for _, d := range append([]AuditDevice{theLog()}, rq.front.cfg.Audit...) {
		all[d.Path] = d
	}
	return sayFlat(all)
}

func refuseAudit(op policy.Operation) handler {
	return func(rq *request) (answer, error) {
		if err := rq.ask(op); err != nil {
			return answer{}, err
		}
		return answer{}, bad("audit devices are set in the server's own configuration, [audit] and [[audit.sink]], never by a request")
	}
}

// auditHash is what the log shows in place of a value, so that one can look for it.
func auditHash(rq *request) (answer, error) {
	if !rq.fields.has("input") {
		return answer{}, rq.refused(bad("the \"input\" parameter is empty"))
	}
	hash, earlier, err := rq.front.desk.AuditHash(rq.ctx, rq.caller, need("vault.sys.audit-hash", rq.path), rq.fields.text("input"))
	if err != nil {
		return answer{}, err
	}
	said := map[string]any{"hash": hash}
	if len(earlier) > 0 { // not the vendor's: what records of before a rotation of the key show
		said["earlier_hashes"] = earlier
	}
	return sayFlat(said)
}
