package gitleaks_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/scan"
	"github.com/keephold/keephold/internal/scan/files"
	"github.com/keephold/keephold/internal/scan/gitleaks"
)

func load(t *testing.T, files map[string]string) (*gitleaks.Set, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return gitleaks.Load(filepath.Join(dir, "a.toml"))
}

func find(s *gitleaks.Set, path, text string) string {
	var all []scan.Finding
	for m := range s.Finder.Find([]byte(text)) {
		line := 1 + strings.Count(text[:m.Start], "\n")
		all = append(all, scan.Finding{Rule: m.Rule, Place: scan.Place{Path: path}, Line: line, Match: text[m.Start:m.End], Secret: text[m.SecretStart:m.SecretEnd], LineText: strings.Split(text, "\n")[line-1]})
	}
	var out []string
	for _, f := range s.Keep(all) {
		out = append(out, f.Rule+"="+f.Secret)
	}
	return strings.Join(out, " ")
}

const rules = `
title = "t"
[[rules]]
id = "tok"
description = "a token"
regex = '''tok-([a-z]{4,8})x?'''
keywords = ["TOK-"]
[[rules.allowlists]]
stopwords = ["stop"]
[[rules]]
id = "generic-key"
regex = '''(?i)key\s*=\s*(\S+)'''
entropy = 2.0
keywords = ["key"]
path = '''\.env$'''
`

func TestRules(t *testing.T) {
	s, err := load(t, map[string]string{"a.toml": rules + "[[allowlists]]\npaths = ['''^vendor/''']\n[[allowlists]]\ncondition = \"AND\"\nregexes = ['''dead''']\npaths = ['''^test/''']\n"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, text, want string }{
		{"a.env", "tok-abcd and key = q1w2e3", "tok=abcd generic-key=q1w2e3"},
		{"a.txt", "key = q1w2e3", ""},
		{"a.env", "key = aaaa", ""},
		{"a.env", "tok-stopit", ""},
		{"vendor/a.env", "tok-abcd", ""},
		{"test/a", "tok-deadx", ""},
		{"src/a", "tok-deadx", "tok=deadx"},
		{"a.env", "key = tok-abcdef", "generic-key=tok-abcdef tok=abcdef"},
	} {
		if got := find(s, tt.path, tt.text); got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.path, tt.text, got, tt.want)
		}
	}
}

func TestExtend(t *testing.T) {
	s, err := load(t, map[string]string{
		"b.toml": rules,
		"a.toml": "[extend]\npath = \"b.toml\"\ndisabledRules = [\"generic-key\"]\n[[rules]]\nid = \"tok\"\nregex = '''tok-(\\d+)'''\n[[rules]]\nid = \"own\"\nregex = '''own-\\d+'''\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := find(s, "a.env", "tok-123 own-5 key = q1w2e3"); got != "tok=123 own=own-5" {
		t.Error(got)
	}
}

func TestRequired(t *testing.T) {
	s, err := load(t, map[string]string{"a.toml": "[[rules]]\nid = \"a\"\nregex = '''aa\\d'''\n[[rules.required]]\nid = \"b\"\nwithinLines = 1\n[[rules]]\nid = \"b\"\nregex = '''bb\\d'''\nskipReport = true\n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := find(s, "x", "aa1\nbb1\n\n\naa2\n"); got != "a=aa1" {
		t.Error(got)
	}
}

// TestLineEnds are left out of a match, and a secret whose expression wants them is the whole match, as with the peer.
func TestLineEnds(t *testing.T) {
	s, err := load(t, map[string]string{"a.toml": "[[rules]]\nid = \"a\"\nregex = '''\\s+a=(\\w+)\\s+'''\n[[rules]]\nid = \"b\"\nregex = '''b=(\\w+)\\n'''\nentropy = 3.0\n"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("x\n\na=1234\n\ny\n\tz a=5678 \nb=qwertzuiop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := scan.Run(context.Background(), scan.Options{Sources: []scan.Source{&files.Source{Roots: []string{path}}}, Finder: s.Finder, Keep: s.Keep})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range report.Findings {
		got = append(got, fmt.Sprintf("%d:%d-%d:%d %q %q", f.Line, f.Column, f.EndLine, f.EndColumn, f.Match, f.Secret))
	}
	want := []string{`3:1-3:6 "a=1234" "a=1234"`, `6:3-6:10 " a=5678 " "5678"`, `7:1-7:12 "b=qwertzuiop" "b=qwertzuiop"`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestBroken(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"syntax":       {"[[rules]\n", "a.toml:1"},
		"no id":        {"[[rules]]\nregex = 'a'\n", "no id"},
		"twice":        {"[[rules]]\nid='a'\nregex='a'\n[[rules]]\nid='a'\nregex='b'\n", "twice"},
		"no regex":     {"[[rules]]\nid='a'\n", "neither regex nor path"},
		"bad regex":    {"[[rules]]\nid='a'\nregex='a('\n", "rule a"},
		"group":        {"[[rules]]\nid='a'\nregex='a'\nsecretGroup=2\n", "group 2"},
		"empty allow":  {"[allowlist]\ndescription='x'\n", "empty"},
		"both allows":  {"[allowlist]\npaths=['a']\n[[allowlists]]\npaths=['b']\n", "exclude each other"},
		"both extends": {"[extend]\npath='b.toml'\nuseDefault=true\n", "exclude each other"},
		"target":       {"[[allowlists]]\npaths=['b']\ntargetRules=['x']\n", "not there"},
		"condition":    {"[[allowlists]]\npaths=['b']\ncondition='XOR'\n", "condition"},
	} {
		if _, err := load(t, map[string]string{"a.toml": tt.text}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(rules)
	f.Add("[extend]\nuseDefault = true\n[[rules]]\nid='generic-secret'\n[[rules.allowlists]]\npaths=['a']\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "path") && strings.Contains(text, "extend") {
			return // it would read files
		}
		s, err := gitleaks.Parse(text)
		if err == nil {
			find(s, "p", "key = value tok-abcd")
		}
	})
}
