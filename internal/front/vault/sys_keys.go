package vault

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/seal/recipient"
	"github.com/keephold/keephold/internal/seal/shamir"
	"github.com/keephold/keephold/internal/secret"
)

// keyRoutes is the ceremony around the root key, https://openbao.org/api-docs/system/init/ and the pages beside it.
func keyRoutes() []route {
	return slices.Concat(rekeyRoutes(), rootRoutes(), rotateRoutes(), []route{
		{read, "init", "vault.sys.init.read", initStatus},
		{write, "init", "vault.sys.init", initialize},
		{read, "seal-status", "vault.sys.seal-status", sealStatus},
		{write, "unseal", "vault.sys.unseal", unseal},
		{write, "seal", "vault.sys.seal", sealNow},
	})
}

func initStatus(rq *request) (answer, error) {
	done, err := rq.front.desk.Initialized(rq.ctx)
	if err != nil {
		return answer{}, err
	}
	return sayRaw(http.StatusOK, struct {
		Initialized bool `json:"initialized"`
	}{done})
}

type initAnswer struct {
	Keys         []string `json:"keys"`
	KeysB64      []string `json:"keys_base64"`
	Armored      []string `json:"keys_armored,omitempty"` // ours: of age and SSH recipients
	Recovery     []string `json:"recovery_keys,omitempty"`
	RecoveryB64  []string `json:"recovery_keys_base64,omitempty"`
	RecoveryText []string `json:"recovery_keys_armored,omitempty"`
	RootToken    string   `json:"root_token"`
}

func initialize(rq *request) (answer, error) {
	status, err := rq.front.desk.SealStatus(rq.ctx)
	if err != nil {
		return answer{}, err
	}
	f, to, err := rq.founding(status)
	if err != nil {
		return answer{}, err
	}
	made, err := rq.front.desk.Found(rq.ctx, rq.caller, f)
	if err != nil {
		return answer{}, err
	}
	a := initAnswer{RootToken: string(made.Root.Token.Reveal()), Armored: armored(made.Shares), RecoveryText: armored(made.Recovery)}
	a.Keys, a.KeysB64 = encodeShares(made.Shares)
	if f.Recovery.Shares > 0 {
		a.Recovery, a.RecoveryB64 = encodeShares(made.Recovery)
	}
	if to != nil {
		message, err := to.Encrypt(made.Root.Token.Reveal(), time.Now())
		if err != nil {
			return answer{}, err
		}
		a.RootToken = base64.StdEncoding.EncodeToString(message)
	}
	return sayRaw(http.StatusOK, a)
}

// founding reads what init asks for. The parameters of the other sort of seal are refused by name, as the vendor does.
func (rq *request) founding(status custody.SealStatus) (f custody.Founding, to *recipient.Recipient, err error) {
	foreign := []string{"recovery_shares", "recovery_threshold", "recovery_pgp_keys"}
	if status.Recovery {
		foreign = []string{"secret_shares", "secret_threshold", "pgp_keys"}
	}
	for _, name := range foreign {
		if text := rq.fields.text(name); rq.fields.has(name) && text != "0" {
			return f, nil, bad("parameters %s not applicable to seal type %s", name, status.Kind)
		}
	}
	if status.Recovery {
		f.Recovery, err = rq.split("recovery_shares", "recovery_threshold", "recovery_pgp_keys")
	} else {
		f.Shares, err = rq.split("secret_shares", "secret_threshold", "pgp_keys")
	}
	if err != nil {
		return f, nil, err
	}
	if key := rq.fields.text("root_token_pgp_key"); key != "" {
		if to, err = recipient.Parse(key, time.Now()); err != nil {
			return f, nil, bad("root_token_pgp_key: %v", err)
		}
	}
	return f, to, nil
}

// split reads shares, threshold and the public keys to encrypt each share to.
func (rq *request) split(shares, threshold, keys string) (custody.Split, error) {
	n, err := rq.fields.number(shares)
	if err != nil {
		return custody.Split{}, err
	}
	t, err := rq.fields.number(threshold)
	if err != nil {
		return custody.Split{}, err
	}
	if n < 0 || n > 255 || t < 0 || t > 255 {
		return custody.Split{}, bad("%s and %s must be between 1 and 255", shares, threshold)
	}
	texts, err := rq.fields.list(keys)
	if err != nil {
		return custody.Split{}, err
	}
	if len(texts) > 0 && int64(len(texts)) != n {
		return custody.Split{}, bad("incorrect number of PGP keys: %d for %d shares", len(texts), n)
	}
	s := custody.Split{Shares: int(n), Threshold: int(t)}
	for i, text := range texts {
		r, err := recipient.Parse(text, time.Now())
		if err != nil {
			return custody.Split{}, bad("%s[%d]: %v", keys, i, err)
		}
		s.Recipients = append(s.Recipients, r)
	}
	return s, nil
}

func encodeShares(p custody.Parts) (hexed, based []string) {
	hexed, based = []string{}, []string{}
	add := func(b []byte) {
		hexed = append(hexed, hex.EncodeToString(b))
		based = append(based, base64.StdEncoding.EncodeToString(b))
	}
	for _, s := range p.Shares {
		add(s.Reveal())
	}
	for _, m := range p.Messages {
		add(m)
	}
	return hexed, based
}

// armored is nil unless some share was encrypted to an age or SSH key.
func armored(p custody.Parts) []string {
	for _, a := range p.Armored {
		if a != "" {
			return p.Armored
		}
	}
	return nil
}

type sealAnswer struct {
	Type         string `json:"type"`
	Initialized  bool   `json:"initialized"`
	Sealed       bool   `json:"sealed"`
	T            int    `json:"t"`
	N            int    `json:"n"`
	Progress     int    `json:"progress"`
	Nonce        string `json:"nonce"`
	Version      string `json:"version"`
	BuildDate    string `json:"build_date"`
	Migration    bool   `json:"migration"`
	RecoverySeal bool   `json:"recovery_seal"`
	StorageType  string `json:"storage_type"`
}

func sealStatus(rq *request) (answer, error) {
	s, err := rq.front.desk.SealStatus(rq.ctx)
	if err != nil {
		return answer{}, err
	}
	return rq.saySeal(s)
}

func (rq *request) saySeal(s custody.SealStatus) (answer, error) {
	return sayRaw(http.StatusOK, sealAnswer{
		Type: s.Kind, Initialized: s.Initialized, Sealed: s.Sealed, T: s.Threshold, N: s.Shares, Progress: s.Progress, Nonce: s.Nonce,
		Version: rq.front.cfg.Version, RecoverySeal: s.Recovery, StorageType: rq.front.cfg.Storage,
	})
}

func unseal(rq *request) (answer, error) {
	for _, name := range []string{"migrate", "reset"} {
		on, err := rq.fields.flag(name)
		if err != nil {
			return answer{}, err
		}
		if on && name == "migrate" {
			return answer{}, bad("can't perform a seal migration, no migration seal found")
		}
		if on {
			s, err := rq.front.desk.UnsealReset(rq.ctx, rq.caller)
			if err != nil {
				return answer{}, err
			}
			return rq.saySeal(s)
		}
	}
	share, err := rq.share("'key' must be specified in request body as JSON, or 'reset' set to true")
	if err != nil {
		return answer{}, err
	}
	s, err := rq.front.desk.UnsealShare(rq.ctx, rq.caller, share)
	if err != nil {
		return answer{}, err
	}
	return rq.saySeal(s)
}

// share reads the member "key".
func (rq *request) share(missing string) ([]byte, error) {
	text := rq.fields.text("key")
	if text == "" {
		return nil, bad("%s", missing)
	}
	share, err := shamir.Parse(text)
	if err != nil {
		return nil, bad("'key' must be a valid hex or base64 string of a key share")
	}
	return share, nil
}

func sealNow(rq *request) (answer, error) {
	if rq.front.desk.Sealed() {
		return answer{}, secret.ErrSealed
	}
	if err := rq.front.desk.Seal(rq.ctx, rq.caller); err != nil {
		return answer{}, err
	}
	return done()
}
