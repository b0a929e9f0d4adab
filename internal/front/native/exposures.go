package native

import (
	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/registry"
	"github.com/keephold/keephold/internal/secret"
)

type exposed struct {
	Space string   `json:"space"`
	Home  string   `json:"home"`
	Faces []string `json:"faces"`
}

// readExposures is GET exposures: the Spaces that clients of other dialects reach, and by which names.
func readExposures(rq *request) (any, error) {
	list, err := rq.front.desk.Exposures(rq.http.Context(), rq.caller)
	if err != nil {
		return nil, err
	}
	out := make([]exposed, len(list))
	for i, e := range list {
		out[i] = exposed{Space: e.Space, Home: e.Home.String()}
		for _, f := range e.Faces {
			out[i].Faces = append(out[i].Faces, f.String())
		}
	}
	return map[string]any{"exposures": out}, nil
}

// expose is PUT exposures/SPACE {"as": "aws:ACCOUNT/REGION"}. As a Vault mount the Space is renamed, because a second
// mount would be a second path for policies.
func expose(rq *request) (any, error) {
	face, err := rq.face("")
	if err != nil {
		return nil, err
	}
	ctx, d := rq.http.Context(), rq.front.desk
	if face.Dialect == secret.Vault {
		s, err := custody.Do(ctx, d, rq.caller, registry.RenameSpace{From: rq.path, To: face.Name})
		if err != nil {
			return nil, err
		}
		return map[string]any{"space": s.Name, "as": face.String()}, nil
	}
	if _, err := custody.Do(ctx, d, rq.caller, registry.Expose{Space: rq.path, As: face}); err != nil {
		return nil, err
	}
	return map[string]any{"space": rq.path, "as": face.String()}, nil
}

// conceal is DELETE exposures/SPACE?as=aws:ACCOUNT/REGION.
func conceal(rq *request) (any, error) {
	face, err := rq.face(rq.http.URL.Query().Get("as"))
	if err != nil {
		return nil, err
	}
	_, err = custody.Do(rq.http.Context(), rq.front.desk, rq.caller, registry.Conceal{Space: rq.path, As: face})
	return map[string]any{"space": rq.path, "as": face.String()}, err
}

func (rq *request) face(text string) (secret.Face, error) {
	if text == "" {
		var err error
		if text, err = rq.text("as"); err != nil {
			return secret.Face{}, err
		}
	}
	f, err := secret.ParseFace(text)
	if err != nil {
		return f, auth.Tell(secret.ErrInvalid, "%q is none of aws:ACCOUNT/REGION, gcp:PROJECT, azure:VAULT, vault:MOUNT", text)
	}
	return f, nil
}

// makeSpace is PUT spaces/NAME {"home": "aws", "description": …}: a Space whose home is a cloud's dialect, which the
// Vault API has no words for.
func makeSpace(rq *request) (any, error) {
	var home string
	sp := secret.Space{Name: rq.path, Versioned: true}
	if err := rq.read(map[string]any{"home": &home, "description": &sp.Settings.Description}); err != nil {
		return nil, err
	}
	var err error
	if sp.Home, err = secret.ParseDialect(home); err != nil {
		return nil, err
	}
	made, err := custody.Do(rq.http.Context(), rq.front.desk, rq.caller, registry.MakeSpace{Space: sp})
	if err != nil {
		return nil, err
	}
	return map[string]any{"space": made.Name, "home": made.Home.String()}, nil
}
