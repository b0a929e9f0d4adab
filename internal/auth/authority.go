package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// PolicySource compiles the named policies of a namespace, rendered with the facts of who holds them. Names without a
// policy add nothing. It is called when a token is first seen and after a policy has changed; it should keep the Sets
// that do not depend on facts.
type PolicySource func(ctx context.Context, ns secret.NamespaceID, names []string, facts policy.Facts) (*policy.Set, error)

// Renewer answers what a token that a method gave may still have: the present settings of its role or user. An error
// refuses the renewal.
type Renewer func(ctx context.Context, v record.View, t *Token) (TokenTerms, error)

// Config of an Authority. View and Policies are needed.
type Config struct {
	View     record.View
	Policies PolicySource
	// NamespacePath answers a namespace's path without slashes at its ends, false when there is none (any more). Nil:
	// there is only the root namespace.
	NamespacePath func(secret.NamespaceID) (string, bool)
	Limits        Limits             // the system's; zero fields are SystemTTL
	Epoch         func() uint64      // the installation's epoch; tokens of another are refused. Nil: always 0
	CacheBytes    int64              // of memory for tokens kept decoded and the Sets that they hold; 0: 32 MiB
	Renewers      map[string]Renewer // by Token.Method
	AllowWeakIDs  bool               // custom role-ids and secret-ids below 128 bits, for dev
}

// Authority makes Callers. It may be used by several goroutines.
type Authority struct {
	cfg      Config
	cache    *cache
	interned interned
	policies atomic.Uint64 // generation of policies; a Set of another is compiled anew
}

// Warrant makes the Callers that no credential leads to. NewAuthority gives it once, to custody, which keeps it to itself.
type Warrant struct{ a *Authority }

// NewAuthority makes an Authority and its Warrant.
func NewAuthority(cfg Config) (*Authority, *Warrant) {
	cfg.Limits = cfg.Limits.within(Limits{SystemTTL, SystemTTL})
	if cfg.NamespacePath == nil {
		cfg.NamespacePath = func(ns secret.NamespaceID) (string, bool) { return "", ns == "" }
	}
	if cfg.Epoch == nil {
		cfg.Epoch = func() uint64 { return 0 }
	}
	if cfg.CacheBytes <= 0 {
		cfg.CacheBytes = 32 << 20
	}
	a := &Authority{cfg: cfg, cache: newCache(cfg.CacheBytes)}
	return a, &Warrant{a}
}

// Spent is a Caller whose request has spent its use of a limited token: what else the request does spends no other.
func (w *Warrant) Spent(c Caller) Caller {
	c.spent = true
	return c
}

// Internal is the Caller of work that the house does by itself: boot, expiry, jobs.
func (w *Warrant) Internal(name string) Caller {
	return w.caller(Identity{ID: "internal:" + name, DisplayName: name, Method: "internal", Policies: []string{rootPolicy}})
}

// Local is the Caller of the local keep: the owner of the store on the machine of that name, who may do everything in it.
func (w *Warrant) Local(name string) Caller {
	return w.caller(Identity{ID: "local:" + name, DisplayName: "owner@" + name, Method: "local", Policies: []string{rootPolicy}})
}

func (w *Warrant) caller(id Identity) Caller {
	return Caller{identity: id, set: policy.Root(), authority: w.a}
}

// Made says that this Authority, and no other, made the Caller. Custody asks it of every Caller.
func (a *Authority) Made(c Caller) bool { return c.authority == a }

// Credential is what a request presents.
type Credential struct {
	Token Proof
	Claim Claim // when set, the proof; Token is not looked at
	From  From
	Terms Terms
}

// The reasons of a refusal; each reads as the vendor's text and is told apart in the audit record only.
var (
	errMissing   = fmt.Errorf("%w: no token", secret.ErrDenied)
	errUnknown   = fmt.Errorf("%w: token not known", secret.ErrDenied)
	errExpired   = fmt.Errorf("%w: token expired", secret.ErrDenied)
	errRevoked   = fmt.Errorf("%w: token revoked with its parent", secret.ErrDenied)
	errEpoch     = fmt.Errorf("%w: token of another epoch", secret.ErrDenied)
	errNamespace = fmt.Errorf("%w: token of another namespace", secret.ErrDenied)
	errAddress   = fmt.Errorf("%w: address not bound to the token", secret.ErrDenied)
	errEntity    = fmt.Errorf("%w: entity disabled or gone", secret.ErrDenied)
)

// Authenticate answers the Caller that a credential stands for. There is no error beside it: what is wrong with the
// credential is the Caller's refusal, which wraps secret.ErrDenied, or the store's own error when it could not answer.
func (a *Authority) Authenticate(ctx context.Context, cred Credential) Caller {
	if cred.Claim != nil {
		return a.claim(ctx, &cred)
	}
	text := cred.Token.b
	switch {
	case len(text) == 0:
		return a.refuse(&cred, nil, errMissing)
	case len(text) > MaxText, hasTokenPrefix(text) && !checkText(text):
		return a.refuse(&cred, nil, errUnknown)
	}
	index, h, err := a.hold(ctx, text)
	if err != nil {
		return a.refuse(&cred, nil, err)
	}
	now := a.cfg.View.Now()
	if err := a.admits(h, &cred.From, now); err != nil {
		return a.refuse(&cred, h, err)
	}
	if a.outdated(h, now) {
		var err error
		if h, err = a.recompile(ctx, index, h); err != nil {
			return a.refuse(&cred, h, err)
		}
	}
	return Caller{identity: h.identity, token: h.token, set: h.set, from: cred.From, terms: cred.Terms, authority: a}
}

// hold answers what is known of a token, and under which index. Tokens that were made before their texts told when are
// kept under the keyed index alone.
func (a *Authority) hold(ctx context.Context, text []byte) (index string, h *holding, err error) {
	index = indexOf(a.cfg.View, text)
	if h = a.cache.get(index); h == nil {
		h, err = a.load(ctx, index, text)
	}
	if !errors.Is(err, errUnknown) {
		return index, h, err
	}
	earlier := a.cfg.View.Index(text)
	if earlier == index {
		return index, nil, err
	}
	if h = a.cache.get(earlier); h != nil {
		return earlier, h, nil
	}
	h, err = a.load(ctx, earlier, text)
	return earlier, h, err
}

// refuse is a Caller that may do nothing. Who it would have been is kept, for the record of the refusal.
func (a *Authority) refuse(cred *Credential, h *holding, why error) Caller {
	c := Caller{from: cred.From, terms: cred.Terms, refusal: why, authority: a}
	if h != nil {
		c.identity = h.identity
	}
	return c
}

// admits checks what may change between two uses of a token.
func (a *Authority) admits(h *holding, from *From, now time.Time) error {
	switch {
	case !h.deadline.IsZero() && !now.Before(h.deadline):
		return errExpired
	case h.token.Epoch != a.cfg.Epoch():
		return errEpoch
	case h.token.Namespace != from.Namespace && !a.below(from.Namespace, h.token.Namespace):
		return errNamespace
	case len(h.token.CIDRs) > 0 && !Allows(h.token.CIDRs, from.Addr):
		return errAddress
	}
	return nil
}

// below says whether namespace ns is under that of a token; a token works in its own namespace and those below it.
func (a *Authority) below(ns, of secret.NamespaceID) bool {
	path, ok := a.cfg.NamespacePath(ns)
	if !ok {
		return false
	}
	if of == "" {
		return true
	}
	outer, ok := a.cfg.NamespacePath(of)
	return ok && outer != "" && strings.HasPrefix(path, outer+"/")
}

// outdated says that the holding's Set must be compiled anew.
func (a *Authority) outdated(h *holding, now time.Time) bool {
	if h.setOf != a.policies.Load() {
		return true
	}
	end := h.set.Expires()
	return !end.IsZero() && !now.Before(end)
}

func (a *Authority) recompile(ctx context.Context, index string, old *holding) (*holding, error) {
	h := *old
	if err := a.compile(ctx, &h); err != nil {
		return old, err
	}
	a.cache.swap(index, old, &h)
	return &h, nil
}

// compile sets the holding's powers.
func (a *Authority) compile(ctx context.Context, h *holding) error {
	h.setOf = a.policies.Load()
	if h.token.Root() {
		path, ok := a.cfg.NamespacePath(h.token.Namespace)
		if !ok {
			return errNamespace
		}
		h.set = policy.RootOf(path)
		return nil
	}
	facts := h.who.facts()
	facts.Principals = []string{policy.Everyone}
	if h.standing != nil {
		facts.Principals = append(facts.Principals, h.standing.Principals...)
	}
	set, err := a.cfg.Policies(ctx, h.token.Namespace, h.identity.Policies, facts)
	if err != nil {
		return fmt.Errorf("policies of the token: %w", err)
	}
	h.set = set
	return nil
}

// load reads and derives what the cache does not have.
func (a *Authority) load(ctx context.Context, index string, text []byte) (*holding, error) {
	f := a.cache.begin()
	h, depKeys, err := a.derive(ctx, index, text)
	a.cache.end(f, index, h, depKeys)
	return h, err
}

func (a *Authority) derive(ctx context.Context, index string, text []byte) (*holding, []string, error) {
	t, err := a.read(ctx, index, text)
	if err != nil {
		return nil, nil, err
	}
	h, depKeys, err := a.stand(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if err := a.compile(ctx, h); err != nil {
		return nil, nil, err
	}
	return h, depKeys, nil
}

// stand checks what the token hangs on and adds what its entity says; the powers are still missing.
func (a *Authority) stand(ctx context.Context, t *Token) (*holding, []string, error) {
	a.interned.share(t)
	h := &holding{token: t, deadline: t.Life.Expires}
	depKeys, err := a.descend(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	if t.Entity != "" {
		if h.who, err = loadWho(ctx, a.cfg.View, t.Namespace, t.Entity); err != nil {
			return nil, nil, err
		}
		depKeys = append(depKeys, h.who.keys...)
		t.Entity = h.who.entity.ID // another, when its own was merged into that
	}
	h.identity = t.identity()
	if !t.NoIdentity && !t.Root() {
		if h.identity.Policies, err = withIdentity(t.Policies, h.who); err != nil {
			return nil, nil, err
		}
	}
	return h, depKeys, nil
}

// withIdentity adds the entity's policies to the token's own. An entity never adds root.
func withIdentity(own []string, w *who) ([]string, error) {
	more := w.policies()
	if len(more) == 0 {
		return own, nil
	}
	more = slices.DeleteFunc(slices.Clone(more), func(s string) bool { return s == rootPolicy })
	return CanonicalPolicies(slices.Concat(own, more), false)
}

// read finds the token: in its own text when it is sealed, else in its record.
func (a *Authority) read(ctx context.Context, index string, text []byte) (*Token, error) {
	if bytes.HasPrefix(text, []byte(PrefixBatch)) {
		return a.disclose(index, text)
	}
	_, t, err := readToken(ctx, a.cfg.View, index)
	switch {
	case err != nil:
		return nil, err
	case t == nil || t.Hollow || t.Kind == Batch:
		return nil, errUnknown
	}
	return t, nil
}

func (a *Authority) disclose(index string, text []byte) (*Token, error) {
	sealed, ok := openBatchText(text)
	if !ok {
		return nil, errUnknown
	}
	plain, err := a.cfg.View.Disclose(a.sealedPlace(), sealed)
	if err != nil {
		if errors.Is(err, secret.ErrSealed) || errors.Is(err, secret.ErrUnavailable) {
			return nil, err
		}
		return nil, errUnknown
	}
	t, err := DecodeToken(index, plain)
	if err != nil {
		return nil, err
	}
	if t.Kind != Batch {
		return nil, errUnknown
	}
	return t, nil
}

// sealedPlace is what sealed tokens are bound to: an older epoch's does not even open.
func (a *Authority) sealedPlace() string {
	return "token/" + strconv.FormatUint(a.cfg.Epoch(), 10)
}

// descend checks the tokens that h hangs on: it ends with the first of them that ends. One that was revoked alone cuts
// the line, what is above it no longer matters.
func (a *Authority) descend(ctx context.Context, h *holding) ([]string, error) {
	if h.token.Orphan() {
		return nil, nil
	}
	keys := make([]string, len(h.token.Ancestors))
	for i, x := range h.token.Ancestors {
		keys[i] = tokenKey(x)
	}
	rs, err := a.cfg.View.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, r := range rs {
		if !r.Found() {
			return nil, errRevoked
		}
		p, err := DecodeToken(h.token.Ancestors[i], r.Value)
		if err != nil {
			return nil, err
		}
		if p.Hollow {
			h.orphaned(i)
			return keys[:i+1], nil
		}
		if p.Epoch != a.cfg.Epoch() {
			return nil, errEpoch
		}
		if e := p.Life.Expires; !e.IsZero() && (h.deadline.IsZero() || e.Before(h.deadline)) {
			h.deadline = e
		}
	}
	return keys, nil
}

// orphaned cuts the token's line above its first n ancestors.
func (h *holding) orphaned(n int) { h.token.Ancestors = h.token.Ancestors[:n] }

// identity is who the token's holder is, without what the entity adds.
func (t *Token) identity() Identity {
	id := Identity{
		ID: t.Entity, DisplayName: t.Display, Method: t.Method, Accessor: t.Accessor, Entity: t.Entity,
		Namespace: t.Namespace, Policies: t.Policies, Meta: t.Meta,
	}
	switch {
	case id.ID != "":
	case t.Kind == Batch: // has no accessor
		id.ID = "batch:" + leaseTail(t.index)
	default:
		id.ID = "token:" + t.Accessor
	}
	return id
}

// registryPrefix is where the registry, which stands beside this room, keeps policies, mounts and namespaces: whatever
// compiled Sets are made from.
const registryPrefix = "reg/"

// Forget drops what was derived from the records with these keys. Custody calls it after each commit with every key that
// changed, and with those that other nodes changed, once the PolicySource knows of the change: a changed policy makes all
// compiled Sets outdated.
func (a *Authority) Forget(keys ...string) {
	a.cache.forget(keys)
	if slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, registryPrefix) }) {
		a.ForgetPolicies()
	}
}

// ForgetPolicies makes all compiled Sets outdated; they are compiled anew at the next use of each token.
func (a *Authority) ForgetPolicies() { a.policies.Add(1) }

// ForgetAll drops everything: after a restore, or when changes may have been missed.
func (a *Authority) ForgetAll() { a.cache.forgetAll(); a.ForgetPolicies() }

func cutTokenKey(key string) (index string, ok bool) { return strings.CutPrefix(key, kindToken+"/") }

func randomBytes(b []byte) {
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
}

// decode reads a JSON record that was found.
func decode(r record.Record, dst any) error {
	if err := json.Unmarshal(r.Value, dst); err != nil {
		return fmt.Errorf("%s: %w: not readable", r.Key, secret.ErrDamaged)
	}
	return nil
}
