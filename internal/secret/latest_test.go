package secret_test

import (
	"testing"

	"github.com/keephold/keephold/internal/secret"
)

func TestLatestIsTheReadersRule(t *testing.T) {
	one, two, three := secret.Version{Number: 1}, secret.Version{Number: 2, State: secret.Disabled}, secret.Version{Number: 3}
	pending := secret.Version{Number: 3, Labels: []string{secret.LabelPending}}
	for _, c := range []struct {
		name       string
		home, face secret.Dialect
		current    uint64
		versions   []secret.Version
		want       uint64
	}{
		{"current everywhere else", secret.GCP, secret.Vault, 1, []secret.Version{one, two, three}, 1},
		{"the newest on Google's own face", secret.GCP, secret.GCP, 1, []secret.Version{one, two, three}, 3},
		{"whatever its state", secret.GCP, secret.GCP, 1, []secret.Version{one, two}, 2},
		{"the newest on Azure's own face", secret.Azure, secret.Azure, 1, []secret.Version{one, two, three}, 3},
		{"a label decides with AWS", secret.AWS, secret.AWS, 1, []secret.Version{one, two, three}, 1},
		{"what is pending is not the newest", secret.Azure, secret.Azure, 1, []secret.Version{one, two, pending}, 2},
		{"unless it is current by now", secret.GCP, secret.GCP, 3, []secret.Version{one, two, pending}, 3},
		{"nothing but pending", secret.GCP, secret.GCP, 0, []secret.Version{pending}, 0},
		{"none", secret.Azure, secret.Azure, 0, nil, 0},
	} {
		h := secret.Head{Current: c.current, Versions: c.versions}
		var got uint64
		if v := h.Latest(c.home, c.face); v != nil {
			got = v.Number
		}
		if got != c.want {
			t.Errorf("%s: got version %d, want %d", c.name, got, c.want)
		}
	}
}
