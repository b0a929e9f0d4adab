package native

import (
	"encoding/json"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// recordOffline is PUT offline-reads {"reads": […]}: what a client read from its own memory while it could not ask.
func recordOffline(rq *request) (any, error) {
	var in []struct {
		ID       string            `json:"id"`
		Space    string            `json:"space"`
		Versions map[string]uint64 `json:"versions"`
		At       time.Time         `json:"at"`
		Fetched  time.Time         `json:"fetched"`
		Doing    string            `json:"doing"`
	}
	if raw, ok := rq.body["reads"]; !ok || json.Unmarshal(raw, &in) != nil {
		return nil, auth.Tell(secret.ErrInvalid, `no reads: give {"reads": [{"id", "space", "versions", "at", "fetched", "doing"}]}`)
	}
	reads := make([]custody.OfflineRead, len(in))
	for i, r := range in {
		reads[i] = custody.OfflineRead{ID: r.ID, Space: r.Space, Versions: r.Versions, At: r.At, Fetched: r.Fetched, Doing: r.Doing}
	}
	if err := rq.front.desk.RecordOffline(rq.http.Context(), rq.caller, reads); err != nil {
		return nil, err
	}
	return map[string]any{"recorded": len(reads)}, nil
}
