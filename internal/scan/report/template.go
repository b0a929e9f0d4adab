package report

import (
	"fmt"
	"io"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"github.com/keephold/keephold/internal/scan"
)

// Template makes a writer of a text/template, with sprig's functions and the findings in gitleaks' form for data.
// Functions that read the environment or ask the network are left out, as the peer leaves them out.
func Template(name, text string) (Writer, error) {
	functions := sprig.TxtFuncMap()
	for _, f := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, f)
	}
	t, err := template.New(name).Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return Writer(func(w io.Writer, r scan.Report, o Options) error {
		findings := []peerFinding{}
		for _, f := range r.Findings {
			findings = append(findings, peer(f, o))
		}
		return t.Execute(w, findings)
	}).masked(true), nil
}
