package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// VersionID is what clients of AWS and Azure call a version: the id that it was written with, or for one that was written
// in another dialect 32 hexadecimal digits that follow from the secret's uid and the number, and so never change.
func (h *Head) VersionID(d Dialect, v *Version) string {
	switch {
	case d == AWS && v.AWSID != "":
		return v.AWSID
	case d == Azure && v.AzureID != "":
		return v.AzureID
	}
	sum := sha256.Sum256([]byte("keephold version\x00" + string(h.UID) + "\x00" + strconv.FormatUint(v.Number, 10)))
	return hex.EncodeToString(sum[:16])
}

// ByID returns the version that has that VersionID in either dialect, or nil.
func (h *Head) ByID(id string) *Version {
	for i := range h.Versions {
		v := &h.Versions[i]
		if id != "" && (v.AWSID == id || v.AzureID == id || h.VersionID(Vault, v) == id) {
			return v
		}
	}
	return nil
}
