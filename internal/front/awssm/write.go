package awssm

import (
	"errors"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// Facts that the vendor's clients expect back, and that mean nothing to anybody else.
const (
	factKey  = "aws.kms"
	factType = "aws.type"
)

type written struct {
	ARN, Name         string
	VersionId         string           `json:",omitempty"`
	VersionStages     []string         `json:",omitempty"`
	ReplicationStatus []map[string]any `json:",omitempty"`
}

func createSecret(rq *request) (any, error) {
	var in struct {
		Name, ClientRequestToken, Description, KmsKeyId, Type string
		SecretString                                          *string
		SecretBinary                                          *[]byte
		Tags                                                  []tag
		AddReplicaRegions                                     []replica
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	switch {
	case in.Name == "":
		return nil, validation("1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null")
	case len(in.Name) > 512:
		return nil, validation("1 validation error detected: Value at 'name' failed to satisfy constraint: Member must have length less than or equal to 512")
	}
	f, err := rq.named(rq.space, in.Name, "")
	if err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken, errNoToken); err != nil {
		return nil, err
	}
	put, err := putOf(in.ClientRequestToken, in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	cfg, err := rq.about(&in.Description, in.KmsKeyId, in.Type, nil)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags, nil); err != nil {
		return nil, err
	}
	if len(in.AddReplicaRegions) > 0 {
		status, err := rq.replicas(nil, in.AddReplicaRegions, true)
		if err != nil {
			return nil, err
		}
		*cfg.Facts = secret.SetFact(*cfg.Facts, factReplicas, encodeReplicas(status))
	}
	tags := pairs(in.Tags)
	cfg.Custom = &tags
	r, err := rq.front.desk.Create(rq.ctx, rq.caller, f.ref, put, cfg)
	switch {
	case errors.Is(err, secret.ErrExists):
		return nil, &apiError{"ResourceExistsException", "The operation failed because the secret " + in.Name + " already exists.", 400}
	case errors.Is(err, secret.ErrTrashed):
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	case err != nil:
		return nil, err
	}
	out := written{ARN: rq.arn(in.Name, r.Head), Name: in.Name, ReplicationStatus: replicationStatus(r.Head)}
	if put != nil {
		out.VersionId = r.Head.VersionID(secret.AWS, &r.Version)
	}
	return out, nil
}

// about checks what is said of a secret besides its value. old is what there is; nil for a new one.
func (rq *request) about(description *string, kms, kind string, old []secret.Pair) (custody.Configuration, error) {
	switch {
	case description != nil && len(*description) > 2048:
		return custody.Configuration{}, validation("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 2048")
	case len(kms) > 2048:
		return custody.Configuration{}, validation("1 validation error detected: Value at 'kmsKeyId' failed to satisfy constraint: Member must have length less than or equal to 2048")
	case len(kind) > 256:
		return custody.Configuration{}, validation("1 validation error detected: Value at 'type' failed to satisfy constraint: Member must have length less than or equal to 256")
	}
	facts := append([]secret.Pair{}, old...)
	if kms != "" {
		facts = secret.SetFact(facts, factKey, kms)
	}
	if kind != "" {
		facts = secret.SetFact(facts, factType, kind)
	}
	return custody.Configuration{Description: description, Facts: &facts}, nil
}

func putSecretValue(rq *request) (any, error) {
	var in struct {
		SecretId, ClientRequestToken, RotationToken string
		SecretString                                *string
		SecretBinary                                *[]byte
		VersionStages                               *[]string
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken, errNoToken); err != nil {
		return nil, err
	}
	put, err := putOf(in.ClientRequestToken, in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	if put == nil {
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	if in.VersionStages != nil {
		if put.Stages, err = readStages(*in.VersionStages); err != nil {
			return nil, err
		}
		if len(put.Stages) == 0 {
			return nil, parameter("You must provide at least one version stage.")
		}
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		r, err := rq.add(f, *put, func(h *secret.Head) (custody.Configuration, error) { return custody.Configuration{}, f.check(h) })
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, r.Head), Name: f.name, VersionId: r.Head.VersionID(secret.AWS, &r.Version), VersionStages: stagesOf(&r.Version)}, nil
	})
}

// add writes a version; the same token with another value is a conflict that the vendor names.
func (rq *request) add(f found, p custody.Put, revise func(*secret.Head) (custody.Configuration, error)) (custody.Reading, error) {
	p.Revise = revise
	r, err := rq.front.desk.Add(rq.ctx, rq.caller, f.ref, p)
	if errors.Is(err, secret.ErrExists) {
		err = &apiError{"ResourceExistsException", "You can't use ClientRequestToken " + p.AWSID + " because that value is already in use for a version of secret " + f.name + ".", 400}
	}
	return r, err
}

func updateSecret(rq *request) (any, error) {
	var in struct {
		SecretId, ClientRequestToken, KmsKeyId, Type string
		Description                                  *string
		SecretString                                 *string
		SecretBinary                                 *[]byte
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	put, err := putOf(in.ClientRequestToken, in.SecretString, in.SecretBinary)
	if err != nil {
		return nil, err
	}
	var missing error
	if put != nil {
		missing = errNoToken
	}
	if err := checkToken(in.ClientRequestToken, missing); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		revise := func(h *secret.Head) (custody.Configuration, error) {
			if err := f.check(h); err != nil {
				return custody.Configuration{}, err
			}
			return rq.about(in.Description, in.KmsKeyId, in.Type, h.Facts)
		}
		if put == nil {
			h, err := rq.front.desk.Revise(rq.ctx, rq.caller, f.ref, revise)
			if err != nil {
				return written{}, err
			}
			return written{ARN: rq.arn(f.name, h), Name: f.name}, nil
		}
		r, err := rq.add(f, *put, revise)
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, r.Head), Name: f.name, VersionId: r.Head.VersionID(secret.AWS, &r.Version)}, nil
	})
}
