package azurekv

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/secret"
)

// backupSecret is POST /secrets/NAME/backup: all versions, sealed for this installation.
func backupSecret(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	b, err := rq.front.desk.Backup(rq.http.Context(), rq.caller, ref)
	if err != nil {
		return nil, hidden(err)
	}
	return map[string]string{"value": base64.RawURLEncoding.EncodeToString(b)}, nil
}

// restoreSecret is POST /secrets/restore.
func restoreSecret(rq *request) (any, error) {
	var value string
	if err := rq.member("value", &value); err != nil {
		return nil, err
	}
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(b) == 0 {
		return nil, auth.Tell(secret.ErrInvalid, "The parameter value is no backup.")
	}
	h, path, err := rq.front.desk.RestoreBackup(rq.http.Context(), rq.caller, rq.space, b)
	rq.name = path.String() // what an error speaks of
	if err != nil {
		return nil, err
	}
	return rq.bare(path, h)
}

// newVersionID is 32 hexadecimal digits, as the vendor's are.
func newVersionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
