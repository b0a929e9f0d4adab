package vault

import (
	"encoding/json"
	"net/http"

	"github.com/keephold/keephold/internal/auth"
)

// wrappingRoutes open, look at and renew wrapped answers, https://openbao.org/api-docs/system/wrapping-wrap/
func wrappingRoutes() []route {
	return []route{
		{write, "wrapping/wrap", "vault.sys.wrapping.wrap", wrap},
		{write, "wrapping/unwrap", "vault.sys.wrapping.unwrap", unwrap},
		{read | write, "wrapping/lookup", "vault.sys.wrapping.lookup", lookupWrapping},
		{write, "wrapping/rewrap", "vault.sys.wrapping.rewrap", rewrap},
	}
}

// wrap answers what it was given; the header asks for the wrapping, as with every request.
func wrap(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.wrapping.wrap"); err != nil {
		return answer{}, err
	}
	if rq.wrap == 0 {
		return answer{}, bad("endpoint requires response wrapping to be used")
	}
	data, err := canonical(rq.body)
	if err != nil {
		return answer{}, bad("the body must be a JSON object")
	}
	return answer{data: data, mount: "system"}, nil
}

// wrappingToken stands in the body or is the request's own token. byCaller says that another token was presented with
// it, whose policies count.
func (rq *request) wrappingToken() (token auth.Proof, byCaller bool, err error) {
	text := rq.fields.text("token")
	switch own := string(rq.token.Bytes()); text {
	case "", own:
		if own == "" {
			return token, false, bad("missing \"token\" value in input")
		}
		return rq.token, false, nil
	}
	return auth.NewProof([]byte(text)), true, nil
}

func unwrap(rq *request) (answer, error) {
	token, byCaller, err := rq.wrappingToken()
	if err != nil {
		return answer{}, err
	}
	body, err := rq.front.desk.Unwrap(rq.ctx, rq.caller, token, byCaller)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, data: body, raw: true}, nil
}

func lookupWrapping(rq *request) (answer, error) {
	token, _, err := rq.wrappingToken()
	if err != nil {
		return answer{}, err
	}
	w, err := rq.front.desk.LookupWrap(rq.ctx, rq.caller, token)
	if err != nil {
		return answer{}, err
	}
	return say(map[string]any{"creation_path": w.Path, "creation_time": string(appendTime(nil, w.Created)), "creation_ttl": seconds(w.TTL)})
}

func rewrap(rq *request) (answer, error) {
	token, byCaller, err := rq.wrappingToken()
	if err != nil {
		return answer{}, err
	}
	w, err := rq.front.desk.Rewrap(rq.ctx, rq.caller, token, byCaller)
	if err != nil {
		return answer{}, err
	}
	info, err := json.Marshal(wrapInfo(w))
	return answer{wrapInfo: info}, err
}
