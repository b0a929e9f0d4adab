package house_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What is deployed with the binary cannot all be run on one machine. These tests read it the way its consumers do.

// A textCheck finds what is wrong with one kind of file; bad holds a text on which it has to fail.
type textCheck struct {
	name  string
	files []string // globs; at least one file must be there
	check func(text string) error
	bad   []string
}

var textChecks = []textCheck{
	{"YAML parses", []string{".golangci.yml", ".goreleaser.yaml", ".github/workflows/*.yml", "packaging/nfpm.yaml", "packaging/docker/compose.yaml"},
		checkYAML, []string{"a: [", "a: 1\na: 2\n"}},
	{"workflows are pinned and read-only", []string{".github/workflows/*.yml"}, checkWorkflow, []string{
		"jobs: {a: {steps: []}}",
		"permissions: {contents: read}\njobs: {a: {timeout-minutes: 5, steps: [{uses: actions/checkout@v4, with: {persist-credentials: false}}]}}",
		"permissions: {contents: read}\njobs: {a: {timeout-minutes: 5, steps: [{uses: actions/checkout@1af3b93b6815bc44a9784bd300feb67ff0d1eeb3}]}}",
		"permissions: {contents: read}\njobs: {a: {steps: []}}",
	}},
	{"Dockerfile", []string{"Dockerfile"}, checkDockerfile, []string{
		"FROM scratch\nCOPY a b\n", "FROM golang:latest\n", "FROM a:1\nUSER root\nVOLUME x\nHEALTHCHECK CMD x\nENTRYPOINT [\"x\"]\n",
		"FROM a:1\nADD http://x /\nUSER 1:1\nVOLUME [\"x\"]\nHEALTHCHECK CMD [\"x\"]\nENTRYPOINT [\"x\"]\n",
	}},
	{"compose", []string{"packaging/docker/compose.yaml"}, checkCompose, []string{
		"services: {a: {ports: ['8200:8200'], read_only: true, cap_drop: [ALL]}}", "services: {a: {cap_drop: [ALL]}}", "services: {}",
	}},
	{"systemd unit", []string{"packaging/systemd/*.service"}, checkUnit, []string{
		"[Service]\nExecStart=/usr/bin/keephold\n", "nonsense", "[Service]\nexecstart=x\n",
	}},
	{"Grafana dashboard", []string{"packaging/grafana/*.json"}, checkDashboard, []string{
		"{", `{"title":"x","panels":[]}`, `{"title":"x","panels":[{"id":1,"title":"a","targets":[{"expr":"rate(keephold_x_total[5m]"}]}]}`,
		`{"title":"x","panels":[{"id":1,"title":"a","targets":[{"expr":"keephold_requests{path=\"x\"}"}]}]}`,
	}},
	{"brew formula", []string{"packaging/brew/*.rb.in"}, checkFormula, []string{
		"class Keephold < Formula\n", "class Keephold < Formula\n  def install\n  end\nend\n",
	}},
	{"maintainer scripts", []string{"packaging/deb/*.sh"}, checkShell, []string{"#!/bin/bash\nset -e\n", "#!/bin/sh\nrm -rf /var/lib/keephold\n"}},
	{"nfpm", []string{"packaging/nfpm.yaml"}, checkNFPM, []string{"contents: [{src: no/such/file, dst: /x}]", "name: a"}},
}

func TestPackaging(t *testing.T) {
	for _, c := range textChecks {
		t.Run(c.name, func(t *testing.T) {
			for _, glob := range c.files {
				names, _ := filepath.Glob(glob)
				if len(names) == 0 {
					t.Errorf("no file %s", glob)
				}
				for _, name := range names {
					text, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					if err := c.check(string(text)); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
			for _, bad := range c.bad {
				if c.check(bad) == nil {
					t.Errorf("%q: got no error", bad)
				}
			}
		})
	}
}

// TestPackagingBuildsTheSameSystems keeps the two lists of systems together.
func TestPackagingBuildsTheSameSystems(t *testing.T) {
	var rel struct {
		Builds []struct{ Goos, Goarch []string }
	}
	text, err := os.ReadFile(".goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &rel); err != nil || len(rel.Builds) != 1 {
		t.Fatalf("got %+v, %v", rel, err)
	}
	cross, err := os.ReadFile("scripts/cross")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"for os in " + strings.Join(rel.Builds[0].Goos, " ") + ";", "for arch in " + strings.Join(rel.Builds[0].Goarch, " ") + ";"} {
		if !strings.Contains(string(cross), want) {
			t.Errorf("scripts/cross has no %q", want)
		}
	}
}

// TestPackagingDashboardShowsRealMetrics compares the dashboard with the names in the sources, once there are any.
func TestPackagingDashboardShowsRealMetrics(t *testing.T) {
	name := regexp.MustCompile(`\bkeephold_[a-z_]+`)
	text, err := os.ReadFile("packaging/grafana/keephold.json")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	err = filepath.WalkDir("internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`"keephold_[a-z_]+`).FindAllString(string(src), -1) {
			known[m[1:]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(known) == 0 {
		t.Log("no package names a metric yet")
		return
	}
	for _, m := range name.FindAllString(string(text), -1) {
		if base := strings.TrimSuffix(m, "_bucket"); !known[base] {
			t.Errorf("the dashboard asks for %s, which no package names", base)
		}
	}
}

func checkYAML(text string) error {
	var v any
	return yaml.Unmarshal([]byte(text), &v)
}

func checkWorkflow(text string) error {
	type step struct {
		Uses string
		With map[string]any
	}
	var w struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Timeout int `yaml:"timeout-minutes"`
			Steps   []step
		}
	}
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		return err
	}
	if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
		return fmt.Errorf("permissions are %v, want contents: read", w.Permissions)
	}
	for name, job := range w.Jobs {
		if job.Timeout == 0 {
			return fmt.Errorf("job %s has no timeout-minutes", name)
		}
		for _, s := range job.Steps {
			if s.Uses != "" && !regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(s.Uses) {
				return fmt.Errorf("job %s: %s is not pinned by hash", name, s.Uses)
			}
			if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
				return fmt.Errorf("job %s: checkout keeps its credentials", name)
			}
		}
	}
	return nil
}

// checkDockerfile asks for what hadolint and our promise ask: pinned bases, an unprivileged last stage with a volume and a
// health check, exec forms only (there is no shell), and no ADD.
func checkDockerfile(text string) error {
	joined := regexp.MustCompile(`\\\n`).ReplaceAllString(text, " ")
	last := map[string]string{}
	var whole strings.Builder
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "FROM":
			image, _, _ := strings.Cut(rest, " ")
			if _, tag, ok := strings.Cut(image, ":"); image != "scratch" && (!ok || tag == "latest") {
				return fmt.Errorf("base %s is not pinned", image)
			}
			last = map[string]string{}
		case "ADD":
			return fmt.Errorf("use COPY instead of %s", line)
		}
		last[word] = strings.TrimSpace(rest)
		whole.WriteString(line + "\n")
	}
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(last["USER"]) {
		return fmt.Errorf("USER is %q, want a number other than 0: a name needs /etc/passwd", last["USER"])
	}
	for _, word := range []string{"VOLUME", "ENTRYPOINT", "HEALTHCHECK"} {
		_, array, _ := strings.Cut(last[word], "[")
		var words []string
		if err := json.Unmarshal([]byte("["+array), &words); err != nil || len(words) == 0 {
			return fmt.Errorf("%s %s: want the exec form", word, last[word])
		}
	}
	if !strings.Contains(whole.String(), "CGO_ENABLED=0") || !strings.Contains(whole.String(), "-trimpath") {
		return fmt.Errorf("the binary is not built as the release is: CGO_ENABLED=0, -trimpath")
	}
	return nil
}

func checkCompose(text string) error {
	var c struct {
		Services map[string]struct {
			Ports    []string
			ReadOnly bool     `yaml:"read_only"`
			CapDrop  []string `yaml:"cap_drop"`
		}
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	if len(c.Services) == 0 {
		return fmt.Errorf("no services")
	}
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
			return fmt.Errorf("%s: want read_only and cap_drop ALL", name)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				return fmt.Errorf("%s: the example publishes %s to the network", name, p)
			}
		}
	}
	return nil
}

func checkUnit(text string) error {
	seen := map[string]string{}
	section := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = line
		case regexp.MustCompile(`^[A-Z][A-Za-z]+=`).MatchString(line) && section != "":
			key, value, _ := strings.Cut(line, "=")
			seen[section+key] = value
		default:
			return fmt.Errorf("line %d: %q is neither a section nor a setting", i+1, line)
		}
	}
	for key, want := range map[string]string{
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
		"CapabilityBoundingSet": "", "LimitCORE": "0", "UMask": "0077", "StateDirectoryMode": "0700", "MemoryDenyWriteExecute": "yes",
		"User": "keephold", "Type": "notify", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
	} {
		if got, ok := seen["[Service]"+key]; !ok || got != want {
			return fmt.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	return nil
}

func checkDashboard(text string) error {
	var d struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	if d.Title == "" || len(d.Panels) == 0 {
		return fmt.Errorf("no title or no panels")
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			return fmt.Errorf("panel %d %q: id used twice, no title or no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if err := checkQuery(target.Expr); err != nil {
				return fmt.Errorf("panel %q: %w", p.Title, err)
			}
		}
	}
	return nil
}

// checkQuery looks for balanced brackets and for labels that would be unbounded.
func checkQuery(expr string) error {
	var open []rune
	pair := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, r := range expr {
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != pair[r] {
				return fmt.Errorf("unbalanced brackets: %s", expr)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || expr == "" {
		return fmt.Errorf("unbalanced brackets: %s", expr)
	}
	if m := regexp.MustCompile(`\b(path|token|accessor|secret|user|entity)\s*=`).FindString(expr); m != "" {
		return fmt.Errorf("label %s is unbounded or names a secret: %s", m, expr)
	}
	return nil
}

func checkFormula(text string) error {
	depth := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if regexp.MustCompile(`^(class|def|if|unless)\b|\bdo$`).MatchString(line) {
			depth++
		}
		if line == "end" {
			depth--
		}
	}
	if depth != 0 {
		return fmt.Errorf("%d blocks are not closed", depth)
	}
	for _, want := range []string{"class Keephold < Formula", "url ", "sha256 ", `license "Apache-2.0"`, "def install", "test do", `"CGO_ENABLED"`} {
		if !strings.Contains(text, want) {
			return fmt.Errorf("no %q", want)
		}
	}
	return nil
}

func checkShell(text string) error {
	if !strings.HasPrefix(text, "#!/bin/sh\n") || !strings.Contains(text, "\nset -e\n") {
		return fmt.Errorf("want #!/bin/sh and set -e")
	}
	if strings.Contains(text, "rm -") {
		return fmt.Errorf("a package never removes data")
	}
	return nil
}

func checkNFPM(text string) error {
	var n struct {
		Name, License string
		Contents      []struct{ Src, Dst, Type string }
		Scripts       map[string]string
	}
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		return err
	}
	if n.Name != "keephold" || n.License != "Apache-2.0" || len(n.Scripts) == 0 {
		return fmt.Errorf("got name %q, licence %q, %d scripts", n.Name, n.License, len(n.Scripts))
	}
	var files []string
	for _, c := range n.Contents {
		if c.Type != "symlink" && !strings.HasPrefix(c.Src, "dist/") {
			files = append(files, c.Src)
		}
	}
	for _, f := range n.Scripts {
		files = append(files, f)
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			return err
		}
	}
	return nil
}
