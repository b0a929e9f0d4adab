package report

import (
	"cmp"
	"encoding/json"
	"io"

	"github.com/keephold/keephold/internal/scan"
)

// The formats of gitleaks, byte for byte: its tools read them. Our own SARIF and JUnit say more.

// peerSARIF is its SARIF 2.1.0, keys in its order.
type peerSARIF struct {
	Schema  string    `json:"$schema"`
	Version string    `json:"version"`
	Runs    []peerRun `json:"runs"`
}

type peerRun struct {
	Tool struct {
		Driver peerDriver `json:"driver"`
	} `json:"tool"`
	Results []peerResult `json:"results"`
}

type peerDriver struct {
	Name    string     `json:"name"`
	Version string     `json:"semanticVersion"`
	URI     string     `json:"informationUri"`
	Rules   []peerRule `json:"rules"`
}

type peerText struct {
	Text string `json:"text"`
}

type peerRule struct {
	ID    string   `json:"id"`
	Short peerText `json:"shortDescription"`
}

type peerResult struct {
	Message      peerText            `json:"message"`
	RuleID       string              `json:"ruleId"`
	Locations    []peerLocation      `json:"locations"`
	Fingerprints peerFingerprints    `json:"partialFingerprints"`
	Properties   map[string][]string `json:"properties"`
}

type peerLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region peerRegion `json:"region"`
	} `json:"physicalLocation"`
}

type peerRegion struct {
	StartLine   int      `json:"startLine"`
	StartColumn int      `json:"startColumn"`
	EndLine     int      `json:"endLine"`
	EndColumn   int      `json:"endColumn"`
	Snippet     peerText `json:"snippet"`
}

type peerFingerprints struct {
	Commit  string `json:"commitSha"`
	Email   string `json:"email"`
	Author  string `json:"author"`
	Date    string `json:"date"`
	Message string `json:"commitMessage"`
}

func gitleaksSARIF(w io.Writer, r scan.Report, o Options) error {
	run := peerRun{Results: []peerResult{}}
	// It reports itself by this version whatever it is; tools match on the name.
	run.Tool.Driver = peerDriver{Name: "gitleaks", Version: "v8.0.0", URI: "https://github.com/gitleaks/gitleaks", Rules: []peerRule{}}
	for _, x := range o.Rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, peerRule{x.ID, peerText{x.Description}})
	}
	for _, f := range r.Findings {
		p := peer(f, o)
		l := peerLocation{}
		l.Physical.Artifact.URI = cmp.Or(p.SymlinkFile, p.File)
		l.Physical.Region = peerRegion{p.StartLine, p.StartColumn, p.EndLine, p.EndColumn, peerText{p.Secret}}
		run.Results = append(run.Results, peerResult{
			Message: peerText{message(f)}, RuleID: p.RuleID, Locations: []peerLocation{l}, Fingerprints: peerFingerprints{p.Commit, p.Email, p.Author, p.Date, p.Message},
			Properties: map[string][]string{"tags": p.Tags},
		})
	}
	return peerEncoder(w).Encode(peerSARIF{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []peerRun{run}})
}

// peerEncoder escapes <, > and & as the peer's does.
func peerEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e
}
