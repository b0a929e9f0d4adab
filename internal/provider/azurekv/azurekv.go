// Package azurekv reaches Azure Key Vault with the vendor's SDK and its default chain of credentials: the environment, workload
// identity, managed identity, and the sign-ins of the Azure command lines.
package azurekv

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/keephold/keephold/internal/provider"
	"github.com/keephold/keephold/internal/secret"
)

// MaxValue is how many characters a value may have.
const MaxValue = 25600

// binaryType marks bytes that are no text, which this store has no other way to keep.
const binaryType = "application/octet-stream;base64"

// Config of a Store.
type Config struct {
	URL  string       // of the vault
	HTTP *http.Client // instead of the SDK's
}

// Store is the secrets of one vault.
type Store struct{ kv *azsecrets.Client }

var _ provider.Provider = (*Store)(nil)

// New finds out which credentials there may be; they are tried when they are needed.
func New(c Config) (*Store, error) {
	options := azcore.ClientOptions{
		Retry:     policy.RetryOptions{MaxRetries: 6, RetryDelay: time.Second, MaxRetryDelay: 30 * time.Second, ShouldRetry: again},
		Telemetry: policy.TelemetryOptions{ApplicationID: "keephold"},
	}
	if c.HTTP != nil {
		options.Transport = c.HTTP
	}
	who, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("%w: no credentials of Azure: %w", secret.ErrSignIn, err)
	}
	kv, err := azsecrets.NewClient(c.URL, who, &azsecrets.ClientOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c.URL, secret.ErrInvalid, err)
	}
	return &Store{kv}, nil
}

// again says what is worth another try: what is throttled or unsteady, but not where nobody takes a connection.
func again(resp *http.Response, err error) bool {
	if err != nil {
		var op *net.OpError
		return !errors.As(err, &op) || op.Op != "dial"
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// List asks for all secrets: the service has no filter. Those that belong to certificates are left out.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[provider.Ref, error] {
	return func(yield func(provider.Ref, error) bool) {
		pages := s.kv.NewListSecretPropertiesPager(nil)
		for pages.More() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(provider.Ref{}, fail("the list of secrets", err))
				return
			}
			for _, one := range page.Value {
				if one == nil || one.ID == nil || one.Managed != nil && *one.Managed {
					continue
				}
				name := one.ID.Name()
				if strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix)) && !yield(provider.Ref{Name: name}, nil) {
					return
				}
			}
		}
	}
}

// Read answers the newest version.
func (s *Store) Read(ctx context.Context, ref provider.Ref) (provider.Secret, error) {
	got, err := s.kv.GetSecret(ctx, ref.Name, "", nil)
	if err != nil {
		return provider.Secret{}, fail(ref.Name, err)
	}
	out := provider.Secret{Ref: provider.Ref{Name: ref.Name, Tags: map[string]string{}}}
	for key, value := range got.Tags {
		if value != nil {
			out.Tags[key] = *value
		}
	}
	if got.ID != nil {
		out.Revision = got.ID.Version()
	}
	if got.ContentType != nil {
		out.ContentType = *got.ContentType
	}
	var text string
	if got.Value != nil {
		text = *got.Value
	}
	out.Value = secret.NewValue([]byte(text))
	if out.ContentType == binaryType {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return provider.Secret{}, fmt.Errorf("%s: %w: it says that it is base64 and is not", ref.Name, secret.ErrInvalid)
		}
		out.Value, out.Kind, out.ContentType = secret.NewValue(b), secret.Binary, ""
	}
	return out, nil
}

// Write makes a version. A secret that was deleted is recovered first, with the versions that it had.
func (s *Store) Write(ctx context.Context, in provider.Secret) (provider.Ref, error) {
	text, kind := string(in.Value.Reveal()), in.ContentType
	switch {
	case in.Kind == secret.Binary:
		text, kind = base64.StdEncoding.EncodeToString(in.Value.Reveal()), binaryType
	case in.Kind == secret.Map && kind == "":
		kind = "application/json"
	}
	if n := len(utf16.Encode([]rune(text))); n > MaxValue {
		return provider.Ref{}, fmt.Errorf("%s: %w: %d characters, and Azure takes %d", in.Name, secret.ErrTooLarge, n, MaxValue)
	}
	p := azsecrets.SetSecretParameters{Value: &text}
	if kind != "" {
		p.ContentType = &kind
	}
	set, err := s.kv.SetSecret(ctx, in.Name, p, nil)
	if deleted(err) {
		if err := s.recover(ctx, in.Name); err != nil {
			return provider.Ref{}, err
		}
		set, err = s.kv.SetSecret(ctx, in.Name, p, nil)
	}
	if err != nil {
		return provider.Ref{}, fail(in.Name, err)
	}
	ref := provider.Ref{Name: in.Name}
	if set.ID != nil {
		ref.Revision = set.ID.Version()
	}
	return ref, nil
}

// settle is how long the service may take to recover a secret.
const settle = time.Minute

// recover takes a secret out of the trash, and waits until it is there.
func (s *Store) recover(ctx context.Context, name string) error {
	if _, err := s.kv.RecoverDeletedSecret(ctx, name, nil); err != nil {
		return fail(name, err)
	}
	ctx, stop := context.WithTimeout(ctx, settle)
	defer stop()
	for {
		_, err := s.kv.GetSecret(ctx, name, "", nil)
		if err = fail(name, err); err == nil || errors.Is(err, secret.ErrDisabled) {
			return nil
		}
		if !errors.Is(err, secret.ErrNotFound) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: it does not come out of the trash", name, secret.ErrUnavailable)
		case <-time.After(time.Second):
		}
	}
}

// Delete puts the secret into the vault's trash.
func (s *Store) Delete(ctx context.Context, ref provider.Ref) error {
	_, err := s.kv.DeleteSecret(ctx, ref.Name, nil)
	return fail(ref.Name, err)
}

// deleted says that a name is taken by a secret in the trash.
func deleted(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusConflict
}

// sentinel is one of the vendor's errors in the words of the house.
func sentinel(answer *azcore.ResponseError) error {
	switch answer.StatusCode {
	case http.StatusNotFound:
		return secret.ErrNotFound
	case http.StatusForbidden:
		if strings.Contains(answer.Error(), "SecretDisabled") {
			return secret.ErrDisabled
		}
		return secret.ErrDenied
	case http.StatusUnauthorized:
		return secret.ErrSignIn
	case http.StatusBadRequest:
		return secret.ErrInvalid
	case http.StatusConflict:
		return secret.ErrTrashed
	case http.StatusRequestEntityTooLarge:
		return secret.ErrTooLarge
	case http.StatusTooManyRequests:
		return secret.ErrLimited
	}
	return secret.ErrUnavailable
}

// fail says what an error of the SDK means. What it prints of an answer is not passed on: the body may be anything.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var answer *azcore.ResponseError
	var signIn *azidentity.AuthenticationFailedError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	case errors.As(err, &signIn):
		return fmt.Errorf("%s: %w: Azure does not take the credentials (%s)", doing, secret.ErrSignIn, short(signIn.Error()))
	case errors.As(err, &answer):
		return fmt.Errorf("%s: %w: Azure says %d %s", doing, sentinel(answer), answer.StatusCode, answer.ErrorCode)
	case strings.Contains(err.Error(), "DefaultAzureCredential"):
		return fmt.Errorf("%s: %w: no credentials of Azure: %s", doing, secret.ErrSignIn, short(err.Error()))
	}
	return fmt.Errorf("%s: %w: %s", doing, secret.ErrUnavailable, short(err.Error()))
}

// short is a message of the SDK on one line, and not all of a long one.
func short(s string) string {
	const most = 600
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + " …"
	}
	return s
}
