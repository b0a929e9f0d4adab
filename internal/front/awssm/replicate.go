package awssm

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

// factReplicas holds the regions that a secret was replicated to, as the vendor's clients see it. There is one store: a
// replica is a record of a wish, and nothing is written anywhere else.
const factReplicas = "aws.replicas"

type replica struct{ Region, KmsKeyId string }

func replicasOf(h *secret.Head) []replica {
	var out []replica
	_ = json.Unmarshal([]byte(secret.Fact(h.Facts, factReplicas)), &out) // what is not there is none
	return out
}

func encodeReplicas(list []replica) string {
	if len(list) == 0 {
		return ""
	}
	b, _ := json.Marshal(list) // strings always marshal
	return string(b)
}

func replicationStatus(h *secret.Head) []map[string]any {
	var out []map[string]any
	for _, r := range replicasOf(h) {
		one := map[string]any{"Region": r.Region, "Status": "InSync", "StatusMessage": "Replication succeeded"}
		if r.KmsKeyId != "" {
			one["KmsKeyId"] = r.KmsKeyId
		}
		out = append(out, one)
	}
	return out
}

// replicas adds regions to a list.
func (rq *request) replicas(old, more []replica, force bool) ([]replica, error) {
	out := slices.Clone(old)
	for _, r := range more {
		switch {
		case r.Region == "" || len(r.Region) > 64 || strings.ToLower(r.Region) != r.Region:
			return nil, parameter("Invalid replica region.")
		case r.Region == rq.region:
			return nil, parameter("Invalid replica region: the region of the secret itself.")
		}
		i := slices.IndexFunc(out, func(o replica) bool { return o.Region == r.Region })
		switch {
		case i < 0:
			out = append(out, r)
		case force:
			out[i] = r
		default:
			return nil, parameter("The secret is replicated to " + r.Region + " already.")
		}
	}
	return out, nil
}

type replicated struct {
	ARN               string
	ReplicationStatus []map[string]any
}

func (rq *request) replicated(f found, change func(*secret.Head) ([]replica, error)) (replicated, error) {
	n := need("replicate", f.ref.Space+"/replicate/"+f.ref.Path.String(), policy.Update)
	if rq.action == "RemoveRegionsFromReplication" {
		n.Capability = policy.Delete
	}
	h, err := rq.amend(f, n, func(h *secret.Head) ([]secret.Pair, error) {
		list, err := change(h)
		return secret.SetFact(h.Facts, factReplicas, encodeReplicas(list)), err
	})
	if err != nil {
		return replicated{}, err
	}
	return replicated{rq.arn(f.name, h), replicationStatus(h)}, nil
}

func replicateSecret(rq *request) (any, error) {
	var in struct {
		SecretId                    string
		AddReplicaRegions           []replica
		ForceOverwriteReplicaSecret bool
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (replicated, error) {
		return rq.replicated(f, func(h *secret.Head) ([]replica, error) {
			return rq.replicas(replicasOf(h), in.AddReplicaRegions, in.ForceOverwriteReplicaSecret)
		})
	})
}

func removeRegions(rq *request) (any, error) {
	var in struct {
		SecretId             string
		RemoveReplicaRegions []string
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (replicated, error) {
		return rq.replicated(f, func(h *secret.Head) ([]replica, error) {
			return slices.DeleteFunc(replicasOf(h), func(r replica) bool { return slices.Contains(in.RemoveReplicaRegions, r.Region) }), nil
		})
	})
}

// stopReplication is asked in a replica's region, to make it a secret of its own. No secret here is a replica.
func stopReplication(rq *request) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (written, error) {
		if err := rq.there(f, need("replicate", f.ref.Space+"/replicate/"+f.ref.Path.String(), policy.Update)); err != nil {
			return written{}, err
		}
		return written{}, parameter("The secret is not a replica.")
	})
}
