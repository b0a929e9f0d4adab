package gcpsm

import (
	"strings"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"

	"github.com/keephold/keephold/internal/secret"
)

func TestErrorTableIsComplete(t *testing.T) {
	for _, s := range secret.Sentinels() {
		row, ok := table[s]
		if !ok || row.code == 0 {
			t.Errorf("%q has no row in the table of errors", s)
		}
		if st := statuses[row.code]; st.http < 400 || st.name == "" {
			t.Errorf("%q: %v has no HTTP status", s, row.code)
		}
	}
	if got, want := len(table), len(secret.Sentinels()); got != want {
		t.Errorf("the table has %d rows, the house %d sentinels", got, want)
	}
}

func TestEveryOperationHasAPolicyRow(t *testing.T) {
	for _, m := range methods() {
		if len(m.policy) == 0 {
			t.Errorf("%s names no operation", m.name)
		}
		for _, op := range m.policy {
			if !op.Known() {
				t.Errorf("%s: policy knows no operation %q", m.name, op)
			}
		}
	}
	for permission, op := range permissions {
		if !op.Known() {
			t.Errorf("%s: policy knows no operation %q", permission, op)
		}
	}
}

// TestEveryMethodOfTheService goes through the vendor's own description: each method has a row, with its request, and a path
// of the REST form.
func TestEveryMethodOfTheService(t *testing.T) {
	rows, paths := map[string]*method{}, map[string]bool{}
	for _, m := range methods() {
		rows[m.name] = m
	}
	for _, r := range routes() {
		paths[r.rpc] = true
	}
	service := secretmanagerpb.File_google_cloud_secretmanager_v1_service_proto.Services().ByName("SecretManagerService")
	if got := "/" + string(service.FullName()) + "/"; got != grpcService {
		t.Errorf("the service is called %s", got)
	}
	for i := range service.Methods().Len() {
		d := service.Methods().Get(i)
		m := rows[string(d.Name())]
		if m == nil || !paths[string(d.Name())] {
			t.Errorf("%s is missing", d.Name())
			continue
		}
		if got, want := m.request().ProtoReflect().Descriptor().FullName(), d.Input().FullName(); got != want {
			t.Errorf("%s takes %s, not %s", d.Name(), got, want)
		}
		if !strings.HasPrefix(m.permission, "secretmanager.") {
			t.Errorf("%s: permission %q", d.Name(), m.permission)
		}
	}
}
