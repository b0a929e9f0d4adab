package vault

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
)

// rekeying is one of the families of paths by which shares are replaced: the older sys/rekey, whose answers have no
// envelope, and sys/rotate, each for the unseal key and for the recovery key.
type rekeying struct {
	base  string // below sys/
	bunch custody.Bunch
	plain bool // no envelope
	ops   rekeyOps
}

type rekeyOps struct{ read, start, cancel, update, verifyRead, verify, verifyCancel, backup, backupRemove policy.Operation }

func sameOps(read, update, remove policy.Operation) rekeyOps {
	return rekeyOps{read, update, remove, update, read, update, remove, read, remove}
}

func rekeyRoutes() []route {
	older := rekeyOps{
		"vault.sys.rekey.read", "vault.sys.rekey.start", "vault.sys.rekey.cancel", "vault.sys.rekey.update", "vault.sys.rekey.verify.read",
		"vault.sys.rekey.verify", "vault.sys.rekey.verify.cancel", "vault.sys.rekey.backup.read", "vault.sys.rekey.backup.delete",
	}
	recovery := sameOps("vault.sys.rekey-recovery.read", "vault.sys.rekey-recovery.update", "vault.sys.rekey-recovery.delete")
	newer := sameOps("vault.sys.rotate.root.read", "vault.sys.rotate.root.update", "vault.sys.rotate.root.delete")
	var all []route
	for _, k := range []rekeying{
		{"rekey", custody.UnsealKey, true, older},
		{"rekey-recovery-key", custody.RecoveryKey, true, recovery},
		{"rotate/root", custody.UnsealKey, false, newer},
		{"rotate/recovery", custody.RecoveryKey, false, newer},
	} {
		all = append(all, k.routes()...)
	}
	// The older clients' name for the backup of recovery shares.
	k := rekeying{"rekey-recovery-key", custody.RecoveryKey, false, recovery}
	return append(all,
		route{read, "rekey/recovery-key-backup", recovery.backup, k.backup},
		route{remove, "rekey/recovery-key-backup", recovery.backupRemove, k.backupRemove})
}

func (k rekeying) routes() []route {
	return []route{
		{read, k.base + "/init", k.ops.read, k.status},
		{write, k.base + "/init", k.ops.start, k.start},
		{remove, k.base + "/init", k.ops.cancel, k.cancel},
		{write, k.base + "/update", k.ops.update, k.update},
		{read, k.base + "/verify", k.ops.verifyRead, k.verifyStatus},
		{write, k.base + "/verify", k.ops.verify, k.verify},
		{remove, k.base + "/verify", k.ops.verifyCancel, k.verifyRestart},
		{read, k.base + "/backup", k.ops.backup, k.backup},
		{remove, k.base + "/backup", k.ops.backupRemove, k.backupRemove},
	}
}

func (k rekeying) say(v any) (answer, error) {
	if k.plain {
		return sayRaw(http.StatusOK, v)
	}
	return sayFlat(v)
}

type rekeyStatusAnswer struct {
	Nonce        string   `json:"nonce"`
	Started      bool     `json:"started"`
	T            int      `json:"t"`
	N            int      `json:"n"`
	Progress     int      `json:"progress"`
	Required     int      `json:"required"`
	Fingerprints []string `json:"pgp_fingerprints"`
	Backup       bool     `json:"backup"`
	Verify       bool     `json:"verification_required"`
	VerifyNonce  string   `json:"verification_nonce,omitempty"`
}

type rekeyedAnswer struct {
	Nonce        string   `json:"nonce"`
	Complete     bool     `json:"complete"`
	Keys         []string `json:"keys"`
	KeysB64      []string `json:"keys_base64"`
	Armored      []string `json:"keys_armored,omitempty"` // ours: of age and SSH recipients
	Fingerprints []string `json:"pgp_fingerprints"`
	Backup       bool     `json:"backup"`
	Verify       bool     `json:"verification_required"`
	VerifyNonce  string   `json:"verification_nonce,omitempty"`
}

func (k rekeying) sayStatus(s custody.RekeyStatus) (answer, error) {
	return k.say(rekeyStatusAnswer{s.Nonce, s.Started, s.Threshold, s.Shares, s.Progress, s.Required, s.Fingerprints, s.Backup, s.Verify, s.VerifyNonce})
}

func (k rekeying) sayRekeyed(m *custody.Rekeyed) (answer, error) {
	a := rekeyedAnswer{
		Nonce: m.Nonce, Complete: true, Armored: armored(m.Parts), Fingerprints: m.Parts.Fingerprints, Backup: m.Backup, Verify: m.Verify, VerifyNonce: m.VerifyNonce,
	}
	a.Keys, a.KeysB64 = encodeShares(m.Parts)
	return k.say(a)
}

// resource is the name that policies know the request by.
func (rq *request) resource() string { return rq.path }

func (k rekeying) status(rq *request) (answer, error) {
	s, err := rq.front.desk.RekeyStatus(rq.ctx, rq.caller, rq.resource(), k.bunch)
	if err != nil {
		return answer{}, err
	}
	return k.sayStatus(s)
}

func (k rekeying) start(rq *request) (answer, error) {
	split, err := rq.split("secret_shares", "secret_threshold", "pgp_keys")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	w := custody.Rekey{Split: split}
	if w.Verify, err = rq.fields.flag("require_verification"); err != nil {
		return answer{}, rq.refused(err)
	}
	backup := "backup"
	if rq.fields.has("Backup") { // the vendor's own client writes this one field so, and its server reads any case
		backup = "Backup"
	}
	if w.Backup, err = rq.fields.flag(backup); err != nil {
		return answer{}, rq.refused(err)
	}
	s, made, err := rq.front.desk.RekeyStart(rq.ctx, rq.caller, rq.resource(), k.bunch, w)
	if err != nil {
		return answer{}, err
	}
	if made != nil {
		return k.sayRekeyed(made)
	}
	return k.sayStatus(s)
}

// nonce is a member of the body, or a parameter where clients send no body.
func (rq *request) nonce() string {
	if n := rq.fields.text("nonce"); n != "" {
		return n
	}
	return rq.http.URL.Query().Get("nonce")
}

func (k rekeying) cancel(rq *request) (answer, error) {
	if err := rq.front.desk.RekeyCancel(rq.ctx, rq.caller, rq.resource(), k.bunch, rq.nonce()); err != nil {
		return answer{}, err
	}
	return done()
}

func (k rekeying) update(rq *request) (answer, error) {
	share, err := rq.share("'key' must be specified in request body as JSON")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	s, made, err := rq.front.desk.RekeyUpdate(rq.ctx, rq.caller, rq.resource(), k.bunch, rq.nonce(), share)
	if err != nil {
		return answer{}, err
	}
	if made != nil {
		return k.sayRekeyed(made)
	}
	return k.sayStatus(s)
}

func (k rekeying) sayVerify(v custody.VerifyStatus) (answer, error) {
	if v.Complete {
		return k.say(struct {
			Nonce    string `json:"nonce"`
			Complete bool   `json:"complete"`
		}{v.Nonce, true})
	}
	return k.say(struct {
		Nonce    string `json:"nonce"`
		Started  bool   `json:"started"`
		T        int    `json:"t"`
		N        int    `json:"n"`
		Progress int    `json:"progress"`
	}{v.Nonce, v.Started, v.Threshold, v.Shares, v.Progress})
}

func (k rekeying) verifyStatus(rq *request) (answer, error) {
	v, err := rq.front.desk.RekeyVerifyStatus(rq.ctx, rq.caller, rq.resource(), k.bunch)
	if err != nil {
		return answer{}, err
	}
	return k.sayVerify(v)
}

func (k rekeying) verify(rq *request) (answer, error) {
	share, err := rq.share("'key' must be specified in request body as JSON")
	if err != nil {
		return answer{}, rq.refused(err)
	}
	v, err := rq.front.desk.RekeyVerify(rq.ctx, rq.caller, rq.resource(), k.bunch, rq.nonce(), share)
	if err != nil {
		return answer{}, err
	}
	return k.sayVerify(v)
}

func (k rekeying) verifyRestart(rq *request) (answer, error) {
	v, err := rq.front.desk.RekeyVerifyRestart(rq.ctx, rq.caller, rq.resource(), k.bunch, rq.nonce())
	if err != nil {
		return answer{}, err
	}
	return k.sayVerify(v)
}

func (k rekeying) backup(rq *request) (answer, error) {
	b, err := rq.front.desk.RekeyBackup(rq.ctx, rq.caller, rq.resource(), k.bunch)
	if err != nil {
		return answer{}, err
	}
	based := map[string][]string{}
	for f, messages := range b.Keys {
		for _, m := range messages {
			raw, err := hex.DecodeString(m)
			if err != nil {
				return answer{}, err
			}
			based[f] = append(based[f], base64.StdEncoding.EncodeToString(raw))
		}
	}
	return sayFlat(struct {
		Nonce   string              `json:"nonce"`
		Keys    map[string][]string `json:"keys"`
		KeysB64 map[string][]string `json:"keys_base64"`
	}{b.Nonce, b.Keys, based})
}

func (k rekeying) backupRemove(rq *request) (answer, error) {
	if err := rq.front.desk.RekeyBackupRemove(rq.ctx, rq.caller, rq.resource(), k.bunch); err != nil {
		return answer{}, err
	}
	return done()
}
