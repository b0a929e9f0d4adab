package detectsecrets

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

func (t *Tool) audit(argv []string) error {
	const prog = "detect-secrets audit"
	a := &t.args
	known := map[string]flag{"-h": plain, "--help": plain, "--diff": plain, "--stats": plain, "--report": plain, "--only-real": plain, "--only-false": plain, "--json": plain}
	if err := a.parse(prog, argv, known); err != nil {
		return err
	}
	switch {
	case a.set["--help"]:
		return t.print(help)
	case len(a.paths) == 0:
		return &usageError{prog, "the following arguments are required: filename"}
	case a.set["--diff"] && len(a.paths) != 2:
		return errors.New("--diff mode requires two files to compare with each other.") //nolint:staticcheck // the peer's words
	case !a.set["--diff"] && len(a.paths) != 1:
		return errors.New("Can only specify one baseline at a time.") //nolint:staticcheck // the peer's words
	case a.set["--only-real"] && a.set["--only-false"]:
		return &usageError{prog, "argument --only-false: not allowed with argument --only-real"}
	}
	if a.set["--diff"] && !a.set["--stats"] && !a.set["--report"] {
		return t.compare(a.paths[0], a.paths[1])
	}
	v, err := t.open(a.paths[0])
	if err != nil {
		fmt.Fprintln(t.Stderr, "Not a valid baseline file!")
		return err
	}
	switch {
	case a.set["--stats"] && a.set["--diff"]:
		return errors.New("--stats and --diff do not go together")
	case a.set["--stats"]:
		return t.stats(v)
	case a.set["--report"]:
		return t.report(v)
	}
	return t.label(v)
}

// volume is a baseline that is looked at.
type volume struct {
	name     string
	settings *settings
	engine   *engine
	secrets  collection
	files    map[string]*shelf
}

// shelf is a file that secrets were found in.
type shelf struct {
	raw   []string
	views [][]string
}

func (t *Tool) open(name string) (*volume, error) {
	o, _, err := readBaseline(t.path(name))
	if err != nil {
		return nil, err
	}
	v := &volume{name: name, files: map[string]*shelf{}}
	if v.secrets, err = secretsOf(o); err != nil {
		return nil, err
	}
	if v.settings, err = fromBaseline(o, name); err != nil {
		return nil, err
	}
	v.engine, err = v.settings.compile(t.warn)
	return v, err
}

func (t *Tool) exists(name string) bool {
	_, err := os.Stat(t.path(name))
	return err == nil
}

func (v *volume) shelf(t *Tool, name string) *shelf {
	s := v.files[name]
	if s == nil {
		s = &shelf{}
		if b, err := os.ReadFile(t.path(name)); err == nil {
			text := universal(string(b))
			for _, l := range splitLines(text) {
				s.raw = append(s.raw, trimRight(l))
			}
			s.views = views(text, name)
		}
		v.files[name] = s
	}
	return s
}

// find looks for the value of a secret in its file: on its line, or on all of them. It returns the lines and the value.
func (v *volume) find(t *Tool, s *secret, all bool) (at []int, lines []string, value string) {
	k := slices.IndexFunc(v.engine.detectors, func(d detector) bool { return d.kind == s.kind })
	if k < 0 {
		return nil, nil, ""
	}
	d := &v.engine.detectors[k]
	for _, view := range v.shelf(t, s.file).views {
		for i, line := range view {
			if !all && i+1 != s.line {
				continue
			}
			for _, x := range d.values(line, seen{file: typeOf(s.file), exclude: v.engine.exclude}, !all) {
				if hash(x) == s.hash {
					at, lines, value = append(at, i+1), append(lines, line), x
				}
			}
		}
		if len(at) > 0 {
			return at, lines, value
		}
	}
	return nil, nil, ""
}

// clear empties the screen of a terminal.
func (t *Tool) clear() {
	if t.Terminal {
		fmt.Fprint(t.Stdout, "\x1b[H\x1b[2J\x1b[3J")
	}
}

// show prints a secret with its surroundings. It reports whether the secret was found.
func (t *Tool) show(v *volume, s *secret, n, of int, header string) bool {
	t.clear()
	fmt.Fprintf(t.Stdout, "Secret:      %d of %d\nFilename:    %s\nSecret Type: %s\n----------\n", n, of, s.file, s.kind)
	if header != "" {
		fmt.Fprintln(t.Stdout, header)
	}
	raw := v.shelf(t, s.file).raw
	_, _, value := v.find(t, s, false)
	if value == "" || s.line > len(raw) || !strings.Contains(strings.ToLower(raw[s.line-1]), strings.ToLower(value)) {
		fmt.Fprintf(t.Stdout, "ERROR: Secret not found on line %d!\nTry recreating your baseline to fix this issue.\n----------\n", s.line)
		return false
	}
	const around = 5
	for i := max(0, s.line-1-around); i < min(len(raw), s.line+around); i++ {
		fmt.Fprintf(t.Stdout, "%d:%s\n", i+1, raw[i])
	}
	fmt.Fprintln(t.Stdout, "----------")
	return true
}

// ask wants one of the letters of the options; the end of the input is q.
func (t *Tool) ask(label, back bool) byte {
	options, question := []string{"(s)kip"}, "What would you like to do?"
	if label {
		options, question = []string{"(y)es", "(n)o", "(s)kip"}, "Should this string be committed to the repository?"
	}
	if back {
		options = append(options, "(b)ack")
	}
	options = append(options, "(q)uit")
	if t.in == nil {
		t.in = bufio.NewReader(t.Stdin)
	}
	for {
		fmt.Fprintf(t.Stdout, "%s %s: ", question, strings.Join(options, ", "))
		line, err := t.in.ReadString('\n')
		line = strings.ToLower(strings.TrimRight(line, "\r\n"))
		if line != "" && slices.ContainsFunc(options, func(o string) bool { return o[1] == line[0] }) {
			return line[0]
		}
		if err != nil {
			return 'q'
		}
		if line != "" {
			fmt.Fprintln(t.Stdout, "Invalid input.")
		}
	}
}

const noLines = "ERROR: No line numbers found in baseline! Line numbers are needed for auditing secret occurrences. Try recreating your baseline to fix this issue."

// label asks about each secret that nobody has judged yet.
func (t *Tool) label(v *volume) error {
	v.secrets.trimMissing(t.exists)
	todo := slices.DeleteFunc(v.secrets.sorted(), func(s *secret) bool { return s.label != nil })
	if len(todo) == 0 {
		return t.print("Nothing to audit!")
	}
	changed := false
	for i := 0; i >= 0 && i < len(todo); {
		s := todo[i]
		if s.line == 0 {
			fmt.Fprintln(t.Stderr, noLines)
			break
		}
		found := t.show(v, s, i+1, len(todo), "")
		answer := t.ask(found, i > 0)
		yes, no := false, true
		switch answer {
		case 'q':
			fmt.Fprintln(t.Stdout, "Quitting...")
			i = len(todo)
		case 'b':
			i -= 2
		case 'n': // it should not be committed: it is a secret
			s.label, changed = &no, true
		case 'y':
			s.label, changed = &yes, true
		case 's':
			changed = changed || s.label != nil
			s.label = nil
		}
		i++
	}
	if !changed {
		return nil
	}
	if err := t.print("Saving progress..."); err != nil {
		return err
	}
	return save(t.path(v.name), format(v.settings, v.secrets, false, t.Now()))
}

// compare shows what one baseline has and another has not.
func (t *Tool) compare(oldName, newName string) error {
	if oldName == newName {
		fmt.Fprintln(t.Stderr, "This is the same file!")
		return nil
	}
	before, err := t.open(oldName)
	if err != nil {
		return err
	}
	after, err := t.open(newName)
	if err != nil {
		return err
	}
	type change struct {
		v      *volume
		s      *secret
		status string
	}
	var changes []change
	for _, side := range []struct {
		v, other *volume
		status   string
	}{{before, after, "REMOVED"}, {after, before, "ADDED"}} {
		side.v.secrets.trimMissing(t.exists)
		side.other.secrets.trimMissing(t.exists)
		for _, s := range side.v.secrets.sorted() {
			if s.line == 0 {
				fmt.Fprintln(t.Stderr, noLines)
				return nil
			}
			same := slices.ContainsFunc(side.other.secrets.sorted(), func(o *secret) bool { return o.file == s.file && o.hash == s.hash && o.line == s.line })
			if !same {
				changes = append(changes, change{side.v, s, side.status})
			}
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.s.file, b.s.file), cmp.Compare(a.s.line, b.s.line), cmp.Compare(a.s.hash, b.s.hash))
	})
	for i := 0; i >= 0 && i < len(changes); i++ {
		c := changes[i]
		t.show(c.v, c.s, i+1, len(changes), "Status:      >> "+c.status+" <<")
		switch t.ask(false, i > 0) {
		case 'q':
			return t.print("Quitting...")
		case 'b':
			i -= 2
		}
	}
	return nil
}

// tally counts the labels of one detector.
type tally struct {
	name                 string
	right, wrong, unsure int
}

func ratio(a, b int) number {
	if b == 0 {
		return float(0)
	}
	const places = 10_000
	return float(math.RoundToEven(float64(a)/float64(b)*places) / places)
}

func (c tally) precision() number {
	if c.right == 0 || c.wrong == 0 {
		return float(0)
	}
	return ratio(c.right, c.right+c.wrong)
}

func (c tally) recall() number { return ratio(c.right, c.right+c.unsure) }

func (t *Tool) stats(v *volume) error {
	var counts []*tally
	at := map[string]*tally{}
	for _, s := range v.secrets.sorted() {
		c := at[s.kind]
		if c == nil {
			c = &tally{name: s.kind}
			if k := slices.IndexFunc(detectors(), func(d detector) bool { return d.kind == s.kind }); k >= 0 {
				c.name = detectors()[k].name
			}
			at[s.kind] = c
			counts = append(counts, c)
		}
		switch {
		case s.label == nil:
			c.unsure++
		case *s.label:
			c.right++
		default:
			c.wrong++
		}
	}
	if t.args.set["--json"] {
		out := object{}
		for _, c := range counts {
			raw := object{{"true-positives", c.right}, {"false-positives", c.wrong}, {"unknown", c.unsure}}
			out = append(out, member{c.name, object{{"stats", object{{"raw", raw}, {"score", object{{"precision", c.precision()}, {"recall", c.recall()}}}}}}})
		}
		return t.print(encode(out, 2))
	}
	var b strings.Builder
	for _, c := range counts {
		fmt.Fprintf(&b, "Plugin: %s\nStatistics: True Positives: %d, False Positives: %d, Unknown: %d, Precision: %s, Recall: %s\n\n", c.name, c.right, c.wrong, c.unsure, c.precision(), c.recall())
	}
	return t.print(b.String())
}

// report prints the secrets in clear, with all the lines on which they stand.
func (t *Tool) report(v *volume) error {
	type entry struct {
		category int
		file     string
		value    string
		lines    map[int]string
		kinds    []string
	}
	categories := [...]string{"", "VERIFIED_FALSE", "UNVERIFIED", "VERIFIED_TRUE"}
	var entries []*entry
	at := map[[2]string]*entry{}
	for _, s := range v.secrets.sorted() {
		category := 2
		if s.label != nil {
			category = 1
			if *s.label {
				category = 3
			}
		}
		if t.args.set["--only-real"] && category == 1 || t.args.set["--only-false"] && category != 1 {
			continue
		}
		numbers, lines, value := v.find(t, s, true)
		if len(numbers) == 0 {
			continue
		}
		key := [2]string{s.hash, s.file}
		e := at[key]
		if e == nil {
			e = &entry{category: category, file: s.file, value: value, lines: map[int]string{}}
			at[key] = e
			entries = append(entries, e)
		}
		e.category = max(e.category, category)
		if !slices.Contains(e.kinds, s.kind) {
			e.kinds = append(e.kinds, s.kind)
		}
		for i, n := range numbers {
			e.lines[n] = lines[i]
		}
	}
	results := list{}
	for _, e := range entries {
		var numbers []int
		for n := range e.lines {
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		lines, kinds := object{}, list{}
		for _, n := range numbers {
			lines = append(lines, member{fmt.Sprint(n), e.lines[n]})
		}
		for _, k := range e.kinds {
			kinds = append(kinds, k)
		}
		results = append(results, object{{"category", categories[e.category]}, {"filename", e.file}, {"lines", lines}, {"secrets", e.value}, {"types", kinds}})
	}
	return t.print(encode(object{{"results", results}}, 4))
}
