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
	text, accessor := auth.NewWrapping()
	w := wrapping{Namespace: c.From().Namespace, Body: body, Wrapped: Wrapped{Accessor: accessor, TTL: ttl, Created: d.now().UTC(), Path: path}}
	index := t.o.view.Index(text)
	zero := record.Rev(0)
	err = t.change(ctx, []record.Change{
		{Key: wrapPrefix + index, Value: record.Encode(w), Expect: &zero},
		{Key: wrapExpiryKey(w.Created.Add(ttl), index), Value: []byte{1}},
	})
	w.Token = secret.NewValue(text)
	return w.Wrapped, t.done(err)
}

// Unwrap answers what was wrapped and ends the token in the same commit: of any number that race, one wins. byCaller
// says that the caller presented its own token beside the wrapping token, and so needs leave to unwrap.
func (d *Desk) Unwrap(ctx context.Context, c auth.Caller, token auth.Proof, byCaller bool) ([]byte, error) {
	w, err := d.takeWrap(ctx, c, token, record.Need{Action: "unwrap", Resource: "sys/wrapping/unwrap", Capability: policy.Update, Open: !byCaller})
	return w.Body, err
}

// Rewrap moves what was wrapped under a new token with the same time to live.
func (d *Desk) Rewrap(ctx context.Context, c auth.Caller, token auth.Proof, byCaller bool) (Wrapped, error) {
	w, err := d.takeWrap(ctx, c, token, record.Need{Action: "rewrap", Resource: "sys/wrapping/rewrap", Capability: policy.Update, Open: !byCaller})
	if err != nil {
		return Wrapped{}, err
	}
	return d.Wrap(ctx, c, w.Path, w.Body, w.TTL)
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

func (d *Desk) takeWrap(ctx context.Context, c auth.Caller, token auth.Proof, n record.Need) (wrapping, error) {
	t, err := d.admit(ctx, c, n, what{})
	if err != nil {
		return wrapping{}, err
	}
	w, r, err := t.wrapping(ctx, token)
	if err != nil {
		return wrapping{}, t.refuse(ctx, err, "wrapping token")
	}
	err = t.change(ctx, []record.Change{r.Remove(), {Key: wrapExpiryKey(w.Created.Add(w.TTL), record.Last(r.Key)), Delete: true}})
	if isConflict(err) {
		return wrapping{}, t.refuse(ctx, errWrapGone, "wrapping token used meanwhile")
	}
	if err != nil {
		return wrapping{}, t.done(err)
	}
	return w, nil
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
