package cli

import (
	"syscall"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/scan/gitleaks"
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
