package custody

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Wrapped describes a wrapped answer. Its Token opens the answer once.
type Wrapped struct {
	Token    secret.Value `json:"-"`
	Accessor string
	TTL      time.Duration
	Created  time.Time
	Path     string // the request whose answer is wrapped, "secret/data/app"
}

type wrapping struct {
	Wrapped
	Namespace secret.NamespaceID
	Body      []byte
}

const (
	wrapPrefix       = "wrap/"    // wrap/INDEX
	wrapExpiryPrefix = "wrapexp/" // wrapexp/MINUTE/INDEX, minutes since 1970 in 12 digits
	maxWrapTTL       = 30 * 24 * time.Hour
)

var errWrapGone = auth.Tell(secret.ErrInvalid, "wrapping token is not valid or does not exist")

// Wrap keeps an encoded answer until the token that is returned is presented, once. The caller was admitted to the
// request whose answer this is; asking for less than the answer needs no further permission.
func (d *Desk) Wrap(ctx context.Context, c auth.Caller, path string, body []byte, ttl time.Duration) (Wrapped, error) {
	if ttl <= 0 || ttl > maxWrapTTL {
		return Wrapped{}, fmt.Errorf("%w: wrapping TTL must be positive and at most %s", secret.ErrInvalid, maxWrapTTL)
	}
	t, err := d.admit(ctx, c, record.Need{Action: "wrap", Resource: path, Open: true}, what{again: true})
	if err != nil {
		return Wrapped{}, err
	}
	w, changes := t.wrap(wrapping{Namespace: c.From().Namespace, Body: body, Wrapped: Wrapped{TTL: ttl, Path: path}})
	return w, t.done(t.change(ctx, changes))
}

// wrap makes the token that opens w, and what stores it.
func (t *turn) wrap(w wrapping) (Wrapped, []record.Change) {
	w.Created = t.d.now().UTC()
	text, accessor := auth.NewWrapping(w.Created)
	w.Accessor = accessor
	index, absent := t.o.view.Index(text), record.Rev(0)
	changes := []record.Change{
		{Key: wrapPrefix + index, Value: record.Encode(w), Expect: &absent},
		{Key: wrapExpiryKey(w.Created.Add(w.TTL), index), Value: []byte{1}},
	}
	w.Token = secret.NewValue(text)
	return w.Wrapped, changes
}

// Unwrap answers what was wrapped and ends the token in the same commit: of any number that race, one wins. byCaller
// says that the caller presented its own token beside the wrapping token, and so needs leave to unwrap.
func (d *Desk) Unwrap(ctx context.Context, c auth.Caller, token auth.Proof, byCaller bool) ([]byte, error) {
	t, w, changes, err := d.takeWrap(ctx, c, token, record.Need{Action: "unwrap", Resource: "sys/wrapping/unwrap", Capability: policy.Update, Open: !byCaller})
	if err != nil {
		return nil, err
	}
	if err := t.use(ctx, changes); err != nil {
		return nil, err
	}
	return w.Body, nil
}

// Rewrap moves what was wrapped under a new token with the same time to live. The old token ends in the commit that stores the
// new one: whatever happens, one of them opens the answer.
func (d *Desk) Rewrap(ctx context.Context, c auth.Caller, token auth.Proof, byCaller bool) (Wrapped, error) {
	t, w, changes, err := d.takeWrap(ctx, c, token, record.Need{Action: "rewrap", Resource: "sys/wrapping/rewrap", Capability: policy.Update, Open: !byCaller})
	if err != nil {
		return Wrapped{}, err
	}
	again, more := t.wrap(w)
	if err := t.use(ctx, append(changes, more...)); err != nil {
		return Wrapped{}, err
	}
	return again, nil
}

// LookupWrap tells what a wrapping token stands for, without using it.
func (d *Desk) LookupWrap(ctx context.Context, c auth.Caller, token auth.Proof) (Wrapped, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "wrap.lookup", Resource: "sys/wrapping/lookup", Open: true}, what{})
	if err != nil {
		return Wrapped{}, err
	}
	w, _, err := t.wrapping(ctx, token)
	return w.Wrapped, t.done(err)
}

// takeWrap reads what a wrapping token opens, and answers what ends the token; nothing has ended yet.
func (d *Desk) takeWrap(ctx context.Context, c auth.Caller, token auth.Proof, n record.Need) (*turn, wrapping, []record.Change, error) {
	t, err := d.admit(ctx, c, n, what{})
	if err != nil {
		return nil, wrapping{}, nil, err
	}
	w, r, err := t.wrapping(ctx, token)
	if err != nil {
		return nil, wrapping{}, nil, t.refuse(ctx, err, "wrapping token")
	}
	return t, w, []record.Change{r.Remove(), {Key: wrapExpiryKey(w.Created.Add(w.TTL), record.Last(r.Key)), Delete: true}}, nil
}

// use commits what ends a wrapping token. Who comes second is refused.
func (t *turn) use(ctx context.Context, changes []record.Change) error {
	err := t.change(ctx, changes)
	if isConflict(err) {
		return t.refuse(ctx, errWrapGone, "wrapping token used meanwhile")
	}
	return t.done(err)
}

func (t *turn) wrapping(ctx context.Context, token auth.Proof) (w wrapping, r record.Record, err error) {
	r, err = record.Load(ctx, t.o.view, wrapPrefix+t.o.view.Index(token.Bytes()), &w)
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return w, r, errWrapGone
	case err != nil:
		return w, r, err
	case w.Namespace != t.caller.From().Namespace, !t.d.now().Before(w.Created.Add(w.TTL)):
		return w, r, errWrapGone
	}
	return w, r, nil
}

func wrapExpiryKey(at time.Time, index string) string {
	minute := strconv.FormatInt(at.Unix()/60+1, 10)
	return wrapExpiryPrefix + "000000000000"[:12-len(minute)] + minute + "/" + index
}

// expireWraps deletes wrapped answers whose minute has passed, a bounded number a round.
func (d *Desk) expireWraps(ctx context.Context, o *opened) error {
	due := wrapExpiryKey(d.now().Add(-time.Minute), "")
	keys, err := o.view.List(ctx, record.Query{Prefix: wrapExpiryPrefix, Limit: 50})
	if err != nil {
		return err
	}
	var changes []record.Change
	for _, k := range keys {
		if k >= due {
			break
		}
		changes = append(changes, record.Change{Key: k, Delete: true}, record.Change{Key: wrapPrefix + record.Last(k), Delete: true})
	}
	if len(changes) == 0 {
		return nil
	}
	err = d.apply(ctx, o, changes)
	return err
}
