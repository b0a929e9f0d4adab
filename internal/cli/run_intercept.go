package cli

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/intercept"
	"github.com/keephold/keephold/internal/launch"
)

// reach is what stands between one program and the keep while it runs: a listener on loopback that the program's clients of
// the clouds are led to, by --intercept as a proxy for the vendors' own addresses, by --as with an identity.
type reach struct {
	env   Env
	doors *doors
	addr  string // of the listener

	authority  *intercept.Authority // nil without --intercept
	credential *intercept.Credential
	bundles    *bundles
	lent       []*lender
	paths      *lentPaths
	tenant     atomic.Pointer[string] // that the program's Azure clients were given; they sign in to no other

	stop  context.CancelFunc
	ended chan error
}

// startReach opens the listener; nil when neither flag was given.
func (env Env) startReach(ctx context.Context, o *options, r *runOptions, p *project) (*reach, error) {
	if !r.intercept && len(r.as) == 0 {
		return nil, nil
	}
	d, err := env.doorsOf(ctx, o, p)
	if err != nil {
		return nil, err
	}
	x := &reach{env: env, doors: d, paths: newLentPaths(), credential: intercept.NewCredential()}
	if err := x.open(ctx, r); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *reach) open(ctx context.Context, r *runOptions) error {
	for _, name := range r.as {
		l, err := x.doors.lend(ctx, name)
		if err != nil {
			return err
		}
		x.lent = append(x.lent, l)
	}
	if err := oneOfEach(x.lent); err != nil {
		return err
	}
	if own := x.env.ownLogin(); own != "" && x.lends(gcp) {
		x.env.talk("keephold: warning: Google's clients prefer the login in %s to the identity they are lent", own)
	}
	if r.intercept {
		var err error
		if x.authority, err = intercept.NewAuthority(time.Now()); err != nil {
			return err
		}
		if x.bundles, err = newBundles(x.authority.PEM()); err != nil {
			return failf(exitCannotWrite, "certificates for the program: %w", err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return failf(exitUnreachable, "%w", err)
	}
	x.addr = l.Addr().String()
	proxy, err := intercept.New(intercept.Config{
		Authority: func() *intercept.Authority { return x.authority }, Handler: x.dialects(), Direct: x.direct(),
		Credential: x.credential, Dial: upstream(os.Environ()), Tunnels: 4096, RequestTime: requestTime,
	})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop, x.ended = stop, make(chan error, 1)
	go func() { x.ended <- proxy.Serve(inner, l) }()
	return nil
}

// dialects answers what is asked of the vendors' hosts.
func (x *reach) dialects() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del(azurekv.TenantHeader)
		if t := x.tenant.Load(); t != nil {
			r.Header.Set(azurekv.TenantHeader, *t)
		}
		x.doors.dialects.ServeHTTP(w, r)
	})
}

// direct answers what is asked of the listener itself: the identities that the program was lent, and the dialects whose
// clients take an address from their environment.
func (x *reach) direct() http.Handler {
	lent, bare := x.paths.handler(x.lent), http.NotFoundHandler()
	if i := slices.IndexFunc(x.lent, func(l *lender) bool { return l.dialect() == gcp }); i >= 0 {
		bare = ownOnly(x.lent[i].metadata())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case x.paths.below(r.URL.Path):
			lent.ServeHTTP(w, r)
		case r.Header.Get("Metadata-Flavor") != "":
			bare.ServeHTTP(w, r)
		case r.URL.Path == "/" && r.Method == http.MethodPost, strings.HasPrefix(r.URL.Path, "/v1/projects/"):
			x.dialects().ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// ownOnly answers programs of this user alone.
func ownOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !ownPeer(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())) {
			http.Error(w, "this is another user's", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Close ends the listener and lets go of everything. A nil reach has nothing.
func (x *reach) Close() error {
	if x == nil {
		return nil
	}
	var errs []error
	if x.stop != nil {
		x.stop()
		errs = append(errs, <-x.ended)
	}
	if x.bundles != nil {
		errs = append(errs, x.bundles.Close())
	}
	return errors.Join(append(errs, x.doors.close())...)
}

// environ is an environment with what leads the program's clients here.
func (x *reach) environ(base []string) ([]string, error) {
	if x == nil {
		return base, nil
	}
	e := newEnviron(base)
	for _, l := range x.lent {
		l.describe(e, "http://"+x.addr, x.paths)
	}
	if e.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") == "" && (x.authority != nil || x.lends(aws)) {
		// Node's SDK for AWS heeds no proxy. Where somebody chose an endpoint already, that is what they want.
		e.set("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://"+x.addr)
		e.set("AWS_ENDPOINT_URL_STS", "http://"+x.addr)
	}
	if t := e.get("AZURE_TENANT_ID"); t != "" {
		x.tenant.Store(&t)
	}
	if x.authority != nil {
		if err := x.proxied(e); err != nil {
			return nil, err
		}
	}
	return e.pairs(), nil
}

func (x *reach) lends(d dialect) bool {
	return slices.ContainsFunc(x.lent, func(l *lender) bool { return l.dialect() == d })
}

// proxied leads the program's HTTPS through the listener and lets it trust what answers there. Its plain HTTP is its own.
func (x *reach) proxied(e *environ) error {
	proxy := x.credential.URL(x.addr)
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		e.set(name, proxy)
	}
	if e.get("grpc_proxy") != "" { // it would go before the others
		e.set("grpc_proxy", proxy)
	}
	direct := noProxy(cmp.Or(e.get("NO_PROXY"), e.get("no_proxy")))
	e.set("NO_PROXY", direct)
	e.set("no_proxy", direct)
	e.drop("no_grpc_proxy")
	e.set("NODE_USE_ENV_PROXY", "1") // what Node's own fetch needs, where it can (Node 22.21 and 24)
	if err := x.bundles.describe(e); err != nil {
		return failf(exitCannotWrite, "certificates for the program: %w", err)
	}
	return nil
}

// noProxy is what the program reaches by itself: loopback, and what was so before, unless it would lead around the listener.
func noProxy(before string) string {
	direct := []string{"localhost", "127.0.0.1", "::1"}
	for part := range strings.SplitSeq(before, ",") {
		part = strings.TrimSpace(part)
		if part == "" || part == "localhost" || part == "127.0.0.1" || part == "::1" || coversOurs(part) {
			continue
		}
		direct = append(direct, part)
	}
	return strings.Join(direct, ",")
}

// coversOurs says that a pattern of NO_PROXY holds for a host of the list, by the widest reading that clients have.
func coversOurs(pattern string) bool {
	if pattern == "*" {
		return true
	}
	name := strings.ToLower(strings.TrimLeft(pattern, "*."))
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	for _, host := range []string{
		"secretsmanager.us-east-1.amazonaws.com", "sts.amazonaws.com", "sts.us-east-1.amazonaws.com", "secretmanager.googleapis.com", "oauth2.googleapis.com",
		"login.microsoftonline.com", "any.vault.azure.net",
	} {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return intercept.Ours(name)
}

// environ is an environment that is changed by name.
type environ struct {
	names  []string
	values map[string]string
}

func newEnviron(pairs []string) *environ {
	e := &environ{values: map[string]string{}}
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		if ok && name != "" {
			e.set(name, value)
		}
	}
	return e
}

func (e *environ) get(name string) string { return e.values[name] }

func (e *environ) set(name, value string) {
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environ) drop(names ...string) {
	for _, n := range names {
		delete(e.values, n)
	}
}

func (e *environ) pairs() []string {
	out := make([]string, 0, len(e.names))
	seen := map[string]bool{}
	for _, n := range e.names {
		if v, ok := e.values[n]; ok && !seen[n] {
			seen[n] = true
			out = append(out, n+"="+v)
		}
	}
	return out
}

// reachFlags are the flags that lead a program's clients of the clouds to the keep.
func (r *runOptions) reachFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&r.intercept, "intercept", false, "answer the program's requests to the clouds' secret stores from the keep, at the vendors' own addresses")
	f.StringSliceVar(&r.as, "as", nil, "lend the program this identity, one for each cloud: no credential is handed over")
}

// withoutProject says that there is no project, and none is needed: the program's clients ask the keep themselves.
func (r *runOptions) withoutProject(err error) bool {
	var f *fault
	return errors.As(err, &f) && f.code == exitNotFound && (r.intercept || len(r.as) > 0) && r.env == "" && len(r.only) == 0 && !r.secretsDir && !r.watch
}

// runBare runs a program outside a project: with the environment there is, and what leads its clients to the keep.
func (env Env) runBare(cmd *cobra.Command, o *options, r *runOptions, args []string) (err error) {
	if r.reach, err = env.startReach(cmd.Context(), o, r, nil); err != nil {
		return err
	}
	defer func() { _ = r.reach.Close() }() // nothing is left of it but a directory that the system sweeps
	var merge launch.Merge
	if !r.noInherit {
		merge.Inherit = os.Environ()
	}
	var h handover
	if h.environ, err = launch.Environment(merge); err != nil {
		return environFault(err)
	}
	if h.environ, err = r.reach.environ(h.environ); err != nil {
		return err
	}
	return env.supervise(cmd.Context(), o, r, &watched{last: h}, args)
}
