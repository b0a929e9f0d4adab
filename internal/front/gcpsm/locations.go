package gcpsm

import (
	"encoding/json"
	"net/http"
	"strings"
)

// places are the locations that are told to exist. A secret's location is kept and shown; the bytes are where the server is.
var places = []string{
	"africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3", "asia-south1", "asia-south2",
	"asia-southeast1", "asia-southeast2", "australia-southeast1", "australia-southeast2", "europe-central2", "europe-north1", "europe-southwest1",
	"europe-west1", "europe-west2", "europe-west3", "europe-west4", "europe-west6", "europe-west8", "europe-west9", "europe-west10", "europe-west12",
	"me-central1", "me-central2", "me-west1", "northamerica-northeast1", "northamerica-northeast2", "southamerica-east1", "southamerica-west1",
	"us-central1", "us-east1", "us-east4", "us-east5", "us-south1", "us-west1", "us-west2", "us-west3", "us-west4",
}

type location struct {
	Name string `json:"name"`
	ID   string `json:"locationId"`
}

// locations answers google.cloud.location.Locations over REST: the same list for everybody.
func (f *Front) locations(w http.ResponseWriter, r *http.Request, out format) bool {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if len(parts) < 3 || len(parts) > 4 || parts[2] != "locations" || r.Method != http.MethodGet || !isSegment(parts[1]) {
		return false
	}
	at := func(id string) location { return location{"projects/" + parts[1] + "/locations/" + id, id} }
	var answer any
	if len(parts) == 3 {
		all := make([]location, len(places))
		for i, id := range places {
			all[i] = at(id)
		}
		answer = map[string]any{"locations": all}
	} else {
		for _, id := range places {
			if id == parts[3] {
				answer = at(id)
			}
		}
	}
	if answer == nil {
		f.fail(w, out, f.told(nil, errNoRoute))
		return true
	}
	b, err := json.Marshal(answer)
	if err == nil {
		b, err = out.shaped(b)
	}
	if err != nil {
		f.fail(w, out, f.told(nil, err))
		return true
	}
	respond(w, http.StatusOK, b)
	return true
}
