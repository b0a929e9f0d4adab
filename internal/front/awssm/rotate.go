package awssm

import (
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

var errNoFunction = invalidRequest("No Lambda rotation function ARN is associated with this secret.")

// rotateSecret answers as the vendor does for a secret that has no rotation function: there is none here.
func rotateSecret(rq *request) (any, error) {
	var in struct{ SecretId, ClientRequestToken, RotationLambdaARN string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken, parameter("You must provide a ClientRequestToken value. We recommend a UUID-type value.")); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		if err := rq.there(f, need("rotate", f.ref.Space+"/rotate/"+f.ref.Path.String(), policy.Update)); err != nil {
			return written{}, err
		}
		if in.RotationLambdaARN != "" {
			return written{}, invalidRequest("Secrets Manager cannot invoke the specified Lambda function: there are none in this installation.")
		}
		return written{}, errNoFunction
	})
}

func cancelRotateSecret(rq *request) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		if err := rq.there(f, need("rotate", f.ref.Space+"/rotate/"+f.ref.Path.String(), policy.Delete)); err != nil {
			return written{}, err
		}
		return written{}, invalidRequest("You tried to cancel the rotation of a secret that does not have rotation enabled.")
	})
}

// there asks for a permission on a secret that must be there and not in the trash.
func (rq *request) there(f found, n record.Need) error {
	h, err := rq.front.desk.Behold(rq.ctx, rq.caller, f.ref, n)
	if err == nil {
		err = f.check(h)
	}
	if err == nil && h.Tombstone != nil {
		err = secret.ErrTrashed
	}
	return err
}

// amend changes a secret's facts, with a permission that is not that of its metadata.
func (rq *request) amend(f found, n record.Need, change func(*secret.Head) ([]secret.Pair, error)) (*secret.Head, error) {
	return rq.front.desk.Amend(rq.ctx, rq.caller, f.ref, n, func(h *secret.Head) (custody.Configuration, error) {
		if err := f.check(h); err != nil {
			return custody.Configuration{}, err
		}
		facts, err := change(h)
		return custody.Configuration{Facts: &facts}, err
	})
}
