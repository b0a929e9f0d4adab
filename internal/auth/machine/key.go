package machine

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// public is what clients call an identity.
func (id *Identity) public() string {
	switch id.Kind {
	case AWSKey:
		return "arn:aws:iam::" + id.Home + ":user/" + id.Name
	case AWSRole:
		return "arn:aws:iam::" + id.Home + ":role/" + id.Name
	case GCPAccount:
		return id.Name + "@" + id.Home + ".iam.gserviceaccount.com"
	}
	return auth.NewID() // a client id
}

// grow gives the identity a fresh key and answers its secret half.
func (id *Identity) grow(now time.Time) (Credential, error) {
	k := Key{Created: now}
	var plain []byte
	switch id.Kind {
	case AWSKey:
		// 20 characters that begin with AKIA, and 40 of base64, as the vendor's are.
		k.ID = "AKIA" + base32.StdEncoding.EncodeToString(random(10))
		plain = []byte(base64.StdEncoding.EncodeToString(random(30)))
		k.Shared = plain
	case GCPAccount:
		k.ID = hex.EncodeToString(random(20))
		var err error
		if plain, k.Public, err = newRSA(); err != nil {
			return Credential{}, err
		}
	default:
		k.ID = auth.NewID()
		plain = []byte(base64.RawURLEncoding.EncodeToString(random(32)))
		sum := sha256.Sum256(plain)
		k.Digest = sum[:]
	}
	id.Keys = append(id.Keys, k)
	return Credential{Key: k, Secret: secret.NewValue(plain)}, nil
}

// newRSA makes a key of 2048 bits, which is what the vendor's clients read: PKCS #8 in PEM, and the public half in PKIX.
func newRSA() (private, public []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if public, err = x509.MarshalPKIXPublicKey(&key.PublicKey); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), public, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}
