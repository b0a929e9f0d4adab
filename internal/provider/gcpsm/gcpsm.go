// Package gcpsm reaches Google Cloud Secret Manager by gRPC, with the vendor's generated client and its library of credentials:
// application default credentials, which are a key file, gcloud's sign-in, workload identity federation, impersonation, or the
// metadata server. docs/adr says why it is not the vendor's wrapper around the same client.
package gcpsm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"os"
	"strings"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpccreds "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// MaxValue is how many bytes a value may have.
const MaxValue = 65536

// Config of a Store.
type Config struct {
	Project  string
	Endpoint string         // HOST:PORT; "" is Google's
	Roots    *x509.CertPool // nil: the system's
}

const (
	service = "secretmanager.googleapis.com:443"
	scope   = "https://www.googleapis.com/auth/cloud-platform"
)

// retries are the vendor's own for this service (secretmanager_grpc_service_config.json), with RESOURCE_EXHAUSTED added, which is
// how a quota of requests a minute answers, and shorter pauses at first. grpc-go makes at most five attempts.
const retries = `{"methodConfig": [{"name": [{"service": "google.cloud.secretmanager.v1.SecretManagerService"}], "timeout": "60s", "retryPolicy": {
	"maxAttempts": 5, "initialBackoff": "0.5s", "maxBackoff": "60s", "backoffMultiplier": 2.5, "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}}]}`

// Store is the secrets of one project.
type Store struct {
	parent string
	sm     secretmanagerpb.SecretManagerServiceClient
}

var _ provider.Provider = (*Store)(nil)

// New finds the credentials; nothing is asked of the service yet.
func New(ctx context.Context, c Config) (*Store, error) {
	endpoint := c.Endpoint
	if endpoint == "" {
		endpoint = service
	}
	who, err := credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: no credentials of Google: %w", secret.ErrSignIn, err)
	}
	conn, err := grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(grpccreds.NewTLS(&tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12})),
		grpc.WithPerRPCCredentials(who), grpc.WithDefaultServiceConfig(retries), grpc.WithDisableServiceConfig(), grpc.WithUserAgent("keephold"),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", endpoint, secret.ErrInvalid, err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // whoever ends the work has no use for the error
	return &Store{parent: "projects/" + c.Project, sm: secretmanagerpb.NewSecretManagerServiceClient(conn)}, nil
}

// bearer puts a token on every call. The source keeps one until it is about to end.
type bearer struct {
	source  oauth2.TokenSource
	project string // that pays and whose quota counts; "" is the service's own rule
}

// credentials are the vendor's application default credentials. A service account signs its tokens itself, so that nobody has to
// be asked for one.
func credentials(ctx context.Context) (*bearer, error) {
	found, err := google.FindDefaultCredentials(ctx, scope)
	if err != nil {
		return nil, err
	}
	b := &bearer{found.TokenSource, os.Getenv("GOOGLE_CLOUD_QUOTA_PROJECT")}
	var file struct {
		Type    string `json:"type"`
		Project string `json:"quota_project_id"`
	}
	if len(found.JSON) == 0 || json.Unmarshal(found.JSON, &file) != nil { // of the metadata server
		return b, nil //nolint:nilerr // what is no such file has no project to tell
	}
	if b.project == "" {
		b.project = file.Project
	}
	if file.Type == "service_account" {
		b.source, err = google.JWTAccessTokenSourceWithScope(found.JSON, scope)
	}
	return b, err
}

// GetRequestMetadata is called by gRPC.
func (b *bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	t, err := b.source.Token()
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, "no token: "+err.Error())
	}
	md := map[string]string{"authorization": t.Type() + " " + t.AccessToken}
	if b.project != "" {
		md["x-goog-user-project"] = b.project
	}
	return md, nil
}

// RequireTransportSecurity keeps a token from a connection without TLS.
func (*bearer) RequireTransportSecurity() bool { return true }

// routed adds what the vendor's front ends route by.
func routed(ctx context.Context, member, name string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", member+"="+strings.ReplaceAll(name, "/", "%2F"))
}

// List asks for all secrets: the service's filter does not know of beginnings.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[provider.Ref, error] {
	return func(yield func(provider.Ref, error) bool) {
		in := &secretmanagerpb.ListSecretsRequest{Parent: s.parent, PageSize: 1000}
		for {
			page, err := s.sm.ListSecrets(routed(ctx, "parent", s.parent), in)
			if err != nil {
				yield(provider.Ref{}, fail("the list of secrets", err))
				return
			}
			for _, one := range page.Secrets {
				name := one.Name[strings.LastIndexByte(one.Name, '/')+1:]
				if strings.HasPrefix(name, prefix) && !yield(provider.Ref{Name: name, Tags: one.Labels}, nil) {
					return
				}
			}
			if in.PageToken = page.NextPageToken; in.PageToken == "" {
				return
			}
		}
	}
}

// Read answers the version that "latest" stands for.
func (s *Store) Read(ctx context.Context, ref provider.Ref) (provider.Secret, error) {
	name := s.secret(ref.Name) + "/versions/latest"
	got, err := s.sm.AccessSecretVersion(routed(ctx, "name", name), &secretmanagerpb.AccessSecretVersionRequest{Name: name})
	if err != nil {
		return provider.Secret{}, fail(ref.Name, err)
	}
	data := got.Payload.GetData()
	if sum := got.Payload.DataCrc32C; sum != nil && *sum != checksum(data) {
		return provider.Secret{}, fmt.Errorf("%s: %w: the value does not have the checksum that came with it", ref.Name, secret.ErrUnavailable)
	}
	out := provider.Secret{Ref: provider.Ref{Name: ref.Name, Revision: got.Name[strings.LastIndexByte(got.Name, '/')+1:], Tags: ref.Tags}}
	out.Value, out.Kind = secret.NewValue(data), provider.KindOf(data)
	return out, nil
}

// Write makes the secret where there is none, then a version. Replication of a new secret is automatic: the vendor's default.
func (s *Store) Write(ctx context.Context, in provider.Secret) (provider.Ref, error) {
	if n := in.Value.Len(); n > MaxValue {
		return provider.Ref{}, fmt.Errorf("%s: %w: %d bytes, and Google takes %d", in.Name, secret.ErrTooLarge, n, MaxValue)
	}
	if in.Revision == "" {
		if err := s.create(ctx, in.Name); err != nil {
			return provider.Ref{}, err
		}
	}
	data := in.Value.Reveal()
	sum := checksum(data)
	parent := s.secret(in.Name)
	add := &secretmanagerpb.AddSecretVersionRequest{Parent: parent, Payload: &secretmanagerpb.SecretPayload{Data: data, DataCrc32C: &sum}}
	made, err := s.sm.AddSecretVersion(routed(ctx, "parent", parent), add)
	if err = fail(in.Name, err); errors.Is(err, secret.ErrNotFound) && in.Revision != "" {
		if err = s.create(ctx, in.Name); err == nil {
			made, err = s.sm.AddSecretVersion(routed(ctx, "parent", parent), add)
			err = fail(in.Name, err)
		}
	}
	if err != nil {
		return provider.Ref{}, err
	}
	return provider.Ref{Name: in.Name, Revision: made.Name[strings.LastIndexByte(made.Name, '/')+1:]}, nil
}

// create makes a secret without versions; one that is there is as good.
func (s *Store) create(ctx context.Context, name string) error {
	_, err := s.sm.CreateSecret(routed(ctx, "parent", s.parent), &secretmanagerpb.CreateSecretRequest{
		Parent: s.parent, SecretId: name,
		Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}}},
	})
	if status.Code(err) == codes.AlreadyExists {
		return nil
	}
	return fail(name, err)
}

// Delete removes the secret with all its versions, for good: this store has no trash.
func (s *Store) Delete(ctx context.Context, ref provider.Ref) error {
	name := s.secret(ref.Name)
	_, err := s.sm.DeleteSecret(routed(ctx, "name", name), &secretmanagerpb.DeleteSecretRequest{Name: name})
	return fail(ref.Name, err)
}

func (s *Store) secret(name string) string { return s.parent + "/secrets/" + name }

func checksum(b []byte) int64 { return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }

// sentinel is one of gRPC's codes in the words of the house.
func sentinel(err error) error {
	switch status.Code(err) {
	case codes.NotFound:
		return secret.ErrNotFound
	case codes.PermissionDenied:
		return secret.ErrDenied
	case codes.Unauthenticated:
		return secret.ErrSignIn
	case codes.InvalidArgument, codes.OutOfRange:
		return secret.ErrInvalid
	case codes.FailedPrecondition: // a version that is disabled or destroyed
		return secret.ErrDisabled
	case codes.AlreadyExists:
		return secret.ErrExists
	case codes.Aborted:
		return secret.ErrConflict
	case codes.ResourceExhausted:
		return secret.ErrLimited
	case codes.Canceled:
		return context.Canceled
	}
	return secret.ErrUnavailable
}

// fail says what an error of the service means. Its messages name resources and hold no values.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: Google says %s: %s", doing, sentinel(err), status.Code(err), status.Convert(err).Message())
}
