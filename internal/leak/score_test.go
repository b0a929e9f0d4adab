package leak_test

import (
	"bufio"
	"encoding/json"
	"hash/fnv"
	"os"
	"testing"

	"github.com/keephold/keephold/internal/leak"
)

// TestScore reports recall and precision over labelled examples: a text counts as found when any match is reported.
// LEAK_EXAMPLES names a file of JSON lines {rule, secret_present, text}. Rows whose rule id has an odd FNV-1a hash (32
// bits, lowest bit) are held out: no rule is tuned on them, and their texts are never printed.
// LEAK_VERBOSE=1 prints the even rows that are judged wrongly.
func TestScore(t *testing.T) {
	path := os.Getenv("LEAK_EXAMPLES")
	if path == "" {
		t.Skip("LEAK_EXAMPLES is not set")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := leak.Compile(leak.Rules())
	if err != nil {
		t.Fatal(err)
	}
	type tally struct{ tp, fp, fn, tn int }
	var by [2]tally
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			Source, Rule, Text string
			SecretPresent      bool `json:"secret_present"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		h := fnv.New32a()
		h.Write([]byte(row.Rule))
		odd := h.Sum32() & 1
		var hit *leak.Match
		for m := range e.Find([]byte(row.Text)) {
			hit = &m
			break
		}
		s := &by[odd]
		switch {
		case hit != nil && row.SecretPresent:
			s.tp++
		case hit != nil:
			s.fp++
		case row.SecretPresent:
			s.fn++
		default:
			s.tn++
		}
		if odd == 0 && (hit != nil) != row.SecretPresent && os.Getenv("LEAK_VERBOSE") != "" {
			text := row.Text[:min(len(row.Text), 160)]
			if hit != nil {
				t.Logf("FALSE %s %s %d %v: %q", row.Rule, hit.Rule, hit.Score, hit.Explain, text)
			} else {
				t.Logf("MISS %s: %q", row.Rule, text)
			}
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	for i, name := range []string{"even", "odd"} {
		s := by[i]
		recall, precision := float64(s.tp)/float64(max(1, s.tp+s.fn)), float64(s.tp)/float64(max(1, s.tp+s.fp))
		t.Logf("%s: rows %d recall %.3f precision %.3f (tp %d fp %d fn %d tn %d)", name, s.tp+s.fp+s.fn+s.tn, recall, precision, s.tp, s.fp, s.fn, s.tn)
		if recall < .85 || precision < .95 {
			t.Errorf("%s rows: recall %.3f, precision %.3f", name, recall, precision)
		}
	}
}
