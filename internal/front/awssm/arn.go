package awssm

import (
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// suffix is the six characters at the end of a secret's ARN; they follow from its uid, which is as fixed as they are.
func suffix(h *secret.Head) string {
	if s := secret.Fact(h.Facts, secret.FactARNSuffix); s != "" {
		return s
	}
	sum := sha256.Sum256([]byte("arn\x00" + h.UID))
	b := make([]byte, 6)
	for i := range b {
		b[i] = alphanumerics[int(sum[i])%len(alphanumerics)]
	}
	return string(b)
}

// arn is a secret's ARN as this request's client names its Space.
func (rq *request) arn(name string, h *secret.Head) string {
	return "arn:aws:secretsmanager:" + rq.region + ":" + rq.account + ":secret:" + name + "-" + suffix(h)
}

// found is a secret that a client named, one of what the name may mean.
type found struct {
	ref    secret.Ref
	name   string
	suffix string // that the ARN brings; "" for a name
}

// check refuses a secret whose ARN ends otherwise: it is another one of that name.
func (f found) check(h *secret.Head) error {
	if h != nil && f.suffix != "" && suffix(h) != f.suffix {
		return secret.ErrNotFound
	}
	return nil
}

// locate reads a SecretId: a name, an ARN, or an ARN without its suffix. A name whose end looks like a suffix makes the last
// two look alike; then both are answered, the whole ARN first.
func (rq *request) locate(id string) ([]found, error) {
	if id == "" || len(id) > 2048 {
		return nil, validation("1 validation error detected: Value at 'secretId' failed to satisfy constraint: Member must have length between 1 and 2048")
	}
	if !strings.HasPrefix(id, "arn:") {
		f, err := rq.named(rq.space, id, "")
		return []found{f}, err
	}
	return rq.locateARN(id)
}

func (rq *request) locateARN(id string) ([]found, error) {
	parts := strings.SplitN(id, ":", 7)
	if len(parts) != 7 || parts[1] != "aws" || parts[2] != "secretsmanager" || parts[5] != "secret" {
		return nil, parameter("Invalid ARN: " + clip(id))
	}
	if parts[3] != rq.region {
		return nil, notFound(textNoSecret)
	}
	space := rq.space
	if parts[4] != rq.account {
		space = rq.front.spaceOf(rq.caller.From().Namespace, parts[4], parts[3])
	}
	rest := parts[6]
	var all []found
	if n := len(rest) - 7; n > 0 && rest[n] == '-' && secret.Alphanumeric(rest[n+1:]) {
		f, err := rq.named(space, rest[:n], rest[n+1:])
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	f, err := rq.named(space, rest, "")
	if err != nil {
		return nil, err
	}
	return append(all, f), nil
}

func (rq *request) named(space, name, suffix string) (found, error) {
	path, err := secret.EscapeName(secret.AWS, name)
	if err != nil {
		return found{}, validation("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	return found{secret.Ref{Namespace: rq.caller.From().Namespace, Space: space, Path: path}, name, suffix}, nil
}

// on does something with the secret that id names. Where id may name two, the second is tried when the first is not there
// or not this caller's to ask about; what is answered then is what was said of the first.
func on[T any](rq *request, id string, do func(found) (T, error)) (T, error) {
	var zero T
	all, err := rq.locate(id)
	if err != nil {
		return zero, err
	}
	out, first := do(all[0])
	if len(all) == 1 || !errors.Is(first, secret.ErrNotFound) && !errors.Is(first, secret.ErrDenied) {
		return out, first
	}
	out, err = do(all[1])
	if errors.Is(err, secret.ErrNotFound) || errors.Is(err, secret.ErrDenied) {
		err = first
	}
	return out, err
}

// clip shortens text that came from outside before it goes into an error.
func clip(s string) string { return s[:min(len(s), 256)] }
