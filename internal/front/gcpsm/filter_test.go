package gcpsm

import (
	"strings"
	"testing"
)

func sample(field string) ([]string, bool) {
	values := map[string][]string{
		"name": {"projects/1/secrets/Web_Key"}, "labels.env": {"prod"}, "labels": {"env"}, "create_time": {"2026-01-02T03:04:05Z"}, "topics": {"projects/p/topics/a", "projects/p/topics/b"},
		"replication.automatic": {"automatic"},
	}
	v, ok := values[field]
	return v, ok
}

func TestFilter(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                    true,
		"name:web":                            true,
		"name:other":                          false,
		"web":                                 true,
		`"Web_Key"`:                           true,
		"name=Web_Key":                        true,
		"name=projects/1/secrets/Web_Key":     true,
		"name=web_key":                        false,
		"labels.env=prod":                     true,
		"labels.env:PRO":                      true,
		"labels.env:*":                        true,
		"labels.team:*":                       false,
		"labels:env":                          true,
		"NOT labels.team:*":                   true,
		"-labels.env:*":                       false,
		"labels.team!=x":                      true,
		"labels.env!=prod":                    false,
		"topics:topics/b":                     true,
		"topics=projects/p/topics/c":          false,
		"replication.automatic:*":             true,
		"replication.user_managed:*":          false,
		"create_time>2026-01-01":              true,
		"createTime>=2026-01-02T03:04:05Z":    true,
		"create_time<2026-01-02T03:04:05Z":    false,
		`create_time<="2026-01-02T03:04:05Z"`: true,
		"create_time=2026-01-02T03:04:05Z":    true,
		"create_time!=2026-01-02T03:04:05Z":   false,
		"expire_time:*":                       false,
		"expire_time<2030-01-01":              false,
		"name:web AND labels.env=prod":        true,
		"name:web labels.env=dev":             false,
		"name:x OR labels.env=prod":           true,
		"name:x OR name:z labels.env=prod":    false, // OR binds closer
		"name:x OR name:web AND name:z":       false,
		"(name:x AND name:y) OR name:web":     true,
		"NOT (name:x OR name:web)":            false,
		`labels.env="a \"quoted\" value"`:     false,
		"name : web":                          true,
	} {
		f, err := parseFilter(text, secretFields)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := f.holds(sample); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
	for _, text := range []string{
		"name:", "AND", "name:a AND", "OR name:a", "(name:a", "name:a)", "unknown:a", "labels.env<3", "create_time>soon", "create_time:2026", `"open`, "=a", "name:(a)", "!=", "NOT",
		strings.Repeat("(", 40) + "a" + strings.Repeat(")", 40), strings.Repeat("a ", 2000),
	} {
		if _, err := parseFilter(text, secretFields); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"name:a OR NOT (labels.x=1 AND create_time>2020-01-01)", `"a\"b"`, "-a", "a!=b", "create_time:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if x, err := parseFilter(s, secretFields); err == nil {
			x.holds(sample)
		}
	})
}
