package native

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/internal/secret"
)

// readKnown is PUT known/SPACE[/FOLDER] {"key": BASE64}: fingerprints of all versions that are there, for a scanner that is
// to recognise them elsewhere. The values stay here; who asks draws the key, so that several Spaces go into one file.
func readKnown(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	var text string
	if err := rq.read(map[string]any{"key": &text}); err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != sha256.Size {
		return nil, auth.Tell(secret.ErrInvalid, "member \"key\" is not %d bytes in base64", sha256.Size)
	}
	all, err := rq.front.desk.ReadEditions(rq.http.Context(), rq.caller, ref, custody.MaxEnvironment)
	if err != nil {
		return nil, err
	}
	values := make([]leak.Stored, 0, len(all))
	for _, current := range []bool{true, false} { // a value that is current is not told as an older version's
		for _, e := range all {
			if e.Current == current {
				values = append(values, leak.Stored{Name: rq.path + "/" + e.Name, Version: e.Version, Replaced: !current, Value: e.Value.Reveal()})
			}
		}
	}
	known, refused, err := leak.NewFingerprints(key, time.Now(), values)
	for _, e := range all {
		e.Value.Wipe()
	}
	if err != nil {
		return nil, err
	}
	left := []map[string]any{}
	told := map[leak.Refusal]bool{} // versions that are left out for one reason are told once
	for _, r := range refused {
		if !told[r] {
			told[r] = true
			left = append(left, map[string]any{"name": r.Name, "why": r.Why})
		}
	}
	return map[string]any{"known": known, "refused": left}, nil
}
