package report

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"text/template"

	"github.com/Masterminds/goutils"
	sprig "github.com/go-task/slim-sprig/v3"
	"github.com/huandu/xstrings"

	"github.com/keephold/keephold/internal/scan"
)

// Template makes a writer of a text/template, with sprig's functions and the findings in gitleaks' form for data.
// Functions that read the environment or ask the network are left out, as the peer leaves them out. So are those that no report
// needs, and that would bring modules which every start of the command pays for: keys, certificates, random
// texts, versions, decimals, merged maps.
func Template(name, text string) (Writer, error) {
	functions := sprig.TxtFuncMap()
	for _, f := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, f)
	}
	t, err := template.New(name).Funcs(functions).Funcs(texts()).Parse(text)
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

// texts are those of sprig's functions for texts that its slim form lacks, made of the same modules.
func texts() template.FuncMap {
	return template.FuncMap{
		"abbrev": func(width int, s string) string {
			if short, err := goutils.Abbreviate(s, width); width >= 4 && err == nil {
				return short
			}
			return s
		},
		"abbrevboth": func(left, right int, s string) string {
			if right < 4 || left > 0 && right < 7 {
				return s
			}
			short, _ := goutils.AbbreviateFull(s, left, right) // fails for the widths above alone
			return short
		},
		"wrap":      func(width int, s string) string { return goutils.Wrap(s, width) },
		"wrapWith":  func(width int, sep, s string) string { return goutils.WrapCustom(s, width, sep, true) },
		"initials":  func(s string) string { return goutils.Initials(s) },
		"untitle":   func(s string) string { return goutils.Uncapitalize(s) },
		"nospace":   goutils.DeleteWhiteSpace,
		"swapcase":  goutils.SwapCase,
		"snakecase": xstrings.ToSnakeCase,
		"camelcase": xstrings.ToPascalCase,
		"kebabcase": xstrings.ToKebabCase,
		"sha512sum": func(s string) string { sum := sha512.Sum512([]byte(s)); return hex.EncodeToString(sum[:]) },
	}
}
