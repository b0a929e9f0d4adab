package policy_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/policy"
)

// line is one path of a policy in the truth table.
type line struct {
	policy, path string
	caps         policy.Capability
}

// row is one question of the truth table.
type row struct {
	at       int
	section  string
	lines    []line
	caps     policy.Capability
	resource string
	allow    bool
	by       string
}

func readTable(t *testing.T) []row {
	t.Helper()
	f, err := os.Open("testdata/priority.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	var section, name string
	var lines []line
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		n++
		text := s.Text()
		fields := strings.Fields(text)
		switch {
		case len(fields) == 0 || fields[0] == "#" || strings.HasPrefix(text, "#"):
		case fields[0] == "==":
			section, lines, name = strings.TrimPrefix(text, "== "), nil, ""
		case fields[0] == "policy":
			name = fields[1]
		case text[0] == ' ':
			lines = append(lines, line{name, fields[0], capsOf(t, fields[1:])})
		case len(fields) == 4 && (fields[2] == "allow" || fields[2] == "deny"):
			rows = append(rows, row{n, section, slices.Clone(lines), capsOf(t, strings.Split(fields[0], "+")), fields[1], fields[2] == "allow", fields[3]})
		default:
			t.Fatalf("priority.txt:%d: not understood: %s", n, text)
		}
	}
	return rows
}

func capsOf(t testing.TB, names []string) policy.Capability {
	t.Helper()
	var caps policy.Capability
	for _, name := range names {
		c, err := policy.ParseCapability(name)
		if err != nil {
			t.Fatal(err)
		}
		caps |= c
	}
	return caps
}

func compileLines(t testing.TB, lines []line) *policy.Set {
	t.Helper()
	var policies []*policy.Policy
	for i, l := range lines {
		pattern, err := policy.ParsePattern(l.path)
		if err != nil {
			t.Fatal(err)
		}
		if len(policies) == 0 || policies[len(policies)-1].Name != l.policy {
			policies = append(policies, &policy.Policy{Name: l.policy})
		}
		p := policies[len(policies)-1]
		p.Rules = append(p.Rules, policy.Rule{Pattern: pattern, Capabilities: l.caps, Origin: policy.Origin{Policy: l.policy, Line: i + 1, Text: l.path}})
	}
	return policy.Compile(time.Time{}, policies...)
}

func TestPriorityTruthTable(t *testing.T) {
	rows := readTable(t)
	if len(rows) < 150 {
		t.Fatalf("the table has %d rows, at least 150 are wanted", len(rows))
	}
	for _, r := range rows {
		s := compileLines(t, r.lines)
		d := s.Decide(policy.Request{Resource: r.resource, Capability: r.caps})
		by := "-"
		if d.Rule != nil {
			by = d.Rule.Pattern.String()
		}
		if d.Allowed != r.allow || by != r.by {
			t.Errorf("priority.txt:%d (%s): %s %s: got %v by %s, want %v by %s", r.at, r.section, r.caps, r.resource, d.Allowed, by, r.allow, r.by)
		}
		if allowed, by := naive(r.lines, r.caps, r.resource); allowed != r.allow || by != r.by {
			t.Errorf("priority.txt:%d (%s): the independent reading says %v by %s", r.at, r.section, allowed, by)
		}
	}
}

// naive is the documentation read a second time, with nothing shared with the package: regular expressions, a sort, no index.
func naive(lines []line, want policy.Capability, resource string) (bool, string) {
	ask := func(name string, exact bool) []string {
		var found []string
		for _, l := range lines {
			path := strings.TrimPrefix(l.path, "/")
			wild := strings.HasSuffix(path, "*") || slices.Contains(strings.Split(path, "/"), "+")
			if wild == exact {
				continue
			}
			var parts []string
			for _, segment := range strings.Split(strings.TrimSuffix(path, "*"), "/") {
				if segment == "+" {
					parts = append(parts, "[^/]*")
				} else {
					parts = append(parts, regexp.QuoteMeta(segment))
				}
			}
			expr := "^" + strings.Join(parts, "/")
			if strings.HasSuffix(path, "*") {
				expr += ".*"
			}
			if regexp.MustCompile("(?s)" + expr + "$").MatchString(name) {
				found = append(found, path)
			}
		}
		return found
	}
	bare := strings.TrimSuffix(resource, "/")
	listing := want&(policy.List|policy.Scan) != 0
	var found []string
	for _, try := range []struct {
		name  string
		exact bool
		when  bool
	}{{resource, true, true}, {bare, true, listing}, {resource, false, true}, {bare, false, listing}} {
		if try.when && len(found) == 0 {
			found = ask(try.name, try.exact)
		}
	}
	if len(found) == 0 {
		return false, "-"
	}
	slices.SortFunc(found, comparePriority)
	winner := found[len(found)-1]
	var caps policy.Capability
	for _, l := range lines {
		if strings.TrimPrefix(l.path, "/") == winner {
			caps |= l.caps
		}
	}
	return caps&policy.Deny == 0 && caps&want == want, winner
}

// comparePriority is the five rules, one after the other; the lower priority is the smaller.
func comparePriority(p1, p2 string) int {
	first := func(p string) int {
		place := 0
		for _, segment := range strings.SplitAfter(p, "/") {
			if strings.TrimSuffix(segment, "/") == "+" {
				return place
			}
			place += len(segment)
		}
		if strings.HasSuffix(p, "*") {
			return len(p) - 1
		}
		return len(p) + 1
	}
	pluses := func(p string) int {
		n := 0
		for _, segment := range strings.Split(p, "/") {
			if segment == "+" {
				n++
			}
		}
		return n
	}
	star := func(p string) int {
		if strings.HasSuffix(p, "*") {
			return 0
		}
		return 1
	}
	for _, d := range []int{first(p1) - first(p2), star(p1) - star(p2), pluses(p2) - pluses(p1), len(p1) - len(p2)} {
		if d != 0 {
			return d
		}
	}
	return strings.Compare(p1, p2)
}

// TestRandomPoliciesAgreeWithIndependentReading draws from few short segments, so that patterns overlap a lot.
func TestRandomPoliciesAgreeWithIndependentReading(t *testing.T) {
	policySets, atLeast := 2000, 20_000
	if testing.Short() {
		policySets, atLeast = 300, 3_000
	}
	const questions = 12
	rng := rand.New(rand.NewPCG(7, 11))
	segments := []string{"a", "b", "ab", "aa", "+", "+", "a+", ""}
	capabilities := []string{"create", "read", "update", "delete", "list", "scan", "sudo", "deny"}
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	matched := 0
	for range policySets {
		var lines []line
		for range 1 + rng.IntN(8) {
			parts := make([]string, 1+rng.IntN(4))
			for i := range parts {
				parts[i] = pick(segments)
			}
			path := strings.Join(parts, "/")
			if rng.IntN(2) == 0 && !strings.HasSuffix(path, "+") {
				path += "*"
			}
			path = strings.TrimLeft(path, "/")
			var caps policy.Capability
			for range 1 + rng.IntN(3) {
				caps |= capsOf(t, []string{pick(capabilities[:len(capabilities)-rng.IntN(2)])})
			}
			lines = append(lines, line{fmt.Sprint("p", len(lines)), path, caps})
		}
		s := compileLines(t, lines)
		for range questions {
			parts := make([]string, 1+rng.IntN(4))
			for i := range parts {
				parts[i] = pick([]string{"a", "b", "ab", "aa", "a+", "+", ""})
			}
			resource := strings.TrimLeft(strings.Join(parts, "/"), "/")
			want := capsOf(t, []string{pick(capabilities[:7])})
			d := s.Decide(policy.Request{Resource: resource, Capability: want})
			by := "-"
			if d.Rule != nil {
				by = d.Rule.Pattern.String()
				matched++
			}
			if allowed, winner := naive(lines, want, resource); allowed != d.Allowed || winner != by {
				t.Fatalf("%v\n%s %q: got %v by %q, the independent reading says %v by %q", lines, want, resource, d.Allowed, by, allowed, winner)
			}
		}
	}
	if total := policySets * questions; total < atLeast || matched < total/4 {
		t.Errorf("%d questions, %d of them matched: too few to mean anything", total, matched)
	}
}
