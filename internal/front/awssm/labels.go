package awssm

import (
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// The vendor's names of the stage labels that have a meaning; all others are free. A free one that is spelled like a word of
// the house, or begins like an escaped one, is escaped with '~', which no label of the vendor's begins with.
var stages = map[string]string{"AWSCURRENT": secret.LabelCurrent, "AWSPREVIOUS": secret.LabelPrevious, "AWSPENDING": secret.LabelPending}

const awsCurrent = "AWSCURRENT"

func toLabel(stage string) string {
	if l, ok := stages[stage]; ok {
		return l
	}
	if strings.HasPrefix(stage, "~") || stage == secret.LabelCurrent || stage == secret.LabelPrevious || stage == secret.LabelPending {
		return "~" + stage
	}
	return stage
}

func toStage(label string) string {
	for stage, l := range stages {
		if l == label {
			return stage
		}
	}
	return strings.TrimPrefix(label, "~")
}

// stagesOf is a version's labels as the vendor's clients know them, sorted.
func stagesOf(v *secret.Version) []string {
	out := make([]string, len(v.Labels))
	for i, l := range v.Labels {
		out[i] = toStage(l)
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
		out[i] = toLabel(s)
	}
	return out, nil
}
