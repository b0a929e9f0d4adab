package secret

import "strings"

// The names that clients of AWS have for the labels with a meaning; all others are free. A free one that is spelled like a word
// of the house, or begins like an escaped one, is escaped with '~', which no label of that vendor's begins with.
var stageLabels = [...]struct{ stage, label string }{{"AWSCURRENT", LabelCurrent}, {"AWSPREVIOUS", LabelPrevious}, {"AWSPENDING", LabelPending}}

// LabelOfStage is the label that AWS calls so.
func LabelOfStage(stage string) string {
	for _, s := range stageLabels {
		if s.stage == stage {
			return s.label
		}
		if s.label == stage {
			return escape + stage
		}
	}
	if strings.HasPrefix(stage, escape) {
		return escape + stage
	}
	return stage
}

// StageOfLabel is its inverse.
func StageOfLabel(label string) string {
	for _, s := range stageLabels {
		if s.label == label {
			return s.stage
		}
	}
	return strings.TrimPrefix(label, escape)
}
