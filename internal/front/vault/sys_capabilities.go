package vault

import (
	"strings"

	"github.com/keephold/keephold/internal/auth"
)

// capabilityRoutes answer what a token may do, https://openbao.org/api-docs/system/capabilities/
func capabilityRoutes() []route {
	return []route{
		{write, "capabilities", "vault.sys.capabilities", func(rq *request) (answer, error) {
			return capabilities(rq, auth.ByToken(auth.NewProof([]byte(rq.fields.text("token")))))
		}},
		{write, "capabilities-self", "vault.sys.capabilities-self", func(rq *request) (answer, error) { return capabilities(rq, auth.Self()) }},
		{write, "capabilities-accessor", "vault.sys.capabilities-accessor", func(rq *request) (answer, error) {
			return capabilities(rq, auth.ByAccessor(rq.fields.text("accessor")))
		}},
	}
}

const maxCapabilityPaths = 1000

// capabilities answers by path, and for a single path in the member "capabilities" too.
func capabilities(rq *request, which auth.Which) (answer, error) {
	paths, err := rq.fields.list("paths")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	if len(paths) == 0 {
		if paths, err = rq.fields.list("path"); err != nil {
			return answer{}, rq.refused(err)
		}
	}
	if len(paths) == 0 {
		return answer{}, rq.refused(bad("paths must be supplied"))
	}
	if len(paths) > maxCapabilityPaths {
		return answer{}, rq.refused(bad("at most %d paths are answered at once", maxCapabilityPaths))
	}
	asked := make([]string, len(paths))
	for i, p := range paths {
		asked[i] = strings.TrimPrefix(p, "/")
	}
	found, err := rq.front.desk.Capabilities(rq.ctx, rq.caller, which, "sys/"+strings.TrimPrefix(rq.path, "sys/"), asked)
	if err != nil {
		return answer{}, err
	}
	all := map[string][]string{}
	for i, p := range paths {
		all[p] = found[i]
	}
	if len(paths) == 1 {
		all["capabilities"] = found[0]
	}
	return sayFlat(all)
}
