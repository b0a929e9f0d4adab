package vault

import (
	"github.com/keephold/keephold/internal/secret"
)

// cubbyhole, https://openbao.org/api-docs/secret/cubbyhole/
func cubbyhole(rq *request) (handler, error) {
	var path secret.Path
	if rq.rest != "" {
		path, _ = secret.ParsePath(rq.rest) // the whole path was parsed
	}
	if err := rq.refuseFolder(nil); err != nil {
		return nil, err
	}
	if path.IsRoot() && rq.op != list {
		return nil, rq.refused(bad("missing path"))
	}
	d := rq.front.desk
	switch rq.op {
	case read:
		return func(rq *request) (answer, error) {
			v, err := d.CubbyholeRead(rq.ctx, rq.caller, path)
			if err != nil {
				return answer{}, err
			}
			return answer{data: v.Reveal()}, nil
		}, nil
	case write:
		return func(rq *request) (answer, error) {
			data, err := canonical(rq.body)
			if err != nil {
				return answer{}, rq.refused(bad("missing data fields"))
			}
			if err := d.CubbyholeWrite(rq.ctx, rq.caller, path, data); err != nil {
				return answer{}, err
			}
			return done()
		}, nil
	case remove:
		return func(rq *request) (answer, error) { return emptyIfMissing(d.CubbyholeDelete(rq.ctx, rq.caller, path)) }, nil
	case list:
		return func(rq *request) (answer, error) {
			names, err := d.CubbyholeList(rq.ctx, rq.caller, path)
			if err != nil {
				return answer{}, err
			}
			return keys(names)
		}, nil
	}
	return nil, rq.denied(errOperation)
}
