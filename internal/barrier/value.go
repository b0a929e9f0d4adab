package barrier

import "github.com/keephold/keephold/internal/secret"

// SealValue is Seal for plaintext that is already a secret.Value, so that whoever carries it need not be able to look
// inside.
func (d *DataKey) SealValue(c Context, v secret.Value) ([]byte, error) { return d.Seal(c, v.Reveal()) }
