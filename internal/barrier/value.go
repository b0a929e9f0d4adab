package barrier

import (
	"encoding/hex"

	"github.com/keephold/keephold/internal/secret"
)

// SealValue is Seal for plaintext that is already a secret.Value, so that whoever carries it need not be able to look
// inside.
func (d *DataKey) SealValue(c Context, v secret.Value) ([]byte, error) { return d.Seal(c, v.Reveal()) }

// Fingerprint is a keyed hash of a text: the same text has the same one, and nobody without the key can find the text by
// trying. The key is that of the index, which never changes; the words before the text keep the two uses apart.
func (k *Keyring) Fingerprint(v secret.Value) string {
	sum := k.HMAC(PurposeIndex, append([]byte("fingerprint of a value\x00"), v.Reveal()...))
	return hex.EncodeToString(sum[:16])
}
