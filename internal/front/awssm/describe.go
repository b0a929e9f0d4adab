package awssm

import (
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// description is what is told of a secret; a list tells it with other names for two members.
type description struct {
	ARN, Name          string
	Description        string              `json:",omitempty"`
	KmsKeyId           string              `json:",omitempty"`
	Type               string              `json:",omitempty"`
	CreatedDate        *seconds            `json:",omitempty"`
	LastChangedDate    *seconds            `json:",omitempty"`
	LastAccessedDate   *seconds            `json:",omitempty"`
	LastRotatedDate    *seconds            `json:",omitempty"`
	DeletedDate        *seconds            `json:",omitempty"`
	Tags               []tag               `json:",omitempty"`
	VersionIdsToStages map[string][]string `json:",omitempty"`

	SecretVersionsToStages map[string][]string `json:",omitempty"`
	PrimaryRegion          string              `json:",omitempty"`
	ReplicationStatus      []map[string]any    `json:",omitempty"`
}

func (rq *request) describe(name string, h *secret.Head, seen time.Time) description {
	d := description{
		ARN: rq.arn(name, h), Name: name, Description: h.About.Description, KmsKeyId: secret.Fact(h.Facts, factKey), Type: secret.Fact(h.Facts, factType),
		CreatedDate: when(h.Created), LastChangedDate: when(h.Updated), LastAccessedDate: when(seen), Tags: tagsOf(h),
		VersionIdsToStages: map[string][]string{}, ReplicationStatus: replicationStatus(h),
	}
	if len(d.ReplicationStatus) > 0 {
		d.PrimaryRegion = rq.region
	}
	if h.Tombstone != nil {
		d.DeletedDate = when(h.Tombstone.At)
	}
	for i := range h.Versions {
		if v := &h.Versions[i]; len(v.Labels) > 0 && v.State != secret.Destroyed {
			d.VersionIdsToStages[h.VersionID(secret.AWS, v)] = stagesOf(v)
		}
	}
	return d
}

func describeSecret(rq *request) (any, error) {
	var in struct{ SecretId string }
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return on(rq, in.SecretId, func(f found) (description, error) {
		it, err := rq.front.desk.Inspect(rq.ctx, rq.caller, f.ref)
		if err == nil {
			err = f.check(it.Head)
		}
		if err != nil {
			return description{}, err
		}
		return rq.describe(f.name, it.Head, it.Seen), nil
	})
}

type versionEntry struct {
	VersionId        string
	VersionStages    []string `json:",omitempty"`
	CreatedDate      *seconds
	LastAccessedDate *seconds `json:",omitempty"`
	KmsKeyIds        []string `json:",omitempty"`
}

func listSecretVersionIDs(rq *request) (any, error) {
	var in struct {
		SecretId, NextToken string
		MaxResults          *int
		IncludeDeprecated   bool
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	limit, err := limitOf(in.MaxResults, 100)
	if err != nil {
		return nil, err
	}
	type answer struct {
		ARN, Name string
		Versions  []versionEntry
		NextToken string `json:",omitempty"`
	}
	return on(rq, in.SecretId, func(f found) (answer, error) {
		after, err := readToken(in.NextToken, "versions\x00"+f.name)
		if err != nil {
			return answer{}, err
		}
		it, err := rq.front.desk.Inspect(rq.ctx, rq.caller, f.ref)
		h := it.Head
		if err == nil {
			err = f.check(h)
		}
		if err != nil {
			return answer{}, err
		}
		a := answer{ARN: rq.arn(f.name, h), Name: f.name, Versions: []versionEntry{}}
		for i := range h.Versions {
			v := &h.Versions[i]
			id := h.VersionID(secret.AWS, v)
			if v.State == secret.Destroyed || len(v.Labels) == 0 && !in.IncludeDeprecated || after != "" && v.Number <= numberOf(after) {
				continue
			}
			if len(a.Versions) == limit {
				a.NextToken = writeToken(number(h.Versions[i-1].Number), "versions\x00"+f.name)
				break
			}
			a.Versions = append(a.Versions, versionEntry{VersionId: id, VersionStages: stagesOf(v), CreatedDate: when(v.Created), KmsKeyIds: []string{"DefaultEncryptionKey"}})
		}
		return a, nil
	})
}
