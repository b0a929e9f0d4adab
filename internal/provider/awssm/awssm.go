// Package awssm reaches AWS Secrets Manager with the vendor's SDK and its default chain of credentials: the environment, shared
// files and profiles, single sign-on, web identity, containers and instances. AWS_ENDPOINT_URL and the other settings of the SDK
// count as everywhere.
package awssm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// MaxValue is how many bytes a value may have, text or binary.
const MaxValue = 65536

// Config of a Store.
type Config struct {
	Account  string // the credentials must be of this account
	Region   string
	Endpoint string       // instead of what the SDK's settings say
	HTTP     *http.Client // instead of the SDK's
}

// Store is the secrets of one account in one region.
type Store struct {
	sm    *secretsmanager.Client
	whose func() error // says whether the credentials are of the account; asks once
}

var _ provider.Provider = (*Store)(nil)

// New finds the settings; credentials are looked for when they are needed.
func New(ctx context.Context, c Config) (*Store, error) {
	load := []func(*config.LoadOptions) error{
		config.WithRegion(c.Region), config.WithRetryer(retryer), config.WithLogger(logging.Nop{}), config.WithAppID("keephold"),
	}
	if c.HTTP != nil {
		load = append(load, config.WithHTTPClient(c.HTTP))
	}
	if c.Endpoint != "" {
		load = append(load, config.WithBaseEndpoint(c.Endpoint))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("settings of AWS: %w: %w", secret.ErrInvalid, err)
	}
	s := &Store{sm: secretsmanager.NewFromConfig(cfg)}
	who := sts.NewFromConfig(cfg)
	s.whose = sync.OnceValue(func() error { return belong(ctx, who, c.Account) })
	return s, nil
}

// retryer slows down while the service throttles. Where nobody takes a connection there is no use in trying again.
func retryer() aws.Retryer {
	return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
		o.StandardOptions = append(o.StandardOptions, func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(nobody)}, o.Retryables...)
		})
	})
}

const attempts = 6

func nobody(err error) aws.Ternary {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// belong refuses credentials of another account than the one that was meant, before anything is read or changed there.
func belong(ctx context.Context, who *sts.Client, account string) error {
	got, err := who.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fail("whose credentials these are", err)
	}
	if is := aws.ToString(got.Account); is != account {
		return fmt.Errorf("%w: the credentials are of account %s, not of %s", secret.ErrDenied, is, account)
	}
	return nil
}

// List asks for the secrets that are not scheduled for deletion.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[provider.Ref, error] {
	return func(yield func(provider.Ref, error) bool) {
		if err := s.whose(); err != nil {
			yield(provider.Ref{}, err)
			return
		}
		in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100)}
		if prefix != "" {
			in.Filters = []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix}}}
		}
		pages := secretsmanager.NewListSecretsPaginator(s.sm, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(provider.Ref{}, fail("the list of secrets", err))
				return
			}
			for i := range page.SecretList {
				e := &page.SecretList[i]
				name := aws.ToString(e.Name)
				if !strings.HasPrefix(name, prefix) || e.DeletedDate != nil { // the filter may be wider than it says
					continue
				}
				if !yield(provider.Ref{Name: name, Revision: revision(e.SecretVersionsToStages), Tags: tagsOf(e.Tags)}, nil) {
					return
				}
			}
		}
	}
}

func tagsOf(tags []types.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

// Read answers the version that has AWSCURRENT, and those that have other labels when ref tells of them.
func (s *Store) Read(ctx context.Context, ref provider.Ref) (provider.Secret, error) {
	if err := s.whose(); err != nil {
		return provider.Secret{}, err
	}
	got, err := s.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &ref.Name})
	if err = fail(ref.Name, err); errors.Is(err, secret.ErrTrashed) {
		err = fmt.Errorf("%s: %w", ref.Name, secret.ErrNotFound)
	}
	if err != nil {
		return provider.Secret{}, err
	}
	out := provider.Secret{Ref: ref, Version: version(got), Suffix: suffix(aws.ToString(got.ARN), ref.Name)}
	staged := versionsOf(ref.Revision)
	if _, ok := staged[out.ID]; !ok { // somebody wrote since the list was made
		out.Revision = ""
		return out, nil
	}
	for _, id := range older(staged, out.ID) {
		got, err := s.sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &ref.Name, VersionId: &id})
		if errors.Is(fail("", err), secret.ErrNotFound) {
			continue // a version without a value, as rotation leaves one
		}
		if err != nil {
			return provider.Secret{}, fail(ref.Name, err)
		}
		out.Older = append(out.Older, version(got))
	}
	return out, nil
}

func version(got *secretsmanager.GetSecretValueOutput) provider.Version {
	v := provider.Version{ID: aws.ToString(got.VersionId), Kind: secret.Text}
	for _, stage := range got.VersionStages {
		v.Labels = append(v.Labels, secret.LabelOfStage(stage))
	}
	slices.Sort(v.Labels)
	if got.SecretString != nil {
		v.Value = secret.NewValue([]byte(*got.SecretString))
	} else {
		v.Kind, v.Value = secret.Binary, secret.NewValue(got.SecretBinary)
	}
	return v
}

// Write makes the secret, or a version of it. The SDK gives every write a token, so that one that it repeats counts once.
func (s *Store) Write(ctx context.Context, in provider.Secret) (provider.Ref, error) {
	if err := s.whose(); err != nil {
		return provider.Ref{}, err
	}
	if n := in.Value.Len(); n > MaxValue {
		return provider.Ref{}, fmt.Errorf("%s: %w: %d bytes, and AWS takes %d", in.Name, secret.ErrTooLarge, n, MaxValue)
	}
	if in.Value.Len() == 0 {
		return provider.Ref{}, fmt.Errorf("%s: %w: its value is empty, which AWS does not take", in.Name, secret.ErrInvalid)
	}
	if _, err := secret.EscapeName(secret.AWS, in.Name); err != nil { // as the vendor says, before it is asked
		return provider.Ref{}, fmt.Errorf("%s: %w", in.Name, err)
	}
	first := s.put
	if in.Revision == "" {
		first = s.create
	}
	ref, err := first(ctx, &in)
	switch {
	case errors.Is(err, secret.ErrTrashed):
		if _, err := s.sm.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: &in.Name}); err != nil {
			return provider.Ref{}, fail(in.Name, err)
		}
		return s.put(ctx, &in)
	case errors.Is(err, secret.ErrExists): // made meanwhile, or in the trash of a service that does not say so
		_, _ = s.sm.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: &in.Name}) // what matters is whether the write succeeds
		return s.put(ctx, &in)
	case errors.Is(err, secret.ErrNotFound):
		return s.create(ctx, &in)
	}
	return ref, err
}

func (s *Store) create(ctx context.Context, in *provider.Secret) (provider.Ref, error) {
	text, binary := payload(in)
	made, err := s.sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &in.Name, SecretString: text, SecretBinary: binary})
	if err != nil {
		return provider.Ref{}, fail(in.Name, err)
	}
	return provider.Ref{Name: in.Name, Revision: revision(map[string][]string{aws.ToString(made.VersionId): {current}})}, nil
}

func (s *Store) put(ctx context.Context, in *provider.Secret) (provider.Ref, error) {
	text, binary := payload(in)
	put, err := s.sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &in.Name, SecretString: text, SecretBinary: binary})
	if err != nil {
		return provider.Ref{}, fail(in.Name, err)
	}
	ref := provider.Ref{Name: in.Name}
	if staged := versionsOf(in.Revision); staged != nil {
		ref.Revision = revision(moved(staged, aws.ToString(put.VersionId)))
	}
	return ref, nil
}

func payload(in *provider.Secret) (text *string, binary []byte) {
	if in.Kind == secret.Binary {
		return nil, in.Value.Reveal()
	}
	return aws.String(string(in.Value.Reveal())), nil
}

// recovery is how long a secret that was deleted here can be restored: the vendor's default.
const recovery = 30

// Delete schedules the secret for deletion.
func (s *Store) Delete(ctx context.Context, ref provider.Ref) error {
	if err := s.whose(); err != nil {
		return err
	}
	_, err := s.sm.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &ref.Name, RecoveryWindowInDays: aws.Int64(recovery)})
	if err == nil {
		return nil
	}
	if err = fail(ref.Name, err); errors.Is(err, secret.ErrTrashed) {
		return fmt.Errorf("%s: %w", ref.Name, secret.ErrNotFound)
	}
	return err
}

// suffix is the end of an ARN behind a name.
func suffix(arn, name string) string {
	_, rest, _ := strings.Cut(arn, ":secret:")
	end, ok := strings.CutPrefix(rest, name+"-")
	if !ok {
		return ""
	}
	return end
}

// sentinel is one of the vendor's errors in the words of the house.
func sentinel(code string) error {
	switch code {
	case "ResourceNotFoundException":
		return secret.ErrNotFound
	case "ResourceExistsException":
		return secret.ErrExists
	case "AccessDeniedException", "AccessDenied", "DecryptionFailure", "EncryptionFailure":
		return secret.ErrDenied
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "ExpiredTokenException", "ExpiredToken",
		"MissingAuthenticationTokenException", "IncompleteSignatureException":
		return secret.ErrSignIn
	case "InvalidParameterException", "InvalidRequestException", "ValidationException", "MalformedPolicyDocumentException":
		return secret.ErrInvalid
	case "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException", "Throttling":
		return secret.ErrLimited
	}
	return secret.ErrUnavailable
}

// fail says what an error of the SDK means. Its messages are the service's own, which hold no values.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		is := sentinel(api.ErrorCode())
		text := api.ErrorMessage()
		if errors.Is(is, secret.ErrInvalid) && (strings.Contains(text, "scheduled for deletion") || strings.Contains(text, "marked for deletion") || strings.Contains(text, "marked deleted")) {
			is = secret.ErrTrashed
		}
		return fmt.Errorf("%s: %w: AWS says %s: %s", doing, is, api.ErrorCode(), text)
	}
	if strings.Contains(err.Error(), "credential") {
		return fmt.Errorf("%s: %w: no credentials of AWS: %w", doing, secret.ErrSignIn, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, secret.ErrUnavailable, err)
}
