package awssm

import (
	"slices"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

func updateSecretVersionStage(rq *request) (any, error) {
	var in struct{ SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	labels, err := readStages([]string{in.VersionStage})
	if err != nil {
		return nil, err
	}
	label := labels[0]
	for _, id := range []string{in.RemoveFromVersionId, in.MoveToVersionId} {
		if id != "" && (len(id) < 32 || len(id) > 64) {
			return nil, parameter("VersionId must be 32-64 characters long.")
		}
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		h, err := rq.front.desk.Revise(rq.ctx, rq.caller, f.ref, func(h *secret.Head) (custody.Configuration, error) {
			if err := f.check(h); err != nil {
				return custody.Configuration{}, err
			}
			l, err := moveStage(h, in.VersionStage, label, in.RemoveFromVersionId, in.MoveToVersionId)
			return custody.Configuration{Labels: l}, err
		})
		if err != nil {
			return written{}, err
		}
		return written{ARN: rq.arn(f.name, h), Name: f.name}, nil
	})
}

// moveStage says what moves, or what is wrong with the wish.
func moveStage(h *secret.Head, stage, label, from, to string) ([]custody.Labelling, error) {
	holder := h.Labelled(label)
	var source, goal *secret.Version
	if from != "" {
		if source = h.ByID(from); source == nil {
			return nil, parameter("Not a valid version: " + from + ".")
		}
		if !source.HasLabel(label) {
			return nil, parameter("The parameter RemoveFromVersionId can't be used: staging label " + stage + " is not attached to version " + from + ".")
		}
	}
	if to != "" {
		if goal = h.ByID(to); goal == nil {
			return nil, parameter("Not a valid version: " + to + ".")
		}
	}
	switch {
	case source == nil && goal == nil:
		return nil, invalidRequest("You must provide a value for at least one of RemoveFromVersionId and MoveToVersionId.")
	case goal == nil && label == secret.LabelCurrent:
		return nil, invalidRequest("You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	case goal == nil:
		return []custody.Labelling{{Label: label}}, nil
	case holder != nil && source == nil && holder.Number != goal.Number:
		return nil, parameter("The parameter RemoveFromVersionId can't be empty. Staging label " + stage + " is currently attached to version " +
			h.VersionID(secret.AWS, holder) + ", so you must explicitly reference that version in RemoveFromVersionId.")
	}
	if slices.Contains(goal.Labels, label) {
		return nil, nil
	}
	return []custody.Labelling{{Label: label, Number: goal.Number}}, nil
}
