package awssm

import (
	"slices"
	"strings"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

type tag struct{ Key, Value string }

func tagsOf(h *secret.Head) []tag {
	out := make([]tag, len(h.Custom))
	for i, p := range h.Custom {
		out[i] = tag{p.Key, p.Value}
	}
	return out
}

func pairs(tags []tag) []secret.Pair {
	out := make([]secret.Pair, len(tags))
	for i, t := range tags {
		out[i] = secret.Pair{Key: t.Key, Value: t.Value}
	}
	return out
}

const maxTags = 50

// checkTags checks the tags of a request, and that with old there are not too many.
func checkTags(tags []tag, old []secret.Pair) error {
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > 128:
			return validation("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must satisfy constraint: [Key must have length between 1 and 128]")
		case len(t.Value) > 256:
			return validation("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must satisfy constraint: [Value must have length less than or equal to 256]")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return parameter("Tag keys cannot begin with aws:, which is reserved.")
		case seen[t.Key]:
			return parameter("Duplicate tag keys found: " + t.Key)
		}
		seen[t.Key] = true
	}
	n := len(tags)
	for _, p := range old {
		if !seen[p.Key] {
			n++
		}
	}
	if n > maxTags {
		return &apiError{"LimitExceededException", "The request exceeds the limit of 50 tags.", 400}
	}
	return nil
}

func tagResource(rq *request) (any, error) {
	var in struct {
		SecretId string
		Tags     []tag
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return rq.retag(in.SecretId, func(old []secret.Pair) ([]secret.Pair, error) {
		if err := checkTags(in.Tags, old); err != nil {
			return nil, err
		}
		kept := slices.DeleteFunc(slices.Clone(old), func(p secret.Pair) bool {
			return slices.ContainsFunc(in.Tags, func(t tag) bool { return t.Key == p.Key })
		})
		return append(kept, pairs(in.Tags)...), nil
	})
}

func untagResource(rq *request) (any, error) {
	var in struct {
		SecretId string
		TagKeys  []string
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	return rq.retag(in.SecretId, func(old []secret.Pair) ([]secret.Pair, error) {
		return slices.DeleteFunc(slices.Clone(old), func(p secret.Pair) bool { return slices.Contains(in.TagKeys, p.Key) }), nil
	})
}

func (rq *request) retag(id string, change func([]secret.Pair) ([]secret.Pair, error)) (any, error) {
	return on(rq, id, func(f found) (struct{}, error) {
		_, err := rq.front.desk.Revise(rq.ctx, rq.caller, f.ref, func(h *secret.Head) (custody.Configuration, error) {
			if err := f.check(h); err != nil {
				return custody.Configuration{}, err
			}
			custom, err := change(h.Custom)
			return custody.Configuration{Custom: &custom}, err
		})
		return struct{}{}, err
	})
}
