package vault

import (
	"strings"

	"github.com/keephold/keephold/internal/policy"
)

// handler answers one request. An answer beside an error is a body that goes out with the error's status.
type handler func(*request) (answer, error)

// route is a row of a literal table. In a pattern {x} is one segment and {x...} the rest, which may be empty.
type route struct {
	ops     op
	pattern string
	policy  policy.Operation // the row of policy's table that says what it takes; a test looks each one up
	do      handler
}

// route finds who answers: the system's table, a sign-in mount's, or the Space that the path begins with.
func (f *Front) route(rq *request) (handler, error) {
	if rq.lost {
		return nil, rq.unknownPath()
	}
	first, rest, _ := strings.Cut(rq.path, "/")
	switch first {
	case "sys":
		return match(f.sys, rq, rest)
	case "cubbyhole":
		rq.rest = rest
		return cubbyhole(rq)
	case "auth":
		return f.routeMount(rq, rest)
	case "identity":
		return match(identityRoutes(), rq, rest)
	}
	table := f.desk.Table()
	if table == nil {
		return nil, sealedError(f, rq)
	}
	sp, rest, ok := table.ResolveSpace(rq.ns, rq.path)
	if !ok {
		return nil, rq.unknownPath()
	}
	if rest == "" && rq.op&(list|scan) == 0 && !sp.Versioned {
		return nil, rq.denied(errUnsupportedPath)
	}
	if err := rq.refuseFolder(sp); err != nil {
		return nil, err
	}
	rq.rest = rest
	if sp.Versioned {
		return routeKV2(rq, sp)
	}
	return routeKV1(rq, sp)
}

func (f *Front) routeMount(rq *request, rest string) (handler, error) {
	table := f.desk.Table()
	if table == nil {
		return nil, sealedError(f, rq)
	}
	m, rest, ok := table.ResolveMount(rq.ns, rest)
	if !ok {
		return nil, rq.unknownPath()
	}
	do, err := match(f.mount[m.Type], rq, rest)
	if err != nil {
		return nil, err
	}
	rq.args["mount"] = m.Name
	return func(rq *request) (answer, error) {
		a, err := do(rq)
		a.mount = m.Type
		return a, err
	}, nil
}

// match finds the row for a path and an operation. A path that has rows, none of them for the operation, is the
// vendor's "unsupported operation".
func match(table []route, rq *request, path string) (handler, error) {
	found := false
	for _, r := range table {
		args, ok := r.match(path)
		if !ok {
			continue
		}
		found = true
		if r.ops&rq.op != 0 {
			if args == nil {
				args = map[string]string{}
			}
			rq.args = args
			return r.do, nil
		}
	}
	if found {
		return nil, rq.denied(errOperation)
	}
	return nil, rq.denied(errUnsupportedPath)
}

// match compares segment by segment. {x...} takes the rest of the path, or what is left of it before the literal tail
// that follows: "mounts/{path...}/tune".
func (r route) match(path string) (args map[string]string, ok bool) {
	pattern := r.pattern
	set := func(name, value string) {
		if args == nil {
			args = map[string]string{}
		}
		args[name] = value
	}
	for {
		p, tail, more := strings.Cut(pattern, "/")
		if name, deep := strings.CutSuffix(p, "...}"); deep {
			if more {
				path, ok = strings.CutSuffix(path, "/"+tail)
				if !ok || path == "" {
					return nil, false
				}
			}
			set(name[1:], path)
			return args, true
		}
		s, rest, moreS := strings.Cut(path, "/")
		switch {
		case strings.HasPrefix(p, "{"):
			if s == "" {
				return nil, false
			}
			set(p[1:len(p)-1], s)
		case p != s:
			return nil, false
		}
		pattern, path = tail, rest
		if !more || !moreS {
			// "policy" matches "policy/{name...}" with nothing left.
			if more && strings.HasSuffix(pattern, "...}") && !strings.Contains(pattern, "/") {
				set(pattern[1:len(pattern)-4], "")
				return args, true
			}
			return args, more == moreS
		}
	}
}
