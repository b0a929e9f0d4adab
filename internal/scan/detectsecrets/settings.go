package detectsecrets

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // the format's fingerprint of a word list, not a proof of anything
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Version is the release of the peer whose formats these are.
const Version = "1.5.0"

// settings say which detectors and filters run. Both keep the order in which they were given.
type settings struct {
	plugins []object // each with "name" first
	filters []object // each with "path" first
}

func defaultSettings() *settings {
	s := &settings{}
	s.allPlugins()
	for _, f := range defaultFilters() {
		s.filters = append(s.filters, object{{"path", f}})
	}
	return s
}

func (s *settings) allPlugins() {
	s.plugins = nil
	for _, d := range detectors() {
		s.plugins = append(s.plugins, object{{"name", d.name}})
	}
}

// setFilter adds a filter or replaces its settings.
func (s *settings) setFilter(o object) {
	for i, f := range s.filters {
		if f.text("path") == o.text("path") {
			s.filters[i] = o
			return
		}
	}
	s.filters = append(s.filters, o)
}

func (s *settings) disable(path string) bool {
	n := len(s.filters)
	s.filters = slices.DeleteFunc(s.filters, func(o object) bool { return o.text("path") == path })
	return len(s.filters) < n
}

func (s *settings) setPlugin(name, key string, value any) {
	for i, p := range s.plugins {
		if p.text("name") == name {
			s.plugins[i] = p.set(key, value)
		}
	}
}

// fromBaseline takes over what a baseline was made with.
func fromBaseline(b object, name string) (*settings, error) {
	s := &settings{}
	for _, f := range defaultFilters() {
		s.filters = append(s.filters, object{{"path", f}})
	}
	plugins, _ := b.get("plugins_used")
	for _, p := range asList(plugins) {
		o, ok := p.(object)
		if !ok || o.text("name") == "" {
			return nil, errInvalidBaseline
		}
		s.plugins = append(s.plugins, append(object{{"name", o.text("name")}}, o.without("name")...))
	}
	if used, ok := b.get("filters_used"); ok {
		s.filters = []object{{{"path", filterInvalidFile}}, {{"path", filterNonText}}}
		for _, f := range asList(used) {
			o, ok := f.(object)
			if !ok || o.text("path") == "" {
				return nil, errInvalidBaseline
			}
			s.setFilter(append(object{{"path", o.text("path")}}, o.without("path")...))
		}
	}
	if name != "" {
		s.setFilter(object{{"path", filterBaseline}, {"filename", name}})
	}
	return s, nil
}

func asList(v any) list {
	l, _ := v.(list)
	return l
}

func byName(key string) func(a, b object) int {
	return func(a, b object) int { return cmp.Compare(strings.ToLower(a.text(key)), strings.ToLower(b.text(key))) }
}

// json is the part of a baseline that says what it was made with.
func (s *settings) json() object {
	plugins, used := list{}, list{}
	sorted := slices.Clone(s.plugins)
	slices.SortStableFunc(sorted, byName("name"))
	for _, p := range sorted {
		p = slices.Clone(p)
		switch p.text("name") {
		case "Base64HighEntropyString", "HexHighEntropyString":
			if _, ok := p.get("limit"); !ok {
				p = p.set("limit", float(limitOf(p.text("name"))))
			}
		case "KeywordDetector":
			if _, ok := p.get("keyword_exclude"); !ok {
				p = p.set("keyword_exclude", "")
			}
		}
		plugins = append(plugins, p)
	}
	sorted = slices.Clone(s.filters)
	slices.SortStableFunc(sorted, byName("path"))
	for _, f := range sorted {
		if p := f.text("path"); p != filterInvalidFile && p != filterNonText {
			used = append(used, f)
		}
	}
	return object{{"plugins_used", plugins}, {"filters_used", used}}
}

func limitOf(name string) float64 {
	for _, d := range detectors() {
		if d.name == name {
			return d.limit
		}
	}
	return 0
}

// engine is the compiled form: what a scan runs.
type engine struct {
	detectors []detector
	filters   filters
	exclude   matcher
}

// compile checks the settings. What only Python could run is told, not left out in silence.
func (s *settings) compile(warn func(string, ...any)) (*engine, error) {
	e := &engine{}
	all := detectors()
	for _, p := range s.plugins {
		k := slices.IndexFunc(all, func(d detector) bool { return d.name == p.text("name") })
		if k < 0 {
			return nil, fmt.Errorf("no plugin %q: plugins that are Python programs cannot run here; remove it from plugins_used", p.text("name"))
		}
		d := all[k]
		if v, ok := p.get("limit"); ok && d.measure != nil {
			n, _ := v.(number)
			f, err := strconv.ParseFloat(string(n), 64)
			if err != nil || f < 0 || f > 8 {
				return nil, fmt.Errorf("plugin %s: the limit must be between 0.0 and 8.0", d.name)
			}
			d.limit = f
		}
		if x := p.text("keyword_exclude"); x != "" && d.name == "KeywordDetector" {
			m, err := userExpression("(?i)" + x)
			if err != nil {
				return nil, fmt.Errorf("plugin %s: %w", d.name, err)
			}
			e.exclude = m
		}
		e.detectors = append(e.detectors, d)
	}
	return e, e.filters.compile(s.filters, warn)
}

func (f *filters) compile(used []object, warn func(string, ...any)) error {
	f.on = map[string]bool{}
	for _, o := range used {
		path := o.text("path")
		f.on[path] = true
		var err error
		switch path {
		case filterLines:
			f.lines, err = o.expressions()
		case filterFiles:
			f.files, err = o.expressions()
		case filterSecrets:
			f.secrets, err = o.expressions()
		case filterBaseline:
			f.baseline = o.text("filename")
		case filterVerified:
			level, _ := o.get("min_level")
			n, _ := level.(number)
			f.verified = n == "3"
		case filterWords:
			f.words, _, err = readWords(o.text("file_name"), leastWord)
		default:
			if !known(path) {
				warn("filter %s is a Python function, which cannot run here: what it would leave out is reported", path)
			}
		}
		if err != nil {
			return fmt.Errorf("filter %s: %w", path, err)
		}
	}
	return nil
}

// expressions are those of a filter's setting "pattern".
func (o object) expressions() ([]matcher, error) {
	v, _ := o.get("pattern")
	var texts []string
	for _, x := range asList(v) {
		t, ok := x.(string)
		if !ok {
			return nil, fmt.Errorf("a pattern is no string")
		}
		texts = append(texts, t)
	}
	return userExpressions(texts)
}

const leastWord = 3

// readWords reads a word list and its SHA-1.
func readWords(name string, least int) ([]string, string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, "", err
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if w := strings.ToLower(strings.TrimSpace(line)); len(w) >= least {
			out = append(out, w)
		}
	}
	sum := sha1.Sum(b) //nolint:gosec // as above
	return out, hex.EncodeToString(sum[:]), nil
}
