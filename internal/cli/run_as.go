package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/front/awssm"
	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/front/gcpsm"
	"github.com/keephold/keephold/internal/secret"
)

// dialect of an identity, as run --as serves it.
type dialect string

const (
	aws   dialect = "aws"
	gcp   dialect = "gcp"
	azure dialect = "azure"
)

// lentAnswer is a credential of an identity for a while.
type lentAnswer struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Home    string    `json:"home"`
	Public  string    `json:"public"`
	KeyID   string    `json:"key_id"`
	Secret  string    `json:"secret"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// lender has the keep issue credentials of one identity, each for a while, when the program's clients ask for them. What it
// needs for that stays in this process.
type lender struct {
	api        *api
	name, kind string
	home       string
	public     string
	region     string // of AWS
}

// lend finds out who the identity is, and that this caller may use it, before anything runs.
func (d *doors) lend(ctx context.Context, name string) (*lender, error) {
	l := &lender{api: d.api, name: name}
	first, err := l.issue(ctx, "https://vault.azure.net")
	if err != nil {
		return nil, explain(err, "cannot run as "+name)
	}
	l.kind, l.home, l.public = first.Kind, first.Home, first.Public
	if l.dialect() == aws {
		l.region = d.api.region(ctx, l.home)
	}
	return l, nil
}

// standardRegion is where clients look when nobody said otherwise.
const standardRegion = "us-east-1"

// region is the one where an account has a Space, the first by name of those that this caller may know of.
func (a *api) region(ctx context.Context, account string) string {
	var shown struct {
		Secret map[string]json.RawMessage `json:"secret"`
	}
	if err := a.call(ctx, http.MethodGet, "sys/internal/ui/mounts", nil, &shown); err != nil {
		return standardRegion // who may not list them gets by with the usual one
	}
	for _, name := range sortedKeys(shown.Secret) {
		if region, ok := strings.CutPrefix(strings.TrimSuffix(name, "/"), "aws/"+account+"/"); ok {
			return region
		}
	}
	return standardRegion
}

func (l *lender) issue(ctx context.Context, audience string) (lentAnswer, error) {
	var out lentAnswer
	err := l.api.call(ctx, http.MethodPut, "keephold/identities-session/"+escapePath(l.name), map[string]string{"audience": audience}, &out)
	return out, err
}

func (l *lender) dialect() dialect {
	before, _, _ := strings.Cut(l.kind, "-")
	return dialect(before)
}

// oneOfEach refuses two identities whose clients would find the same endpoint.
func oneOfEach(all []*lender) error {
	first := map[dialect]*lender{}
	for _, l := range all {
		if other := first[l.dialect()]; other != nil {
			return usagef("--as %s and --as %s are both identities of %s; a program has one of each", other.name, l.name, l.dialect())
		}
		first[l.dialect()] = l
	}
	return nil
}

// lentPaths are where the listener serves what was lent. The path holds what nobody can guess, for clients that can present
// nothing else: a metadata server is told from others by its address alone.
type lentPaths struct{ root, header string }

func newLentPaths() *lentPaths { return &lentPaths{root: "/" + random(), header: random()} }

func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// below says that a path is one of these. It tells nothing about how much of a guess was right that the network would not
// drown: what has to be guessed are 256 bits at once.
func (p *lentPaths) below(path string) bool {
	return path == p.root || strings.HasPrefix(path, p.root+"/")
}

const (
	awsPath   = "/aws/credentials"
	azurePath = "/azure/token"
)

// handler answers the endpoints of the identities.
func (p *lentPaths) handler(all []*lender) http.Handler {
	mux := http.NewServeMux()
	for _, l := range all {
		switch l.dialect() {
		case aws:
			mux.Handle(awsPath, &awssm.Container{Token: secret.NewValue([]byte(p.header)), Issue: l.keys})
		case gcp:
			mux.Handle("/{$}", l.metadata())
			mux.Handle("/computeMetadata/", l.metadata())
		case azure:
			mux.Handle(azurePath, &azurekv.Managed{ClientID: l.public, Header: secret.NewValue([]byte(p.header)), Token: l.tokenFor})
			mux.Handle(azurekv.MetadataPath, &azurekv.Managed{ClientID: l.public, Token: l.tokenFor})
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == p.root { // clients look for a metadata server there
			r.URL.Path += "/"
		}
		http.StripPrefix(p.root, mux).ServeHTTP(w, r)
	})
}

// metadata is Google's metadata server.
func (l *lender) metadata() *gcpsm.Metadata {
	return &gcpsm.Metadata{Project: l.home, Email: l.public, Token: l.token}
}

func (l *lender) keys(ctx context.Context) (awssm.Lent, error) {
	a, err := l.issue(ctx, "")
	return awssm.Lent{AccessKey: a.KeyID, Secret: secret.NewValue([]byte(a.Secret)), Session: secret.NewValue([]byte(a.Token)), Expires: a.Expires, ARN: a.Public}, err
}

func (l *lender) token(ctx context.Context) (secret.Value, time.Time, error) {
	return l.tokenFor(ctx, "")
}

func (l *lender) tokenFor(ctx context.Context, audience string) (secret.Value, time.Time, error) {
	a, err := l.issue(ctx, audience)
	return secret.NewValue([]byte(a.Token)), a.Expires, err
}

// describe leads the program's clients of the identity's dialect to it, and away from credentials of the person who
// started the program: with --as it is nobody else.
func (l *lender) describe(e *environ, at string, p *lentPaths) {
	switch l.dialect() {
	case aws:
		e.drop("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
		e.set("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
		e.set("AWS_CONFIG_FILE", os.DevNull)
		e.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", at+p.root+awsPath)
		e.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", p.header)
		region := cmp.Or(e.get("AWS_REGION"), e.get("AWS_DEFAULT_REGION"), l.region) // SDKs differ in which they read
		e.set("AWS_REGION", region)
		e.set("AWS_DEFAULT_REGION", region)
	case gcp:
		e.drop("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE")
		host := strings.TrimPrefix(at, "http://") + p.root
		e.set("GCE_METADATA_HOST", host)
		e.set("GCE_METADATA_ROOT", host) // what gcloud calls it
		if knowsPeers {                  // Node's client takes an address without a path; it is this user's alone all the same
			host, _, _ = strings.Cut(host, "/")
		}
		e.set("GCE_METADATA_IP", host)
		if e.get("GOOGLE_CLOUD_PROJECT") == "" {
			e.set("GOOGLE_CLOUD_PROJECT", l.home)
		}
	case azure:
		e.drop("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_USERNAME", "AZURE_PASSWORD", "MSI_ENDPOINT", "MSI_SECRET")
		e.set("IDENTITY_ENDPOINT", at+p.root+azurePath)
		e.set("IDENTITY_HEADER", p.header)
		e.set("AZURE_CLIENT_ID", l.public)
		e.set("AZURE_POD_IDENTITY_AUTHORITY_HOST", at+p.root)
		e.set("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
	}
}

// ownLogin is a login of Google's that its clients prefer to a metadata server; "" where there is none.
func (env Env) ownLogin() string {
	home := env.Getenv("HOME")
	if home == "" {
		return ""
	}
	path := filepath.Join(home, ".config", "gcloud", "application_default_credentials.json")
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
