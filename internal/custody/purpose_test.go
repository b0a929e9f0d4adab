package custody_test

import (
	"errors"
	"testing"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

func (k *keep) auditHash(text string) (hash string, earlier []string) {
	k.t.Helper()
	hash, earlier, err := k.desk.AuditHash(k.t.Context(), k.local(), record.Need{Action: "hash", Resource: "sys/audit-hash/file", Capability: policy.Update}, text)
	if err != nil {
		k.t.Fatal(err)
	}
	return hash, earlier
}

// TestPurposeRotationKilled: the purpose keys of the audit log rotate in one commit. Killed before or after it the store opens,
// what was keyed before is still known for what it is, and the log goes on under the key that the keyring has.
func TestPurposeRotationKilled(t *testing.T) {
	base, parts := furnished(t)
	for _, purpose := range []string{"audit-sign", "audit-hmac", "sealed-token"} {
		for _, after := range []bool{false, true} {
			k := base.copyOf()
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatal(err)
			}
			before, _ := k.auditHash("s3cret")
			key := k.log.PublicKey()
			k.mortal.mu.Lock()
			k.mortal.left, k.mortal.after = 0, after
			k.mortal.mu.Unlock()
			if err := k.desk.RotatePurpose(t.Context(), k.local(), "sys/rotate/purpose/"+purpose, purpose); err == nil {
				t.Fatal("survived its death")
			}
			k.start(-1, false)
			if err := k.unseal(parts); err != nil {
				t.Fatalf("%s, killed (after the commit: %v): the store does not open: %v", purpose, after, err)
			}
			hash, earlier := k.auditHash("s3cret")
			switch rotated := after && purpose == "audit-hmac"; {
			case rotated && (hash == before || len(earlier) != 1 || earlier[0] != before):
				t.Errorf("%s rotated: %s is now %s, earlier %q", purpose, before, hash, earlier)
			case !rotated && (hash != before || len(earlier) != 0):
				t.Errorf("%s did not rotate: %s is now %s, earlier %q", purpose, before, hash, earlier)
			}
			if changed := k.log.PublicKey() != key; changed != (after && purpose == "audit-sign") {
				t.Errorf("%s, killed (after the commit: %v): the log's key has changed: %v", purpose, after, changed)
			}
			k.check("app/000", `{"n":"0"}`)
			k.end()
		}
	}
}

// TestPurposeRotation: rotated while it serves, the log verifies with the key of before, and an actor is found by an accessor that
// acted under both keys.
func TestPurposeRotation(t *testing.T) {
	k, _ := furnished(t)
	first, dir := k.log.PublicKey(), k.auditDir
	issued, err := k.desk.RootToken(t.Context(), k.local().From())
	if err != nil {
		t.Fatal(err)
	}
	act := func() {
		t.Helper()
		if _, err := k.desk.Read(t.Context(), k.known(issued), ref(t, "app/001")); err != nil {
			t.Fatal(err)
		}
	}
	act()
	for _, purpose := range []string{"audit-sign", "audit-hmac"} {
		if err := k.desk.RotatePurpose(t.Context(), k.local(), "sys/rotate/purpose/"+purpose, purpose); err != nil {
			t.Fatal(err)
		}
	}
	act()
	found, _, err := k.desk.AuditSearch(t.Context(), k.local(), audit.Query{Actor: issued.Accessor, Kinds: []audit.Kind{audit.Read}}, 0)
	if err != nil || len(found) != 2 || found[0].Event.Who.Accessor == found[1].Event.Who.Accessor {
		t.Errorf("by accessor: %d records, %v; want two, keyed differently", len(found), err)
	}
	if err := k.desk.RotatePurpose(t.Context(), k.local(), "sys/rotate/purpose/index", "index"); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("the index key: %v", err)
	}
	if k.log.PublicKey() == first {
		t.Error("the log signs with the key of before")
	}
	k.end()
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{PublicKeys: []string{first}})
	if err != nil || rep.Covered != rep.Records {
		t.Errorf("with the first key: %+v, %v", rep, err)
	}
}
