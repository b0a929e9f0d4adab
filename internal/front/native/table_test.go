package native

import (
	"testing"

	"github.com/keephold/keephold/internal/secret"
)

func TestErrorTableIsComplete(t *testing.T) {
	for _, s := range secret.Sentinels() {
		if status, ok := table[s]; !ok || status < 400 {
			t.Errorf("%q has no row in the table of errors", s)
		}
	}
}

func TestEveryOperationHasAPolicyRow(t *testing.T) {
	for _, r := range routes() {
		for _, op := range r.policy {
			if !op.Known() {
				t.Errorf("%s %s: policy knows no operation %q", r.method, r.name, op)
			}
		}
		if len(r.policy) == 0 {
			t.Errorf("%s %s names no operation", r.method, r.name)
		}
	}
}
