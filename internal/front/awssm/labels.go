package awssm

import (
	"slices"

	"github.com/keephold/keephold/internal/secret"
)

const awsCurrent = "AWSCURRENT"

// stagesOf is a version's labels as the vendor's clients know them, sorted.
func stagesOf(v *secret.Version) []string {
	out := make([]string, len(v.Labels))
	for i, l := range v.Labels {
		out[i] = secret.StageOfLabel(l)
	}
	slices.Sort(out)
	return out
}

// readStages checks the labels of a request.
func readStages(list []string) ([]string, error) {
	if len(list) > 20 {
		return nil, validation("1 validation error detected: Value at 'versionStages' failed to satisfy constraint: Member must have length less than or equal to 20")
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == "" || len(s) > 256 {
			return nil, validation("1 validation error detected: Value at 'versionStages' failed to satisfy constraint: Member must satisfy constraint: [Member must have length between 1 and 256]")
		}
		out[i] = secret.LabelOfStage(s)
	}
	return out, nil
}
