package vault

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/seal"
)

// opened is an initialized, unsealed keep with three shares, two of which are needed.
func opened(t *testing.T) (*keyhole, []string) {
	t.Helper()
	k := newKeyhole(t, custody.AutoSeal{})
	shares := k.initialize(`{"secret_shares":3,"secret_threshold":2}`)
	k.unseal(shares[0], shares[1])
	return k, shares
}

// auto is a keep that opens by itself, with two recovery shares.
func auto(t *testing.T) (*keyhole, []string) {
	t.Helper()
	w, err := seal.NewKeyWrap(seal.NewKey(), seal.KindKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	k := newKeyhole(t, custody.AutoSeal{Kind: seal.KindKeyFile, Wrapper: w})
	k.refused(http.StatusBadRequest, "PUT", "sys/init", `{"secret_shares":3,"secret_threshold":2}`)
	made := k.must("PUT", "sys/init", `{"recovery_shares":3,"recovery_threshold":2}`)
	k.token = made["root_token"].(string)
	if k.desk.Sealed() || len(members(made["keys"])) != 0 {
		t.Fatalf("an auto-unseal keep is sealed after init, or has unseal keys: %v", made["keys"])
	}
	return k, members(made["recovery_keys"])
}

func TestRekey(t *testing.T) {
	k, shares := opened(t)
	started := k.must("PUT", "sys/rekey/init", `{"secret_shares":2,"secret_threshold":2}`)
	nonce := started["nonce"].(string)
	if started["started"] != true || started["required"] != 2.0 || started["n"] != 2.0 || nonce == "" {
		t.Fatalf("start: %v", started)
	}
	k.refused(http.StatusBadRequest, "PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	if got := k.must("PUT", "sys/rekey/update", k.key(shares[2], "nonce", nonce)); got["progress"] != 1.0 {
		t.Errorf("after one share: %v", got)
	}
	made := k.must("PUT", "sys/rekey/update", k.key(shares[0], "nonce", nonce))
	fresh := members(made["keys"])
	if made["complete"] != true || len(fresh) != 2 {
		t.Fatalf("complete: %v", made)
	}
	if got := k.must("GET", "sys/rekey/init", ""); got["started"] != false {
		t.Errorf("after the end: %v", got)
	}
	k.must("PUT", "sys/seal", "")
	k.refused(http.StatusBadRequest, "PUT", "sys/unseal", k.key(shares[0]))
	k.unseal(fresh...)
	k.must("GET", "sys/mounts", "") // the root token still stands
}

func TestRekeyWithVerification(t *testing.T) {
	k, shares := opened(t)
	nonce := k.must("PUT", "sys/rotate/root/init", `{"secret_shares":1,"secret_threshold":1,"require_verification":true}`)["nonce"].(string)
	k.must("PUT", "sys/rotate/root/update", k.key(shares[0], "nonce", nonce))
	made := k.must("PUT", "sys/rotate/root/update", k.key(shares[1], "nonce", nonce))
	fresh := members(made["keys"])[0]
	check := made["verification_nonce"].(string)
	k.refused(http.StatusBadRequest, "PUT", "sys/rotate/root/verify", k.key(fresh, "nonce", nonce))
	restarted := k.must("DELETE", "sys/rotate/root/verify", "")
	if restarted["nonce"] == check {
		t.Error("a restarted verification keeps its nonce")
	}
	k.must("PUT", "sys/seal", "") // nothing counts before it is verified
	k.unseal(shares[0], shares[2])
	nonce = k.must("PUT", "sys/rotate/root/init", `{"secret_shares":1,"secret_threshold":1,"require_verification":true}`)["nonce"].(string)
	k.must("PUT", "sys/rotate/root/update", k.key(shares[0], "nonce", nonce))
	made = k.must("PUT", "sys/rotate/root/update", k.key(shares[1], "nonce", nonce))
	fresh, check = members(made["keys"])[0], made["verification_nonce"].(string)
	if got := k.must("GET", "sys/rotate/root/verify", ""); got["started"] != true || got["t"] != 1.0 {
		t.Errorf("verification: %v", got)
	}
	if got := k.must("PUT", "sys/rotate/root/verify", k.key(fresh, "nonce", check)); got["complete"] != true {
		t.Errorf("verified: %v", got)
	}
	k.must("PUT", "sys/seal", "")
	k.unseal(fresh)
}

func TestRekeyToRecipientsWithBackup(t *testing.T) {
	k, shares := opened(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"secret_shares": 1, "secret_threshold": 1, "pgp_keys": []string{id.Recipient().String()}, "backup": true})
	if err != nil {
		t.Fatal(err)
	}
	k.refused(http.StatusBadRequest, "PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1,"backup":true}`)
	started := k.must("PUT", "sys/rekey/init", string(body))
	if got := members(started["pgp_fingerprints"]); len(got) != 1 || got[0] != id.Recipient().String() {
		t.Errorf("fingerprints: %v", got)
	}
	nonce := started["nonce"].(string)
	k.must("PUT", "sys/rekey/update", k.key(shares[0], "nonce", nonce))
	made := k.must("PUT", "sys/rekey/update", k.key(shares[1], "nonce", nonce))
	message, err := base64.StdEncoding.DecodeString(members(made["keys_base64"])[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(message), id)
	if err != nil {
		t.Fatal(err)
	}
	share, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	data := k.must("GET", "sys/rekey/backup", "")["data"].(map[string]any)
	kept := members(data["keys"].(map[string]any)[id.Recipient().String()])
	if len(kept) != 1 || kept[0] != hex.EncodeToString(message) || data["nonce"] != nonce {
		t.Errorf("backup: %v", data)
	}
	k.must("DELETE", "sys/rekey/backup", "")
	k.refused(http.StatusBadRequest, "GET", "sys/rekey/backup", "")
	k.must("PUT", "sys/seal", "")
	k.unseal(string(share))
}

func TestRecoveryKeys(t *testing.T) {
	k, shares := auto(t)
	status := k.must("GET", "sys/seal-status", "")
	if status["recovery_seal"] != true || status["type"] != "keyfile" || status["n"] != 3.0 || status["t"] != 2.0 {
		t.Errorf("seal-status: %v", status)
	}
	k.refused(http.StatusBadRequest, "PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	nonce := k.must("PUT", "sys/rekey-recovery-key/init", `{"secret_shares":1,"secret_threshold":1}`)["nonce"].(string)
	k.must("PUT", "sys/rekey-recovery-key/update", k.key(shares[0], "nonce", nonce))
	made := k.must("PUT", "sys/rekey-recovery-key/update", k.key(shares[1], "nonce", nonce))
	fresh := members(made["keys"])
	if len(fresh) != 1 {
		t.Fatalf("rekeyed: %v", made)
	}
	// The new recovery key makes a root token, the old shares do not.
	k.token = ""
	k.refused(http.StatusForbidden, "PUT", "sys/generate-root/attempt", k.key(shares[0]))
	attempt := k.must("PUT", "sys/generate-root/attempt", k.key(fresh[0]))
	done := k.must("PUT", "sys/generate-root/update", k.key(fresh[0], "nonce", attempt["nonce"].(string)))
	k.useRoot(done["encoded_token"].(string), attempt["otp"].(string))
}

// useRoot decodes a generated root token and asks something with it.
func (k *keyhole) useRoot(encoded, otp string) {
	k.t.Helper()
	body, err := json.Marshal(map[string]string{"encoded_token": encoded, "otp": otp})
	if err != nil {
		k.t.Fatal(err)
	}
	k.token = k.must("PUT", "sys/decode-token", string(body))["data"].(map[string]any)["token"].(string)
	if !strings.HasPrefix(k.token, "khs_") {
		k.t.Errorf("decoded to %q…", k.token[:4])
	}
	k.must("GET", "sys/rekey-recovery-key/init", "")
}

func TestAutoSealWithoutRecoveryKeyMakesOne(t *testing.T) {
	w, err := seal.NewKeyWrap(seal.NewKey(), seal.KindKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	k := newKeyhole(t, custody.AutoSeal{Kind: seal.KindKeyFile, Wrapper: w})
	k.token = k.must("PUT", "sys/init", `{}`)["root_token"].(string)
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/attempt", `{}`)
	made := k.must("PUT", "sys/rotate/recovery/init", `{"secret_shares":2,"secret_threshold":2}`)
	if got := members(made["keys"]); made["complete"] != true || len(got) != 2 {
		t.Fatalf("first recovery key: %v", made)
	}
	if got := k.must("GET", "sys/seal-status", ""); got["n"] != 2.0 {
		t.Errorf("seal-status: %v", got)
	}
}

func TestGenerateRoot(t *testing.T) {
	k, shares := opened(t)
	root := k.token
	attempt := k.must("PUT", "sys/generate-root-token/attempt", "")
	if attempt["started"] != true || attempt["otp_length"] != 42.0 || len(attempt["otp"].(string)) != 42 {
		t.Fatalf("start: %v", attempt)
	}
	nonce := attempt["nonce"].(string)
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/attempt", "")
	if got := k.must("PUT", "sys/generate-root-token/update", k.key(shares[0], "nonce", nonce)); got["progress"] != 1.0 || got["complete"] != false {
		t.Errorf("after one share: %v", got)
	}
	done := k.must("PUT", "sys/generate-root-token/update", k.key(shares[1], "nonce", nonce))
	if done["complete"] != true {
		t.Fatalf("complete: %v", done)
	}
	body, err := json.Marshal(map[string]string{"encoded_token": done["encoded_token"].(string), "otp": attempt["otp"].(string)})
	if err != nil {
		t.Fatal(err)
	}
	k.token = k.must("PUT", "sys/decode-token", string(body))["data"].(map[string]any)["token"].(string)
	if k.token == root {
		t.Error("the old root token came out")
	}
	k.must("GET", "sys/mounts", "")
	k.refused(http.StatusBadRequest, "PUT", "sys/generate-root/attempt", `{"otp":"short"}`)
}
