package recipient_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	agearmor "filippo.io/age/armor"
	"github.com/ProtonMail/go-crypto/openpgp"
	pgparmor "github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/keephold/keephold/internal/seal/recipient"
	"golang.org/x/crypto/ssh"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const share = "1234567890abcdef"

func pgpKey(t testing.TB, config packet.Config) *openpgp.Entity {
	t.Helper()
	config.Time = func() time.Time { return now.Add(-time.Hour) }
	e, err := openpgp.NewEntity("Share Holder", "", "holder@example.com", &config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func armored(t testing.TB, kind string, write func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	w, err := pgparmor.Encode(&out, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(write(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAge(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	sshIdentity, err := agessh.NewEd25519Identity(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key      string
		identity age.Identity
	}{
		"X25519": {x.Recipient().String(), x},
		"hybrid": {h.Recipient().String(), h},
		"SSH":    {string(ssh.MarshalAuthorizedKey(sshPublic)), sshIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := recipient.Parse(tt.key, now)
			if err != nil {
				t.Fatal(err)
			}
			message, err := r.Encrypt([]byte(share), now)
			if err != nil || bytes.Contains(message, []byte(share)) || r.IsPGP() {
				t.Fatalf("pgp %t, %v", r.IsPGP(), err)
			}
			text, err := r.Armor(message)
			if err != nil {
				t.Fatal(err)
			}
			for how, src := range map[string]io.Reader{
				"binary": bytes.NewReader(message), "armored": agearmor.NewReader(strings.NewReader(text)),
			} {
				plain, err := age.Decrypt(src, tt.identity)
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if got, err := io.ReadAll(plain); err != nil || string(got) != share {
					t.Errorf("%s: got %q, %v", how, got, err)
				}
			}
		})
	}
}

func TestPGP(t *testing.T) {
	for name, config := range map[string]packet.Config{
		"curve 25519": {Algorithm: packet.PubKeyAlgoEdDSA},
		"RSA":         {RSABits: 2048},
	} {
		t.Run(name, func(t *testing.T) {
			e := pgpKey(t, config)
			var raw bytes.Buffer
			if err := e.Serialize(&raw); err != nil {
				t.Fatal(err)
			}
			for how, text := range map[string]string{
				"base64":  base64.StdEncoding.EncodeToString(raw.Bytes()),
				"armored": armored(t, openpgp.PublicKeyType, e.Serialize),
			} {
				r, err := recipient.Parse(text, now)
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if !r.IsPGP() || r.Fingerprint() != hex.EncodeToString(e.PrimaryKey.Fingerprint) {
					t.Errorf("%s: fingerprint %s", how, r.Fingerprint())
				}
				message, err := r.Encrypt([]byte(share), now)
				if err != nil {
					t.Fatal(err)
				}
				text, err := r.Armor(message)
				if err != nil {
					t.Fatal(err)
				}
				block, err := pgparmor.Decode(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				details, err := openpgp.ReadMessage(block.Body, openpgp.EntityList{e}, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(details.UnverifiedBody); err != nil || string(got) != share {
					t.Errorf("%s: got %q, %v", how, got, err)
				}
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	e := pgpKey(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	other := pgpKey(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	old := pgpKey(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: 60})
	revoked := pgpKey(t, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err := revoked.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: func() time.Time { return now }}); err != nil {
		t.Fatal(err)
	}
	private := armored(t, openpgp.PrivateKeyType, func(w io.Writer) error { return e.SerializePrivate(w, nil) })
	var privateRaw bytes.Buffer
	if err := e.SerializePrivate(&privateRaw, nil); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":            "",
		"words":            "hello there",
		"age secret key":   id.String(),
		"age plugin":       "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t",
		"age cut":          id.Recipient().String()[:40],
		"two age keys":     id.Recipient().String() + "\n" + id.Recipient().String(),
		"SSH broken":       "ssh-ed25519 AAAA",
		"SSH private":      "-----BEGIN OPENSSH PRIVATE KEY-----",
		"keybase":          "keybase:someone",
		"PGP private":      private,
		"PGP private, raw": base64.StdEncoding.EncodeToString(privateRaw.Bytes()),
		"PGP expired":      armored(t, openpgp.PublicKeyType, old.Serialize),
		"PGP revoked":      armored(t, openpgp.PublicKeyType, revoked.Serialize),
		"two PGP keys": armored(t, openpgp.PublicKeyType, func(w io.Writer) error {
			return errors.Join(e.Serialize(w), other.Serialize(w))
		}),
		"far too long": strings.Repeat("A", 2<<20),
	} {
		_, err := recipient.Parse(text, now)
		if !errors.Is(err, recipient.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET-KEY-") {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(id.Recipient().String())
	f.Add(armored(f, openpgp.PublicKeyType, pgpKey(f, packet.Config{Algorithm: packet.PubKeyAlgoEdDSA}).Serialize))
	f.Add("ssh-ed25519 AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := recipient.Parse(text, now)
		if err != nil {
			if !errors.Is(err, recipient.ErrKey) {
				t.Errorf("got %v", err)
			}
			return
		}
		if _, err := r.Encrypt([]byte(share), now); err != nil {
			t.Logf("encrypt: %v", err)
		}
	})
}
