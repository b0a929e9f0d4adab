package vault

import "net/http"

// Row is one row of the tables of sys/ and identity/, for tests.
type Row struct {
	Method, Path string
	Open         bool
}

// Rows lists them, one for each operation.
func (f *Front) Rows() []Row {
	var rows []Row
	methods := []struct {
		op   op
		name string
	}{{read, http.MethodGet}, {write, http.MethodPost}, {remove, http.MethodDelete}, {list, "LIST"}, {patch, http.MethodPatch}, {scan, "SCAN"}}
	for prefix, table := range map[string][]route{"sys/": f.sys, "identity/": identityRoutes()} {
		for _, r := range table {
			for _, m := range methods {
				if r.ops&m.op != 0 {
					rows = append(rows, Row{m.name, prefix + r.pattern, r.policy.Open()})
				}
			}
		}
	}
	return rows
}
