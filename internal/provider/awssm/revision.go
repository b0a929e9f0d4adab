package awssm

import (
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// revision tells one state of a secret from another: "ID=STAGE,STAGE;ID=STAGE", sorted. Neither ids nor stages hold these signs
// but '=', of which the first counts.
func revision(staged map[string][]string) string {
	var all []string
	for id, stages := range staged {
		if len(stages) > 0 {
			all = append(all, id+"="+strings.Join(slices.Sorted(slices.Values(stages)), ","))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ";")
}

// versionsOf reads a revision; nil where there is none.
func versionsOf(revision string) map[string][]string {
	if revision == "" {
		return nil
	}
	out := map[string][]string{}
	for one := range strings.SplitSeq(revision, ";") {
		id, stages, _ := strings.Cut(one, "=")
		out[id] = strings.Split(stages, ",")
	}
	return out
}

// moved is what the stages are after id was written as the current version.
func moved(staged map[string][]string, id string) map[string][]string {
	out := map[string][]string{}
	for other, stages := range staged {
		kept := slices.DeleteFunc(slices.Clone(stages), func(s string) bool { return s == previous || s == current })
		if slices.Contains(stages, current) && other != id {
			kept = append(kept, previous)
		}
		out[other] = kept
	}
	out[id] = append(out[id], current)
	return out
}

// older are the labelled versions besides the current one, in the order in which they were probably written: the previous one
// first, one that is pending last.
func older(staged map[string][]string, current string) []string {
	var ids []string
	for id := range staged {
		if id != current {
			ids = append(ids, id)
		}
	}
	rank := func(id string) int {
		switch {
		case slices.Contains(staged[id], secret.StageOfLabel(secret.LabelPrevious)):
			return 0
		case slices.Contains(staged[id], secret.StageOfLabel(secret.LabelPending)):
			return 2
		}
		return 1
	}
	slices.SortFunc(ids, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return ids
}
