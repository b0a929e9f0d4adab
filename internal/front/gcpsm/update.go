package gcpsm

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// everyPath are the members of a Secret that a client may set, by their proto names.
var everyPath = []string{
	"labels", "annotations", "topics", "expire_time", "ttl", "rotation", "version_aliases", "version_destroy_ttl", "customer_managed_encryption", "tags", "secret_type",
}

// fixed are members that are not changed once the secret is there, or not by a client.
var fixed = []string{"name", "replication", "create_time", "tags", "secret_type", "policy_member"}

// maskPaths checks an update mask and reduces it to members that this front sets. A path into a map stands for the member
// with all its keys.
func maskPaths(mask []string) ([]string, error) {
	var out []string
	for _, text := range mask {
		p := snake(strings.TrimSpace(text))
		head, _, below := strings.Cut(p, ".")
		switch {
		case p == "etag":
			continue
		case slices.Contains(fixed, head):
			return nil, bad("The member %q cannot be updated.", clip(p))
		case !slices.Contains(everyPath, head):
			return nil, bad("There is no member %q to update.", clip(p))
		case below && head != "rotation" && head != "customer_managed_encryption":
			return nil, bad("%q cannot be updated in part; send the whole of %q.", clip(p), head)
		}
		if head == "ttl" {
			head = "expire_time"
		}
		out = append(out, head)
	}
	if len(out) == 0 {
		return nil, bad("update_mask must name the members to update.")
	}
	return out, nil
}

// configuration is what a message sets of the members that paths name. h is the secret as it is; nil for a new one, whose
// other members are given apart.
func (c *call) configuration(s *secretmanagerpb.Secret, h *secret.Head, paths []string) (custody.Configuration, error) {
	var cfg custody.Configuration
	keeps := false
	for _, p := range paths {
		var err error
		switch p {
		case "labels":
			var pairs []secret.Pair
			if pairs, err = labelPairs(s.Labels); err == nil {
				cfg.Custom = &pairs
			}
		case "expire_time":
			var at time.Time
			if at, err = expiry(s, c.now()); err == nil {
				cfg.ExpiresAt = &at
			}
		case "version_destroy_ttl":
			var d time.Duration
			if d, err = destroyTTL(s); err == nil {
				cfg.DestroyDelay = &d
			}
		case "version_aliases":
			if h != nil {
				cfg.Labels, err = labellings(h, s.VersionAliases)
			}
		case "annotations":
			keeps, err = true, checkAnnotations(s.Annotations)
		case "topics":
			keeps, err = true, checkTopics(s.Topics)
		default:
			keeps = true
		}
		if err != nil {
			return cfg, err
		}
	}
	if h == nil {
		return cfg, checkRotation(s, c.now())
	}
	if !keeps {
		return cfg, nil
	}
	old, err := keptOf(h)
	if err != nil {
		return cfg, err
	}
	merge(old, s, paths)
	if err := checkRotation(old, c.now()); err != nil && slices.ContainsFunc(paths, func(p string) bool { return p == "rotation" || p == "topics" }) {
		return cfg, err
	}
	facts, err := withKept(h.Facts, old)
	cfg.Facts = &facts
	return cfg, err
}

// merge replaces the members that paths name.
func merge(old, s *secretmanagerpb.Secret, paths []string) {
	for _, p := range paths {
		switch p {
		case "annotations":
			old.Annotations = s.Annotations
		case "topics":
			old.Topics = s.Topics
		case "rotation":
			old.Rotation = s.Rotation
		case "customer_managed_encryption":
			old.CustomerManagedEncryption = s.CustomerManagedEncryption
		}
	}
}

// Bounds of labels and annotations (https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets).
const (
	maxLabels      = 64
	maxAnnotations = 16 << 10
	maxAliases     = 50
	maxTopics      = 10
)

func labelPairs(labels map[string]string) ([]secret.Pair, error) {
	if len(labels) > maxLabels {
		return nil, bad("A secret has at most %d labels.", maxLabels)
	}
	pairs := make([]secret.Pair, 0, len(labels))
	for k, v := range labels {
		if !isLabel(k) || k == "" || !unicode.IsLetter(first(k)) || !isLabel(v) {
			return nil, bad("Invalid label [%s]: keys begin with a lower-case letter; keys and values hold at most 63 lower-case letters, digits, '_' and '-'.", clip(k))
		}
		pairs = append(pairs, secret.Pair{Key: k, Value: v})
	}
	return pairs, nil
}

func first(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }

func isLabel(s string) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 63 || len(s) > 128 {
		return false
	}
	for _, r := range s {
		if r != '_' && r != '-' && !unicode.IsDigit(r) && (!unicode.IsLetter(r) || unicode.IsUpper(r) || unicode.IsTitle(r)) {
			return false
		}
	}
	return true
}

func checkAnnotations(m map[string]string) error {
	size := 0
	for k, v := range m {
		size += len(k) + len(v)
		if k == "" || len(k) > 63 || !isAlnum(k[0]) || !isAlnum(k[len(k)-1]) || strings.Trim(k, alphabet+"-_.") != "" {
			return bad("Invalid annotation key [%s].", clip(k))
		}
	}
	if size > maxAnnotations {
		return bad("The annotations are larger than %d bytes.", maxAnnotations)
	}
	return nil
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func isAlnum(c byte) bool { return strings.IndexByte(alphabet, c) >= 0 }

func checkTopics(topics []*secretmanagerpb.Topic) error {
	if len(topics) > maxTopics {
		return bad("A secret has at most %d topics.", maxTopics)
	}
	for _, t := range topics {
		parts := strings.Split(t.GetName(), "/")
		if len(parts) != 4 || parts[0] != "projects" || parts[2] != "topics" || !isSegment(parts[1]) || parts[3] == "" || len(t.Name) > 512 {
			return bad("Invalid topic [%s]: it must be projects/*/topics/*.", clip(t.GetName()))
		}
	}
	return nil
}

// expiry is when a secret expires: at a time, or after a time to live. The zero time is never.
func expiry(s *secretmanagerpb.Secret, now time.Time) (time.Time, error) {
	var at time.Time
	switch e := s.Expiration.(type) {
	case nil:
		return time.Time{}, nil
	case *secretmanagerpb.Secret_ExpireTime:
		if e.ExpireTime.CheckValid() != nil {
			return at, bad("expire_time is no time.")
		}
		at = e.ExpireTime.AsTime()
	case *secretmanagerpb.Secret_Ttl:
		if e.Ttl.CheckValid() != nil || e.Ttl.AsDuration() <= 0 {
			return at, bad("ttl must be positive.")
		}
		at = now.Add(e.Ttl.AsDuration())
	}
	if !at.After(now) || at.Year() > 2200 {
		return time.Time{}, bad("The expiration must be in the future, and in this age.")
	}
	return at.UTC(), nil
}

func destroyTTL(s *secretmanagerpb.Secret) (time.Duration, error) {
	if s.VersionDestroyTtl == nil {
		return 0, nil
	}
	d := s.VersionDestroyTtl.AsDuration()
	if s.VersionDestroyTtl.CheckValid() != nil || d < 24*time.Hour || d > 1000*24*time.Hour {
		return 0, bad("version_destroy_ttl must be between 24 hours and 1000 days.")
	}
	return d, nil
}

// checkRotation holds a schedule to the vendor's rules: it has to lie ahead, and needs topics to be told to.
func checkRotation(s *secretmanagerpb.Secret, now time.Time) error {
	r := s.Rotation
	if r == nil {
		return nil
	}
	period := r.RotationPeriod.AsDuration()
	switch {
	case r.NextRotationTime == nil && r.RotationPeriod == nil:
		return nil
	case r.NextRotationTime == nil:
		return bad("rotation.next_rotation_time must be set where rotation_period is.")
	case r.NextRotationTime.CheckValid() != nil || r.NextRotationTime.AsTime().Before(now.Add(5*time.Minute)):
		return bad("rotation.next_rotation_time must be at least 300 seconds in the future.")
	case r.RotationPeriod != nil && (r.RotationPeriod.CheckValid() != nil || period < time.Hour || period > 100*365*24*time.Hour):
		return bad("rotation.rotation_period must be between 3600 and 3153600000 seconds.")
	case len(s.Topics) == 0:
		return bad("topics must be set where rotation is.")
	}
	return nil
}

// labellings are what makes the aliases of a secret those that were sent. A label that no alias can be is left alone.
func labellings(h *secret.Head, want map[string]int64) ([]custody.Labelling, error) {
	if len(want) > maxAliases {
		return nil, bad("A secret has at most %d version aliases.", maxAliases)
	}
	var out []custody.Labelling
	for alias := range aliasesOf(h) {
		if _, ok := want[alias]; !ok {
			out = append(out, custody.Labelling{Label: labelOf(alias)})
		}
	}
	for alias, number := range want {
		switch {
		case !aliasForm().MatchString(alias) || alias == latest || alias == "NEW":
			return nil, bad("Invalid version alias [%s].", clip(alias))
		case number <= 0 || h.Find(uint64(number)) == nil:
			return nil, bad("The version alias [%s] names a version that does not exist.", alias)
		}
		out = append(out, custody.Labelling{Label: labelOf(alias), Number: uint64(number)})
	}
	return out, nil
}
