package vaultapi

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/hashicorp/vault/api"
)

// recipient is a key to encrypt shares to, in the form of clients: base64 of the binary. Only such shares are backed up.
func recipient(t *testing.T) string {
	t.Helper()
	e, err := openpgp.NewEntity("ann", "", "ann@example.org", nil)
	must(t, err)
	var b bytes.Buffer
	must(t, e.Serialize(&b))
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// TestGenerateRoot makes a root token from shares, to its end: the token is decoded and used.
func TestGenerateRoot(t *testing.T) {
	k := sealed(t)
	made := k.initialize(t, 3, 2)
	s := k.root.Sys()
	first := got(s.GenerateRootInit("", ""))(t)
	if !first.Started || first.Required != 2 || first.OTP == "" || first.OTPLength != len(first.OTP) {
		t.Fatalf("started: %+v", first)
	}
	if _, err := s.GenerateRootInit("", ""); err == nil {
		t.Error("a second attempt began beside the first")
	}
	got(s.GenerateRootUpdate(made.Keys[0], first.Nonce))(t)
	if st := got(s.GenerateRootStatus())(t); st.Progress != 1 {
		t.Errorf("one share: %+v", st)
	}
	k.do(t, http.MethodDelete, "sys/generate-root/attempt", map[string]any{"nonce": first.Nonce})
	if st := got(s.GenerateRootStatus())(t); st.Started {
		t.Errorf("cancelled: %+v", st)
	}

	again := got(s.GenerateRootInit("", ""))(t)
	if _, err := s.GenerateRootUpdate(made.Keys[1], first.Nonce); err == nil {
		t.Error("a share was taken for an attempt that is over")
	}
	got(s.GenerateRootUpdate(made.Keys[1], again.Nonce))(t)
	last := got(s.GenerateRootUpdate(made.Keys[2], again.Nonce))(t)
	if !last.Complete {
		t.Fatalf("two shares: %+v", last)
	}
	token := unpadded(t, last.EncodedRootToken, again.OTP)
	if by := k.do(t, http.MethodPost, "sys/decode-token", map[string]any{"encoded_token": last.EncodedRootToken, "otp": again.OTP}); by.Data["token"] != token {
		t.Error("the server decodes another token")
	}
	fresh := k.client(t, token)
	if self := got(fresh.Auth().Token().LookupSelf())(t); self.Data["path"] != "auth/token/root" || self.Data["display_name"] != "root" {
		t.Errorf("the new root token: %v", self.Data)
	}
	must(t, fresh.Sys().PutPolicy("by-the-new-root", devPolicy))
	must(t, k.root.Auth().Token().RevokeSelf(""))
	must(t, fresh.Sys().DeletePolicy("by-the-new-root"))
}

func unpadded(t *testing.T, encoded, otp string) string {
	t.Helper()
	raw, err := base64.RawStdEncoding.DecodeString(encoded)
	must(t, err)
	if len(raw) != len(otp) {
		t.Fatalf("a token of %d bytes under a pad of %d", len(raw), len(otp))
	}
	for i := range raw {
		raw[i] ^= otp[i]
	}
	return string(raw)
}

// TestGenerateRootAnew is the same under the name that newer clients use.
func TestGenerateRootAnew(t *testing.T) {
	k := sealed(t)
	made := k.initialize(t, 1, 1)
	const base = "sys/generate-root-token/"
	begun := k.do(t, http.MethodPut, base+"attempt", nil)
	k.do(t, http.MethodDelete, base+"attempt", map[string]any{"nonce": begun.Data["nonce"]})
	begun = k.do(t, http.MethodPut, base+"attempt", nil)
	if st := k.do(t, http.MethodGet, base+"attempt", nil); st.Data["started"] != true {
		t.Errorf("started: %v", st.Data)
	}
	last := k.do(t, http.MethodPut, base+"update", map[string]any{"nonce": begun.Data["nonce"], "key": made.Keys[0]})
	token := unpadded(t, last.Data["encoded_token"].(string), begun.Data["otp"].(string))
	got(k.client(t, token).Auth().Token().LookupSelf())(t)
}

// TestRekeyVerified makes new shares that count only after they were shown.
func TestRekeyVerified(t *testing.T) {
	k := sealed(t)
	made := k.initialize(t, 2, 2)
	s := k.root.Sys()
	begun := got(s.RekeyInit(&api.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1}))(t)
	must(t, s.RekeyCancelWithNonce(begun.Nonce))
	begun = got(s.RekeyInit(&api.RekeyInitRequest{SecretShares: 2, SecretThreshold: 2, RequireVerification: true}))(t)
	var fresh *api.RekeyUpdateResponse
	for _, share := range made.Keys {
		fresh = got(s.RekeyUpdate(share, begun.Nonce))(t)
	}
	if !fresh.VerificationRequired || fresh.VerificationNonce == "" {
		t.Fatalf("rekeyed: %+v", fresh)
	}
	got(s.RekeyVerificationUpdate(fresh.Keys[0], fresh.VerificationNonce))(t)
	if st := got(s.RekeyVerificationStatus())(t); st.Progress != 1 {
		t.Errorf("verifying: %+v", st)
	}
	k.do(t, http.MethodDelete, "sys/rekey/verify", map[string]any{"nonce": fresh.VerificationNonce})
	nonce := got(s.RekeyVerificationStatus())(t).Nonce
	var v *api.RekeyVerificationUpdateResponse
	for _, share := range fresh.Keys {
		v = got(s.RekeyVerificationUpdate(share, nonce))(t)
	}
	if !v.Complete {
		t.Errorf("verified: %+v", v)
	}
	must(t, s.Seal())
	for _, share := range fresh.Keys {
		got(s.Unseal(share))(t)
	}

	begun = got(s.RekeyInit(&api.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1, PGPKeys: []string{recipient(t)}, Backup: true}))(t)
	for _, share := range fresh.Keys {
		got(s.RekeyUpdate(share, begun.Nonce))(t)
	}
	if b := got(s.RekeyRetrieveBackup())(t); len(b.Keys) != 1 {
		t.Errorf("backup: %+v", b)
	}
	must(t, s.RekeyDeleteBackup())
}

// rekeying drives one of the newer names of the flow from start to end, with verification and a backup.
func rekeying(t *testing.T, k *keep, base string, shares []string) {
	t.Helper()
	ask := func(method, path string, body map[string]any) map[string]any {
		t.Helper()
		if s := k.do(t, method, base+path, body); s != nil && s.Data != nil {
			return s.Data
		}
		return map[string]any{}
	}
	all := func(path, nonce string, shares []string) (last map[string]any) {
		t.Helper()
		for _, share := range shares {
			last = ask(http.MethodPut, path, map[string]any{"key": share, "nonce": nonce})
		}
		return last
	}
	text := func(m map[string]any, name string) string { s, _ := m[name].(string); return s }
	list := func(m map[string]any, name string) (out []string) {
		values, _ := m[name].([]any)
		for _, v := range values {
			out = append(out, v.(string))
		}
		return out
	}
	begun := ask(http.MethodPut, "/init", map[string]any{"secret_shares": 2, "secret_threshold": 2})
	ask(http.MethodDelete, "/init", map[string]any{"nonce": begun["nonce"]})
	begun = ask(http.MethodPut, "/init", map[string]any{"secret_shares": 2, "secret_threshold": 2, "require_verification": true})
	ask(http.MethodGet, "/init", nil)
	made := all("/update", text(begun, "nonce"), shares)
	fresh := list(made, "keys")
	ask(http.MethodGet, "/verify", nil)
	ask(http.MethodDelete, "/verify", map[string]any{"nonce": made["verification_nonce"]})
	if v := all("/verify", text(ask(http.MethodGet, "/verify", nil), "nonce"), fresh); v["complete"] != true {
		t.Fatalf("%s: verified: %v", base, v)
	}
	begun = ask(http.MethodPut, "/init", map[string]any{"secret_shares": 1, "secret_threshold": 1, "pgp_keys": []string{recipient(t)}, "backup": true})
	all("/update", text(begun, "nonce"), fresh)
	if b := ask(http.MethodGet, "/backup", nil); len(b) == 0 {
		t.Errorf("%s: no backup", base)
	}
	ask(http.MethodDelete, "/backup", nil)
}

func TestRotateRoot(t *testing.T) {
	k := sealed(t)
	rekeying(t, k, "sys/rotate/root", k.initialize(t, 2, 2).Keys)
}

// TestRecoveryKeys is the life of the shares of a server that unseals by itself.
func TestRecoveryKeys(t *testing.T) {
	k, made := bySelf(t)
	rekeying(t, k, "sys/rotate/recovery", made.RecoveryKeys[:2])

	k, made = bySelf(t)
	s := k.root.Sys()
	begun := got(s.RekeyRecoveryKeyInit(&api.RekeyInitRequest{SecretShares: 2, SecretThreshold: 2}))(t)
	must(t, s.RekeyRecoveryKeyCancelWithNonce(begun.Nonce))
	begun = got(s.RekeyRecoveryKeyInit(&api.RekeyInitRequest{SecretShares: 2, SecretThreshold: 2, RequireVerification: true}))(t)
	if st := got(s.RekeyRecoveryKeyStatus())(t); !st.Started {
		t.Errorf("status: %+v", st)
	}
	var fresh *api.RekeyUpdateResponse
	for _, share := range made.RecoveryKeys[:2] {
		fresh = got(s.RekeyRecoveryKeyUpdate(share, begun.Nonce))(t)
	}
	k.do(t, http.MethodDelete, "sys/rekey-recovery-key/verify", map[string]any{"nonce": fresh.VerificationNonce})
	nonce := got(s.RekeyRecoveryKeyVerificationStatus())(t).Nonce
	for _, share := range fresh.Keys {
		got(s.RekeyRecoveryKeyVerificationUpdate(share, nonce))(t)
	}
	begun = got(s.RekeyRecoveryKeyInit(&api.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1, PGPKeys: []string{recipient(t)}, Backup: true}))(t)
	for _, share := range fresh.Keys {
		got(s.RekeyRecoveryKeyUpdate(share, begun.Nonce))(t)
	}
	got(s.RekeyRetrieveRecoveryBackup())(t)
	k.do(t, http.MethodGet, "sys/rekey-recovery-key/backup", nil)
	must(t, s.RekeyDeleteRecoveryBackup())
	k.do(t, http.MethodDelete, "sys/rekey-recovery-key/backup", nil)

	root := got(k.root.Auth().Token().LookupSelf())(t)
	if root.Data["path"] != "auth/token/root" {
		t.Errorf("the first root token: %v", root.Data)
	}
}

// TestRotation turns the keys that no share is of.
func TestRotation(t *testing.T) {
	k := opened(t)
	l := k.root.Logical()
	got(l.Write("sys/rotate/keyring", nil))(t)
	for _, path := range []string{"sys/rotate/config", "sys/rotate/keyring/config"} {
		got(l.Write(path, map[string]any{"max_operations": 2_000_000_000, "interval": "720h", "enabled": true}))(t)
		if c := got(l.Read(path))(t); c.Data["enabled"] != true {
			t.Errorf("%s: %v", path, c.Data)
		}
	}
	_, err := l.Write("sys/rotate/root", nil)
	refused(t, http.StatusBadRequest, err) // it is split into shares, whose holders have to come
	got(l.Write("sys/rotate/purpose/sealed-token", nil))(t)
	got(k.root.Auth().Token().LookupSelf())(t)

	k, _ = bySelf(t)
	got(k.root.Logical().Write("sys/rotate/root", nil))(t)
	got(k.root.Auth().Token().LookupSelf())(t)
}
