package inspect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/inspect"
)

// label is one line of a label file: a place where a setting is read, as a person read it.
type label struct{ place, name, reader, required, kind string }

// readLabels reads a label file of testdata; testdata/services/README.md says what stands in it.
func readLabels(t *testing.T, file string) (labels []label) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(line, "\t")
		if len(c) != 5 {
			t.Fatalf("%s: %q has not five columns", file, line)
		}
		labels = append(labels, label{c[0], c[1], c[2], c[3], c[4]})
	}
	return labels
}

// verdict is what inspect said wrong about a project, each with its place.
type verdict struct {
	missed   []string // labelled, not found: the worst
	extra    []string // found, not labelled
	reader   []string
	required []string
	bare     []string // a secret taken for configuration: the second worst
	careful  []string // configuration taken for a secret: costs nothing but a hidden prompt
}

// judge compares what was found in the Python files outside of tests with the labels.
func judge(r *inspect.Report, labels []label) (v verdict) {
	type use struct {
		reader           string
		required, secret bool
	}
	found := map[string]use{}
	for _, s := range r.Settings {
		if !strings.HasSuffix(s.Place.File, ".py") || slices.Contains(strings.Split(s.Place.File, "/"), "tests") {
			continue
		}
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			key := s.Place.String() + " " + name
			u := found[key]
			found[key] = use{string(s.Reader), u.required || s.Required, u.secret || s.Secret}
		}
	}
	for _, l := range labels {
		key := l.place + " " + l.name
		u, ok := found[key]
		delete(found, key)
		switch {
		case !ok:
			v.missed = append(v.missed, key)
			continue
		case u.reader != l.reader:
			v.reader = append(v.reader, key+" is read by "+l.reader+", not "+u.reader)
		}
		if l.required != "conditional" && u.required != (l.required == "required") {
			v.required = append(v.required, key+" is "+l.required)
		}
		switch {
		case l.kind == "secret" && !u.secret:
			v.bare = append(v.bare, key)
		case l.kind == "config" && u.secret:
			v.careful = append(v.careful, key)
		}
	}
	for key := range found {
		v.extra = append(v.extra, key)
	}
	slices.Sort(v.extra)
	return v
}

func (v *verdict) counts() [6]int {
	return [6]int{len(v.missed), len(v.extra), len(v.reader), len(v.required), len(v.bare), len(v.careful)}
}

func (v *verdict) String() string {
	var b strings.Builder
	for _, part := range []struct {
		what  string
		lines []string
	}{{"missed", v.missed}, {"extra", v.extra}, {"reader", v.reader}, {"required", v.required}, {"secret, called config", v.bare}, {"config, called secret", v.careful}} {
		for _, line := range part.lines {
			fmt.Fprintf(&b, "\n  %s: %s", part.what, line)
		}
	}
	return b.String()
}

// TestDocumentedExamples: of each thing that the manuals of pydantic-settings and python-decouple show, our own example;
// every setting of them is found, and nothing else.
func TestDocumentedExamples(t *testing.T) {
	for _, library := range []string{"pydantic", "decouple"} {
		t.Run(library, func(t *testing.T) {
			r, err := inspect.Tree(context.Background(), os.DirFS("testdata/documented/"+library))
			if err != nil {
				t.Fatal(err)
			}
			v := judge(r, readLabels(t, "testdata/documented/"+library+".tsv"))
			v.careful = nil // the examples have names that say nothing
			if v.counts() != [6]int{} {
				t.Error(v.String())
			}
		})
	}
}

// TestPublicServices judges inspect on services that it was not written for. KEEPHOLD_SERVICES names the directory of
// their checkouts; testdata/services/README.md says how to get them.
func TestPublicServices(t *testing.T) {
	files, err := filepath.Glob("testdata/services/*.tsv")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d label files, want 5 (%v)", len(files), err)
	}
	known := map[string][6]int{ // what is still wrong; docs/inspect.md names each
		"canarytokens": {0, 0, 0, 0, 0, 1},
		"healthchecks": {0, 0, 0, 10, 0, 1},
		"simplelogin":  {0, 0, 0, 0, 0, 2},
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".tsv")
		t.Run(name, func(t *testing.T) {
			labels := readLabels(t, file)
			dir := filepath.Join(os.Getenv("KEEPHOLD_SERVICES"), name)
			if _, err := os.Stat(dir); os.Getenv("KEEPHOLD_SERVICES") == "" || err != nil {
				t.Skip("KEEPHOLD_SERVICES has no checkout of it")
			}
			r, err := inspect.Tree(context.Background(), os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			v := judge(r, labels)
			t.Logf("%d places labelled, %d files read%s", len(labels), r.Files, v.String())
			if v.counts() != known[name] {
				t.Errorf("got missed, extra, reader, required, bare, careful %v, want %v", v.counts(), known[name])
			}
		})
	}
}
