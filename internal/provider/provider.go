// Package provider reaches foreign stores as a client: AWS Secrets Manager, Google Cloud Secret Manager, Azure Key Vault,
// HashiCorp Vault and OpenBao. A Provider lists, reads, writes and deletes secrets there under the names that they have there;
// package mirror makes two of them the same.
package provider

import (
	"context"
	"encoding/json"
	"iter"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/secret"
)

// Provider is a store of secrets elsewhere. Its methods may be called at once; each tries again, with growing pauses, what a
// throttled or unsteady service may answer next time. Errors wrap a sentinel of package secret:
//
//	ErrNotFound     there is no such secret, or it has no value, or it lies in the store's trash
//	ErrDenied       these credentials may not
//	ErrSignIn       there are no credentials, or none that the store takes
//	ErrInvalid      the store cannot hold it: its name, or its kind
//	ErrTooLarge     its value is larger than the store takes
//	ErrDisabled     it is there, and its newest version may not be read
//	ErrConflict     it changed meanwhile
//	ErrLimited      the store asks for patience, and trying again did not help
//	ErrUnavailable  the store cannot be reached, or fails
//
// No error, and nothing that is logged, holds a value.
type Provider interface {
	// List answers every secret whose name begins with prefix, once, in any order. What lies in the trash is left out where the
	// store tells. An error ends the list.
	List(ctx context.Context, prefix string) iter.Seq2[Ref, error]
	// Read answers the version that the store calls current.
	Read(ctx context.Context, ref Ref) (Secret, error)
	// Write makes s the current version of its name. An s without a Revision makes the secret; one with it takes the place of
	// that revision. A secret that lies in the trash is taken out of it. What is answered names what was written.
	Write(ctx context.Context, s Secret) (Ref, error)
	// Delete removes the secret; recoverably where the store can. One that is not there is ErrNotFound.
	Delete(ctx context.Context, ref Ref) error
}

// Ref names a secret in a store.
type Ref struct {
	Name string
	// Revision differs when the secret does. It is "" where the store's lists do not tell; Read and Write tell it always, or
	// leave it empty when they cannot be sure.
	Revision string
	// Tags are what the store keeps beside the value: tags of AWS and Azure, labels of Google, custom metadata of a Vault. List tells
	// them or Read does; Read keeps those that it is given. Write of a store elsewhere does not look at them.
	Tags map[string]string
}

// Secret is one secret as a store has it.
type Secret struct {
	Ref
	Version
	ContentType string
	Suffix      string    // the end of its ARN, in AWS
	Older       []Version // other versions with labels, oldest first, where the store has ids and labels for them: in AWS
}

// Version is one version's bytes, with the names that the store has for it.
type Version struct {
	Value  secret.Value
	Kind   secret.Kind
	ID     string   // as clients of AWS know it; "" elsewhere
	Labels []string // in the words of the house
}

// Wipe overwrites every value.
func (s *Secret) Wipe() {
	s.Value.Wipe()
	for i := range s.Older {
		s.Older[i].Value.Wipe()
	}
}

// Same says that a and b hold the same value: the same bytes, or JSON objects that differ in form only. What is text here may
// not be bytes there, unless one of the stores does not tell them apart.
func Same(a, b *Secret, untyped bool) bool {
	if !untyped && (a.Kind == secret.Binary) != (b.Kind == secret.Binary) {
		return false
	}
	if a.Value.Equal(b.Value) {
		return true
	}
	if a.Kind != secret.Map && b.Kind != secret.Map {
		return false
	}
	x, okA := Object(a.Value)
	y, okB := Object(b.Value)
	defer x.Wipe()
	defer y.Wipe()
	return okA && okB && x.Equal(y)
}

// KindOf is what bytes are that a store keeps without saying.
func KindOf(b []byte) secret.Kind {
	if utf8.Valid(b) {
		return secret.Text
	}
	return secret.Binary
}

// Object is a JSON object in the form that the house keeps maps in; ok is false for anything else.
func Object(v secret.Value) (object secret.Value, ok bool) {
	b, err := canonical(v.Reveal())
	return secret.NewValue(b), err == nil
}

// Text is a member of an object when that is its only one and holds a string: how a store of maps keeps text.
func Text(object secret.Value, member string) (text string, ok bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(object.Reveal(), &m) != nil || len(m) != 1 {
		return "", false
	}
	raw, ok := m[member]
	return text, ok && len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil
}
