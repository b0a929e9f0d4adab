// Package triage remembers which findings were looked at and accepted: ignore files and baselines, ours and the peers'.
//
// Nothing in them is a secret: our identities and the peers' SHA-1 sums stand for the values.
package triage

import (
	"crypto/sha1" //nolint:gosec // detect-secrets' format, not a proof of anything
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/scan"
)

// Set is what is accepted. The zero Set accepts nothing.
type Set struct {
	ids      map[string]bool
	rules    []rule             // of .keepholdignore: path patterns with an optional rule
	peers    map[string]bool    // .gitleaksignore: [commit:]file:rule:line
	secrets  map[string]bool    // baselines of peers: file, NUL, hash of the secret
	known    map[string][]known // of our baselines, by rule
	movedTo  map[string]string  // by identity: where what a baseline accepts stands now
	Expired  []string           // entries whose date is over
	Warnings []string

	// Holds says that a path still holds a secret, where what is scanned has no history to tell moves by; may be nil.
	Holds func(path, secret string) bool
}

type rule struct{ pattern, rule string }

// Drop reports that a finding is accepted; it fits scan.Options.
func (s *Set) Drop(f *scan.Finding) bool {
	if s.ids[f.Identity] || slices.ContainsFunc(f.Former, func(id string) bool { return s.ids[id] }) || s.moved(f) {
		return true
	}
	place := fmt.Sprintf("%s:%s:%d", f.Path, f.Rule, f.Line)
	if s.peers[place] || f.Commit != "" && s.peers[f.Commit+":"+place] {
		return true
	}
	if len(s.secrets) > 0 {
		sum := sha1.Sum([]byte(f.Secret)) //nolint:gosec // as above
		if s.secrets[f.Path+"\x00"+hex.EncodeToString(sum[:])] {
			return true
		}
	}
	for _, r := range s.rules {
		if (r.rule == "" || r.rule == f.Rule) && fits(r.pattern, f.Path) {
			return true
		}
	}
	return false
}

// moved reports that a baseline accepts the secret at a path that does not hold it any more. What stood at one path moves
// to one: the next that holds it is a copy.
func (s *Set) moved(f *scan.Finding) bool {
	if s.Holds == nil {
		return false
	}
	for _, k := range s.known[f.Rule] {
		if k.Path == f.Path || !s.ids[k.ID] || scan.Identity(nil, f.Rule, f.Secret, k.Path) != k.ID || s.Holds(k.Path, f.Secret) {
			continue
		}
		if to, ok := s.movedTo[k.ID]; !ok || to == f.Path {
			s.movedTo[k.ID] = f.Path
			return true
		}
	}
	return false
}

// fits matches a path with a pattern: * within a name, ** across, a trailing / for everything below.
func fits(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "/"); ok {
		pattern = below + "/**"
	}
	return segments(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func segments(p, n []string) bool {
	for len(p) > 0 {
		if p[0] == "**" {
			for i := range len(n) + 1 {
				if segments(p[1:], n[i:]) {
					return true
				}
			}
			return false
		}
		if len(n) == 0 {
			return false
		}
		if ok, err := path.Match(p[0], n[0]); err != nil || !ok {
			return false
		}
		p, n = p[1:], n[1:]
	}
	return len(n) == 0
}

func (s *Set) ready() {
	if s.ids == nil {
		s.ids, s.peers, s.secrets, s.known = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string][]known{}
		s.movedTo = map[string]string{}
	}
}

// ReadIgnore reads a .keepholdignore. Each line is an identity or a path pattern, then optionally words:
//
//	3f9a0c…               until=2027-01-31 reason: test key of the sandbox
//	testdata/** rule=jwt  reason: made up
//
// An entry without a reason is an error, for in a year nobody will know it. An entry whose date is over counts no more.
func (s *Set) ReadIgnore(name string, now time.Time) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	s.ready()
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		entry, reason, ok := strings.Cut(line, "reason:")
		if !ok || strings.TrimSpace(reason) == "" {
			return fmt.Errorf("%s:%d: no reason; write one behind the entry: %s reason: why it may stay", name, n, strings.Fields(line)[0])
		}
		words := strings.Fields(entry)
		if len(words) == 0 {
			return fmt.Errorf("%s:%d: an identity or a path must come first", name, n)
		}
		if err := s.entry(words, fmt.Sprintf("%s:%d", name, n), now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) entry(words []string, at string, now time.Time) error {
	r := rule{pattern: words[0]}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "rule":
			r.rule = value
		case "until":
			day, err := time.Parse(time.DateOnly, value)
			if err != nil {
				return fmt.Errorf("%s: until wants a date such as 2027-01-31: %w", at, err)
			}
			if now.After(day.AddDate(0, 0, 1)) {
				s.Expired = append(s.Expired, fmt.Sprintf("%s: %s is accepted no longer, its date %s is over", at, words[0], value))
				return nil
			}
		default:
			return fmt.Errorf("%s: unknown word %q; known are rule= and until=", at, w)
		}
	}
	if isIdentity(r.pattern) {
		s.ids[r.pattern] = true
		return nil
	}
	s.rules = append(s.rules, r)
	return nil
}

func isIdentity(w string) bool {
	_, err := hex.DecodeString(w)
	return err == nil && len(w) == 20
}

// ReadPeerIgnore reads a .gitleaksignore: file:rule:line or commit:file:rule:line.
func (s *Set) ReadPeerIgnore(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	s.ready()
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.ReplaceAll(strings.TrimSpace(line), `\`, "/")
		if line == "" || line[0] == '#' {
			continue
		}
		if k := strings.Count(line, ":"); k != 2 && k != 3 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s:%d: not of the form [commit:]file:rule:line", name, n))
		}
		s.peers[line] = true
	}
	return nil
}

// baseline is our own file: one line for each finding, sorted, so that two branches' additions merge.
type baseline struct {
	Format   string  `json:"format"`
	Findings []known `json:"findings"`
}

type known struct {
	ID   string `json:"id"`
	Rule string `json:"rule"`
	Path string `json:"path"`

	Verdict string `json:"verdict,omitempty"` // real, false, or nobody said
}

const baselineFormat = "keephold baseline 1"

// ReadBaseline reads a baseline: ours, a gitleaks JSON report, or detect-secrets' .secrets.baseline.
func (s *Set) ReadBaseline(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	s.ready()
	text := strings.TrimSpace(string(b))
	var broken error
	switch {
	case strings.HasPrefix(text, "["):
		broken = s.peerReport(b)
	case strings.Contains(text, `"plugins_used"`):
		broken = s.detectSecrets(b)
	default:
		var f baseline
		if broken = json.Unmarshal(b, &f); broken == nil && f.Format != baselineFormat {
			broken = errors.New("not a baseline of keephold, gitleaks or detect-secrets")
		}
		for _, k := range f.Findings {
			s.ids[k.ID] = k.Verdict != Real
			s.known[k.Rule] = append(s.known[k.Rule], k)
		}
	}
	if broken != nil {
		return fmt.Errorf("baseline %s: %w", name, explainJSON(b, broken))
	}
	return nil
}

// explainJSON adds the line to a syntax error.
func explainJSON(b []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("line %d: %w", 1+strings.Count(string(b[:min(int(syntax.Offset), len(b))]), "\n"), err)
	}
	return err
}

// peerReport takes a gitleaks report as a baseline, by file, rule and secret instead of by position.
func (s *Set) peerReport(b []byte) error {
	var findings []struct{ RuleID, File, Secret, Fingerprint string }
	if err := json.Unmarshal(b, &findings); err != nil {
		return err
	}
	for _, f := range findings {
		switch {
		case f.Secret == "", f.Secret == "REDACTED", strings.HasSuffix(f.Secret, "..."): // a redacted report has places only
			s.peers[f.Fingerprint] = true
		default: // by its place it would hide the next secret there
			sum := sha1.Sum([]byte(f.Secret)) //nolint:gosec // as above
			s.secrets[f.File+"\x00"+hex.EncodeToString(sum[:])] = true
		}
	}
	return nil
}

func (s *Set) detectSecrets(b []byte) error {
	var f struct {
		Results map[string][]struct {
			HashedSecret string `json:"hashed_secret"`
			IsSecret     *bool  `json:"is_secret"`
		} `json:"results"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	for file, list := range f.Results {
		for _, x := range list {
			s.secrets[file+"\x00"+x.HashedSecret] = true
		}
	}
	return nil
}

// WriteBaseline writes the findings as a baseline, one a line in the order of path, rule and identity.
func WriteBaseline(name string, findings []scan.Finding) error {
	var out []known
	for _, f := range findings {
		out = append(out, known{ID: f.Identity, Rule: f.Rule, Path: f.Path})
	}
	return writeKnown(name, out)
}
