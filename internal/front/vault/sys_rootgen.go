package vault

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/seal/recipient"
	"github.com/keephold/keephold/internal/secret"
)

// rootRoutes make a new root token from key shares, https://openbao.org/api-docs/system/generate-root/. A start takes
// a valid share in "key", or a token with sudo; update and cancel take the nonce.
func rootRoutes() []route {
	var all []route
	for _, g := range []rootGeneration{{"generate-root", true}, {"generate-root-token", false}} {
		all = append(all,
			route{read, g.base + "/attempt", "vault.sys.generate-root.read", g.status},
			route{write, g.base + "/attempt", "vault.sys.generate-root.start", g.start},
			route{remove, g.base + "/attempt", "vault.sys.generate-root.cancel", g.cancel},
			route{write, g.base + "/update", "vault.sys.generate-root.update", g.update},
		)
	}
	return append(all, route{write, "decode-token", "vault.sys.generate-root.read", decodeToken})
}

// rootGeneration is one of the two names of the flow: the older one answers without an envelope.
type rootGeneration struct {
	base  string
	plain bool
}

type rootAnswer struct {
	Nonce            string `json:"nonce"`
	Started          bool   `json:"started"`
	Progress         int    `json:"progress"`
	Required         int    `json:"required"`
	Complete         bool   `json:"complete"`
	EncodedToken     string `json:"encoded_token"`
	EncodedRootToken string `json:"encoded_root_token"`
	Fingerprint      string `json:"pgp_fingerprint"`
	OTP              string `json:"otp"`
	OTPLength        int    `json:"otp_length"`
}

func (g rootGeneration) say(s custody.RootStatus, otp, encoded string) (answer, error) {
	a := rootAnswer{
		Nonce: s.Nonce, Started: s.Started, Progress: s.Progress, Required: s.Required, Complete: s.Complete, EncodedToken: encoded,
		EncodedRootToken: encoded, Fingerprint: s.Fingerprint, OTP: otp, OTPLength: auth.TokenLen,
	}
	if g.plain {
		return sayRaw(http.StatusOK, a)
	}
	return sayFlat(a)
}

func (g rootGeneration) status(rq *request) (answer, error) {
	s, err := rq.front.desk.RootStatus(rq.ctx, rq.caller)
	if err != nil {
		return answer{}, err
	}
	return g.say(s, "", "")
}

func (g rootGeneration) start(rq *request) (answer, error) {
	var proof []byte
	if rq.fields.has("key") {
		var err error
		if proof, err = rq.share("'key' must be a key share"); err != nil {
			return answer{}, err
		}
	}
	otp, key := rq.fields.text("otp"), rq.fields.text("pgp_key")
	made := ""
	var plan custody.RootPlan
	switch {
	case otp != "" && key != "":
		return answer{}, bad("only one of otp and pgp_key can be given")
	case key != "":
		to, err := recipient.Parse(key, time.Now())
		if err != nil {
			return answer{}, bad("error parsing PGP key: %v", err)
		}
		plan.To = to
	case otp != "":
		if len(otp) != auth.TokenLen {
			return answer{}, bad("OTP string has incorrect length")
		}
	default:
		otp = newOTP(auth.TokenLen)
		made = otp
	}
	if plan.To == nil {
		plan.OTP = secret.NewValue([]byte(otp))
	}
	s, err := rq.front.desk.RootStart(rq.ctx, rq.caller, proof, plan)
	if err != nil {
		return answer{}, err
	}
	return g.say(s, made, "")
}

func (g rootGeneration) cancel(rq *request) (answer, error) {
	if err := rq.front.desk.RootCancel(rq.ctx, rq.caller, rq.nonce()); err != nil {
		return answer{}, err
	}
	return done()
}

func (g rootGeneration) update(rq *request) (answer, error) {
	share, err := rq.share("'key' must be specified in request body as JSON")
	if err != nil {
		return answer{}, err
	}
	nonce := rq.nonce()
	s, made, err := rq.front.desk.RootUpdate(rq.ctx, rq.caller, nonce, share)
	if err != nil {
		return answer{}, err
	}
	if made == nil {
		return g.say(s, "", "")
	}
	encoded, err := hideToken(made)
	if err != nil {
		return answer{}, err
	}
	return g.say(s, "", encoded)
}

// hideToken is the vendor's form: the token XOR the pad in base64 without padding, or a message to the key in base64.
func hideToken(m *custody.RootMade) (string, error) {
	token := m.Token.Reveal()
	if m.Plan.To != nil {
		message, err := m.Plan.To.Encrypt(token, time.Now())
		return base64.StdEncoding.EncodeToString(message), err
	}
	return base64.RawStdEncoding.EncodeToString(xor(token, m.Plan.OTP.Reveal())), nil
}

func xor(a, b []byte) []byte {
	out := make([]byte, min(len(a), len(b)))
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
	return out
}

// newOTP is n random characters of base62: printable, because it is pasted.
func newOTP(n int) string {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, n)
	var pool [64]byte
	for len(out) < n {
		_, _ = rand.Read(pool[:]) // never fails: crypto/rand ends the program instead
		for _, r := range pool {
			// 248 is the largest multiple of 62 in a byte; what lies above would favour the first letters.
			if r < 248 && len(out) < n {
				out = append(out, base62[r%62])
			}
		}
	}
	return string(out)
}

// decodeToken undoes the one-time pad for clients that would rather not.
func decodeToken(rq *request) (answer, error) {
	encoded, otp := rq.fields.text("encoded_token"), rq.fields.text("otp")
	if encoded == "" || otp == "" {
		return answer{}, bad("provided 'encoded_token' or 'otp' is empty")
	}
	raw, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != len(otp) {
		return answer{}, bad("error decoding the token: it and the otp do not belong together")
	}
	return say(struct {
		Token string `json:"token"`
	}{string(xor(raw, []byte(otp)))})
}
