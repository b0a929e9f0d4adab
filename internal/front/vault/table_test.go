package vault

import (
	"maps"
	"testing"

	"github.com/keephold/keephold/internal/secret"
)

func TestErrorTableIsComplete(t *testing.T) {
	for _, s := range secret.Sentinels() {
		if row, ok := table[s]; !ok || row.status < 400 {
			t.Errorf("%q has no row in the table of errors", s)
		}
	}
	if got, want := len(table), len(secret.Sentinels()); got != want {
		t.Errorf("the table has %d rows, the house %d sentinels", got, want)
	}
}

func TestEveryOperationHasAPolicyRow(t *testing.T) {
	tables := mountRoutes()
	tables["sys"] = systemRoutes()
	tables["identity"] = identityRoutes()
	maps.Copy(tables, keptRoutes())
	for name, rows := range tables {
		for _, r := range rows {
			if !r.policy.Known() {
				t.Errorf("%s %s: policy knows no operation %q", name, r.pattern, r.policy)
			}
		}
	}
}
