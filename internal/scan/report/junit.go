package report

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"

	"github.com/keephold/keephold/internal/scan"
)

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	File    *string       `xml:"file,attr"`
	Line    int           `xml:"line,attr,omitempty"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure"`
	Error   *junitFailure `xml:"error"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Data    string `xml:",chardata"`
}

type junitSuite struct {
	Failures string      `xml:"failures,attr"`
	Name     string      `xml:"name,attr"`
	Tests    string      `xml:"tests,attr"`
	Time     string      `xml:"time,attr"`
	Errors   string      `xml:"errors,attr,omitempty"`
	Cases    []junitCase `xml:"testcase"`
}

type junitSuites struct {
	XMLName xml.Name   `xml:"testsuites"`
	Suite   junitSuite `xml:"testsuite"`
}

// junit says more than the peer's: what was not looked at is an error. Times are numbers, and nothing is there and empty, as
// readers want it.
func junit(w io.Writer, r scan.Report, o Options) error {
	s, err := junitOf(r, o, "keephold", "0")
	if err != nil {
		return err
	}
	for i, f := range r.Findings {
		c := &s.Cases[i]
		c.Class = cmp.Or(c.Class, f.Rule)
		c.Failure.Type = c.Class
		c.File, c.Line = named(f.Path), f.Line
	}
	for _, k := range r.Coverage.Skipped {
		text := fmt.Sprintf("not scanned: %d × %s", k.Count, k.Why)
		s.Cases = append(s.Cases, junitCase{Class: "coverage", File: named(k.Example), Name: text, Time: "0", Error: &junitFailure{text, "incomplete", k.Example}})
	}
	s.Tests, s.Errors = strconv.Itoa(len(s.Cases)), strconv.Itoa(len(r.Coverage.Skipped))
	return s.write(w)
}

// named is nil when there is no name.
func named(path string) *string {
	if path == "" {
		return nil
	}
	return &path
}

func gitleaksJUnit(w io.Writer, r scan.Report, o Options) error {
	s, err := junitOf(r, o, "gitleaks", "")
	if err != nil {
		return err
	}
	return s.write(w)
}

func junitOf(r scan.Report, o Options, name, time string) (junitSuite, error) {
	n := strconv.Itoa(len(r.Findings))
	s := junitSuite{Failures: n, Name: name, Tests: n, Time: time}
	for _, f := range r.Findings {
		name := fmt.Sprintf("%s has detected a secret in file %s, line %d", f.Rule, f.Path, f.Line)
		if f.Commit != "" {
			name += ", at commit " + f.Commit
		}
		data, err := json.MarshalIndent(peer(f, o), "", "\t")
		if err != nil {
			return s, err
		}
		s.Cases = append(s.Cases, junitCase{Class: f.Description, File: &f.Path, Name: name + ".", Time: time, Failure: &junitFailure{name + ".", f.Description, string(data)}})
	}
	return s, nil
}

func (s junitSuite) write(w io.Writer) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "\t")
	return e.Encode(junitSuites{Suite: s})
}
