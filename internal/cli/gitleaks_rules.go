package cli

import (
	"syscall"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan/gitleaks"
	"github.com/keephold/keephold/internal/scan/report"
)

// errNotDir is what a file used as a directory gives; a target that is a file has no configuration beside it.
const errNotDir = syscall.ENOTDIR

// ruleNames describes the rules of a configuration and our own.
func ruleNames(set *gitleaks.Set) map[string]string {
	names := map[string]string{}
	for _, r := range leak.Rules() {
		names[r.ID] = r.Description
	}
	for _, r := range set.Rules() {
		names[r.ID] = r.Description
	}
	return names
}

// reportRules are what a report lists: the rules of the configuration in their order, or our own when it has none.
func reportRules(set *gitleaks.Set) []report.Rule {
	var out []report.Rule
	for _, r := range set.Rules() {
		out = append(out, report.Rule{ID: r.ID, Description: r.Description, Tags: r.Tags})
	}
	if len(out) == 0 {
		for _, r := range leak.Rules() {
			out = append(out, report.Rule{ID: r.ID, Description: r.Description})
		}
	}
	return out
}
