package triage

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// MergeBaselines writes to ours what two sides made of a common baseline: what either accepted is accepted, what either
// removed is gone. It is what a merge driver of git does (gitattributes(5)), and it knows no conflicts.
func MergeBaselines(base, ours, theirs string) error {
	var sides [3]map[known]bool
	for i, name := range []string{base, ours, theirs} {
		list, err := readKnown(name)
		if err != nil {
			return fmt.Errorf("baseline %s: %w", name, err)
		}
		sides[i] = map[known]bool{}
		for _, k := range list {
			sides[i][k] = true
		}
	}
	var out []known
	for k := range sides[1] {
		if sides[2][k] || !sides[0][k] {
			out = append(out, k)
		}
	}
	for k := range sides[2] {
		if !sides[1][k] && !sides[0][k] {
			out = append(out, k)
		}
	}
	return writeKnown(ours, out)
}

// readKnown reads a baseline of ours. An empty file is an empty baseline: git gives one when there was none.
func readKnown(name string) ([]known, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(b)) == "" {
		return nil, nil
	}
	var f baseline
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, explainJSON(b, err)
	}
	if f.Format != baselineFormat {
		return nil, fmt.Errorf("format %q, wanted %q", f.Format, baselineFormat)
	}
	return f.Findings, nil
}

func writeKnown(name string, out []known) error {
	slices.SortFunc(out, func(a, b known) int {
		return strings.Compare(a.Path+"\x00"+a.Rule+"\x00"+a.ID, b.Path+"\x00"+b.Rule+"\x00"+b.ID)
	})
	out = slices.Compact(out)
	var b strings.Builder
	fmt.Fprintf(&b, "{\"format\": %q, \"findings\": [", baselineFormat)
	for i, k := range out {
		line, err := json.Marshal(k)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + string(line))
	}
	b.WriteString("\n]}\n")
	return os.WriteFile(name, []byte(b.String()), 0o644)
}
