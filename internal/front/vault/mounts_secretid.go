package vault

import (
	"errors"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth/approle"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

func newSecretID(rq *request) (answer, error) { return rq.newSecretID(approle.NewSecretID{}) }

func customSecretID(rq *request) (answer, error) {
	return rq.newSecretID(approle.NewSecretID{IsCustom: true, Custom: rq.fields.proof("secret_id")})
}

type secretIDMade struct {
	SecretID string `json:"secret_id"`
	Accessor string `json:"secret_id_accessor"`
	Uses     int    `json:"secret_id_num_uses"`
	TTL      int64  `json:"secret_id_ttl"`
}

func (rq *request) newSecretID(act approle.NewSecretID) (answer, error) {
	f := rq.fields
	act.Mount, act.Role = rq.mountRef(), rq.args["role"]
	r := &reading{fields: f}
	set(r, &act.Meta, f.meta, "metadata")
	set(r, &act.CIDRs, f.list, "cidr_list")
	set(r, &act.TokenCIDRs, f.list, "token_bound_cidrs")
	set(r, &act.Uses, pointer(f.count), "num_uses")
	set(r, &act.TTL, pointer(f.duration), "ttl")
	if r.err != nil {
		return answer{}, rq.refused(r.err)
	}
	made, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, act)
	if err != nil {
		return answer{}, named(err)
	}
	return say(secretIDMade{SecretID: string(made.SecretID.Reveal()), Accessor: made.Accessor, Uses: made.Uses, TTL: seconds(made.TTL)})
}

// pointer is a getter whose answer tells "0" from "not there".
func pointer[T any](get func(string) (T, error)) func(string) (*T, error) {
	return func(name string) (*T, error) {
		v, err := get(name)
		return &v, err
	}
}

// secretID is the secret-id that a request names, by itself or by its accessor, as the path says.
func (rq *request) secretID() approle.FindSecretID {
	return approle.FindSecretID{
		Mount: rq.mountRef(), Role: rq.args["role"], SecretID: rq.fields.proof("secret_id"), Accessor: rq.fields.text("secret_id_accessor"),
		ByAccessor: strings.Contains(rq.path, "/secret-id-accessor/"),
	}
}

type secretIDInfo struct {
	CIDRs      []string          `json:"cidr_list"`
	Created    time.Time         `json:"creation_time"`
	Expires    time.Time         `json:"expiration_time"`
	Updated    time.Time         `json:"last_updated_time"`
	Meta       map[string]string `json:"metadata"`
	Accessor   string            `json:"secret_id_accessor"`
	Uses       int               `json:"secret_id_num_uses"`
	TTL        int64             `json:"secret_id_ttl"`
	TokenCIDRs []string          `json:"token_bound_cidrs"`
}

// lookupSecretID answers nothing at all for a secret-id that is not there, as the vendor does.
func lookupSecretID(rq *request) (answer, error) {
	id, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, approle.LookupSecretID{FindSecretID: rq.secretID()})
	if err != nil {
		return answer{}, named(err)
	}
	if id == nil {
		return done()
	}
	return say(secretIDInfo{
		CIDRs: some(showRanges(id.CIDRs)), Created: id.Created, Expires: id.Expires, Updated: id.Updated, Meta: pairs(id.Meta), Accessor: id.Accessor,
		Uses: id.Uses, TTL: seconds(id.TTL), TokenCIDRs: some(showRanges(id.TokenCIDRs)),
	})
}

func destroySecretID(rq *request) (answer, error) {
	a, err := rq.revoke(approle.DestroySecretID{FindSecretID: rq.secretID()})
	return a, named(err)
}

func listSecretIDs(rq *request) (answer, error) {
	after, limit, err := rq.page()
	if err != nil {
		return answer{}, rq.refused(err)
	}
	names, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, approle.ListSecretIDs{Mount: rq.mountRef(), Role: rq.args["role"], After: after, Limit: limit})
	if errors.Is(err, secret.ErrNotFound) {
		return answer{}, bad("%s", err.Error())
	}
	if err != nil {
		return answer{}, err
	}
	return keys(names)
}
