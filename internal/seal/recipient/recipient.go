// Package recipient encrypts shares to the people who will keep them, so that
// whoever sets a server up need not see them: to age and SSH keys
// (age-encryption.org/v1) and to OpenPGP keys (RFC 9580).
package recipient

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	agearmor "filippo.io/age/armor"
	"github.com/ProtonMail/go-crypto/openpgp"
	pgparmor "github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// ErrKey: this is not a public key that can be encrypted to.
var ErrKey = errors.New("not a usable public key")

// maxKey bounds a key that is read; OpenPGP keys with many signatures are long.
const maxKey = 1 << 20

// Recipient is one public key. The zero Recipient is not usable.
type Recipient struct {
	age         age.Recipient
	pgp         *openpgp.Entity
	fingerprint string
}

// Parse reads a public key: "age1…", "age1pq1…", an SSH line, an armored
// OpenPGP key, or a binary one in base64 as Vault's pgp_keys are. Nothing is
// looked up on a network and no plugin is run.
func Parse(text string, now time.Time) (*Recipient, error) {
	text = strings.TrimSpace(text)
	switch {
	case len(text) > maxKey:
		return nil, fmt.Errorf("key of %d bytes: %w", len(text), ErrKey)
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.Contains(text, "PRIVATE KEY"):
		return nil, fmt.Errorf("this is a private key; give the public one, and replace this one if others saw it: %w", ErrKey)
	case strings.HasPrefix(text, "keybase:"):
		return nil, fmt.Errorf("keybase names are not looked up; export the key and give that: %w", ErrKey)
	case strings.HasPrefix(text, "age1"):
		return parseAge(text)
	case strings.HasPrefix(text, "ssh-"):
		r, err := agessh.ParseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("SSH key: %w: %w", err, ErrKey)
		}
		return &Recipient{age: r, fingerprint: text}, nil
	}
	return parsePGP(text, now)
}

func parseAge(text string) (*Recipient, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("age key: more than one line: %w", ErrKey)
	}
	rs, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(rs) != 1 {
		return nil, fmt.Errorf("age key (plugins are not run): %w", ErrKey)
	}
	return &Recipient{age: rs[0], fingerprint: text}, nil
}

func parsePGP(text string, now time.Time) (*Recipient, error) {
	var entities openpgp.EntityList
	var err error
	if strings.HasPrefix(text, "-----BEGIN PGP PUBLIC KEY BLOCK-----") {
		entities, err = openpgp.ReadArmoredKeyRing(strings.NewReader(text))
	} else {
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(text); err == nil {
			entities, err = openpgp.ReadKeyRing(bytes.NewReader(raw))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("neither an age, an SSH nor an OpenPGP public key: %w", ErrKey)
	}
	if len(entities) != 1 {
		return nil, fmt.Errorf("%d OpenPGP keys, want one: %w", len(entities), ErrKey)
	}
	e := entities[0]
	if e.PrivateKey != nil {
		return nil, fmt.Errorf("this is a private key; give the public one, and replace this one if others saw it: %w", ErrKey)
	}
	fingerprint := hex.EncodeToString(e.PrimaryKey.Fingerprint)
	if e.Revoked(now) {
		return nil, fmt.Errorf("OpenPGP key %s is revoked: %w", fingerprint, ErrKey)
	}
	if _, ok := e.EncryptionKey(now); !ok {
		return nil, fmt.Errorf("OpenPGP key %s has no valid key to encrypt to: %w", fingerprint, ErrKey)
	}
	return &Recipient{pgp: e, fingerprint: fingerprint}, nil
}

// IsPGP tells an OpenPGP recipient from an age or SSH one.
func (r *Recipient) IsPGP() bool { return r.pgp != nil }

// Fingerprint is the OpenPGP fingerprint in hexadecimal, or the age or SSH
// public key itself.
func (r *Recipient) Fingerprint() string { return r.fingerprint }

// Encrypt returns a binary age file or OpenPGP message.
func (r *Recipient) Encrypt(plaintext []byte, now time.Time) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	if r.pgp != nil {
		w, err = openpgp.Encrypt(&out, []*openpgp.Entity{r.pgp}, nil, nil, &packet.Config{
			DefaultCipher: packet.CipherAES256,
			DefaultHash:   crypto.SHA256,
			Time:          func() time.Time { return now },
		})
	} else {
		w, err = age.Encrypt(&out, r.age)
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt to %s: %w", r.fingerprint, err)
	}
	if _, err = w.Write(plaintext); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt to %s: %w", r.fingerprint, err)
	}
	return out.Bytes(), nil
}

// Armor turns what Encrypt returned into text that can be mailed.
func (r *Recipient) Armor(message []byte) (string, error) {
	var out strings.Builder
	var w io.WriteCloser
	if r.pgp == nil {
		w = agearmor.NewWriter(&out)
	} else {
		var err error
		if w, err = pgparmor.Encode(&out, "PGP MESSAGE", nil); err != nil {
			return "", err
		}
	}
	if _, err := w.Write(message); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return strings.TrimRight(out.String(), "\n") + "\n", nil
}

// Open reverses Encrypt and Armor for an age message, with the text of an age identity file or of an SSH private key without
// a passphrase.
func Open(armored string, identity []byte) ([]byte, error) {
	var ids []age.Identity
	var err error
	if bytes.Contains(identity, []byte("PRIVATE KEY-----")) {
		var id age.Identity
		id, err = agessh.ParseIdentity(identity)
		ids = []age.Identity{id}
	} else {
		ids, err = age.ParseIdentities(bytes.NewReader(identity))
	}
	if err != nil {
		return nil, fmt.Errorf("private key: %w: %w", err, ErrKey)
	}
	r, err := age.Decrypt(agearmor.NewReader(strings.NewReader(strings.TrimSpace(armored)+"\n")), ids...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxKey))
}
