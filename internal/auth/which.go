package auth

import (
	"bytes"
	"context"
	"errors"

	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Which names the token that an act is about: the Caller's own, one by its text, or one by its accessor. The zero Which
// is the Caller's own.
type Which struct {
	text     Proof
	accessor string
	by       by
}

type by uint8

const (
	bySelf by = iota
	byText
	byAccessor
)

// Self is the Caller's own token.
func Self() Which { return Which{} }

// ByToken is the token with that text.
func ByToken(text Proof) Which { return Which{text: text, by: byText} }

// ByAccessor is the token with that accessor, in the namespace that the Caller asks in.
func ByAccessor(accessor string) Which { return Which{accessor: accessor, by: byAccessor} }

// path is the API path of a verb on such a token.
func (w Which) path(verb string) string {
	switch w.by {
	case bySelf:
		verb += "-self"
	case byAccessor:
		verb += "-accessor"
	}
	return "auth/token/" + verb
}

func (w Which) action(verb string) string {
	switch w.by {
	case bySelf:
		verb += "-self"
	case byAccessor:
		verb += "-accessor"
	}
	return "token." + verb
}

var (
	errNoText     = invalid("missing token ID")
	errNoAccessor = invalid("missing accessor")
	errAccessor   = invalid("invalid accessor")
)

// found is a token that an act is about, as its record says now.
type found struct {
	record record.Record // not Found for a sealed token
	token  *Token
	who    *who
}

// find answers a token that stands, in the Caller's namespace or one below it; nil when there is none. One that expired,
// lost an ancestor or belongs elsewhere is none.
func (w Which) find(ctx context.Context, c Caller, v record.View) (*found, error) {
	a := c.authority
	if a == nil || c.refusal != nil {
		return nil, errMissing
	}
	index, err := w.index(ctx, c, v)
	if err != nil || index == "" {
		return nil, err
	}
	f := &found{}
	switch {
	case w.by == byText && bytes.HasPrefix(w.text.b, []byte(PrefixBatch)):
		if !checkText(w.text.b) {
			return nil, nil
		}
		f.token, err = a.disclose(index, w.text.b)
	case w.by == bySelf && c.token.Kind == Batch:
		own := *c.token // the Caller's is shared
		f.token = &own
	default:
		f.record, f.token, err = readToken(ctx, v, index)
	}
	if errors.Is(err, errUnknown) || err == nil && (f.token == nil || f.token.Hollow) {
		return w.spent(c)
	}
	if err != nil {
		return nil, err
	}
	if f.token.expired(v.Now()) || f.token.Epoch != a.cfg.Epoch() || !a.reaches(c, f.token.Namespace) {
		return nil, nil
	}
	h, _, err := a.stand(ctx, f.token)
	if errors.Is(err, secret.ErrDenied) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f.who = h.who
	return f, nil
}

// spent answers the Caller's own token when this very use was its last, so that its record is gone already.
func (w Which) spent(c Caller) (*found, error) {
	if w.by != bySelf || !c.SpendsUse() {
		return nil, nil
	}
	last := *c.token
	last.Uses = 0
	return &found{token: &last}, nil
}

func (w Which) index(ctx context.Context, c Caller, v record.View) (string, error) {
	switch w.by {
	case bySelf:
		if c.token == nil {
			return "", nil // the house itself has no token
		}
		return c.token.index, nil
	case byText:
		switch {
		case w.text.IsZero():
			return "", errNoText
		case len(w.text.b) > MaxText:
			return "", nil
		}
		return w.indexByText(ctx, v)
	}
	if w.accessor == "" {
		return "", errNoAccessor
	}
	r, err := record.Get1(ctx, v, accessorKey(c.from.Namespace, w.accessor))
	if err != nil {
		return "", err
	}
	if !r.Found() {
		return "", nil
	}
	return string(r.Value), nil
}

// indexByText is where the token is kept; see Authority.hold.
func (w Which) indexByText(ctx context.Context, v record.View) (string, error) {
	index, earlier := indexOf(v, w.text.b), v.Index(w.text.b)
	if index == earlier {
		return index, nil
	}
	rs, err := v.Get(ctx, tokenKey(index), tokenKey(earlier))
	if err == nil && !rs[0].Found() && rs[1].Found() {
		index = earlier
	}
	return index, err
}

// reaches says whether a token of namespace ns may be looked at from where the Caller asks: there, or below it.
func (a *Authority) reaches(c Caller, ns secret.NamespaceID) bool {
	return ns == c.from.Namespace || a.below(ns, c.from.Namespace)
}
