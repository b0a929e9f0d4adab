package awssm

import (
	"errors"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

type deleted struct {
	ARN, Name    string
	DeletionDate *seconds `json:",omitempty"`
}

const day = 24 * time.Hour

func deleteSecret(rq *request) (any, error) {
	var in struct {
		SecretId                   string
		RecoveryWindowInDays       *int64
		ForceDeleteWithoutRecovery *bool
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	force := in.ForceDeleteWithoutRecovery != nil && *in.ForceDeleteWithoutRecovery
	days := int64(30)
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
		switch {
		case force:
			return nil, parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
		case days < 7 || days > 30:
			return nil, parameter("RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
		}
	}
	return on(rq, in.SecretId, func(f found) (deleted, error) {
		if force {
			return rq.destroy(f)
		}
		h, err := rq.front.desk.Trash(rq.ctx, rq.caller, f.ref, time.Duration(days)*day, f.check)
		if errors.Is(err, secret.ErrTrashed) {
			err = invalidRequest("You can't perform this operation on the secret because it was already scheduled for deletion.")
		}
		if err != nil {
			return deleted{}, err
		}
		return deleted{rq.arn(f.name, h), f.name, when(h.Tombstone.PurgeAt)}, nil
	})
}

// destroy deletes without a way back. What is not there is deleted, too, as the vendor has it.
func (rq *request) destroy(f found) (deleted, error) {
	was := &secret.Head{UID: secret.UID(f.name)}
	err := rq.front.desk.Purge(rq.ctx, rq.caller, f.ref, true, func(h *secret.Head) error {
		if h == nil {
			return secret.ErrNotFound
		}
		was = h
		return f.check(h)
	})
	if err != nil && !errors.Is(err, secret.ErrNotFound) {
		return deleted{}, err
	}
	return deleted{rq.arn(f.name, was), f.name, when(rq.front.cfg.Now())}, nil
}

func restoreSecret(rq *request) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		h, err := rq.front.desk.RecoverOrKeep(rq.ctx, rq.caller, f.ref, f.check)
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, h), Name: f.name}, nil
	})
}
