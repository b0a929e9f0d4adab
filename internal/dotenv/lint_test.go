package dotenv_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/dotenv"
)

func TestLint(t *testing.T) {
	for _, c := range []struct {
		name, src string
		linting   dotenv.Linting
		want      []string // code:line:key
	}{
		{"nothing", "# c\nA=1\nB='x y'\n", dotenv.Linting{Dialect: dotenv.PythonDotenv}, nil},
		{"unterminated", "A=\"b\nB=1\n", dotenv.Linting{Dialect: dotenv.PythonDotenv}, []string{"unterminated:1:"}},
		{"unterminated in compose", "B=1\nA=\"b\n", dotenv.Linting{Dialect: dotenv.Compose}, []string{"unterminated:2:"}},
		{"bom", "\ufeffA=1\n", dotenv.Linting{Dialect: dotenv.Decouple}, []string{"bom:1:"}},
		{"bom is no matter", "\ufeffA=1\n", dotenv.Linting{Dialect: dotenv.PythonDotenv}, nil},
		{"hash", "A=pa#ss\nB=pa ss #c\nC='a#b'\nD=#x\n", dotenv.Linting{Dialect: dotenv.PythonDotenv},
			[]string{"hash-without-space:1:A", "hash-without-space:4:D"}},
		{"dollar", "A=a$b\nB='a$b'\nC=$5\nD=\"${X}\"\n", dotenv.Linting{Dialect: dotenv.PythonDotenv},
			[]string{"dollar-expands:1:A", "dollar-expands:4:D"}},
		{"default", "A=${X:-d}\n", dotenv.Linting{Dialect: dotenv.Compose}, []string{"default-on-empty:1:A", "dollar-expands:1:A"}},
		{"crlf", "A=\"x\r\ny\"\r\n", dotenv.Linting{Dialect: dotenv.PythonDotenv}, []string{"crlf-in-value:1:A"}},
		{"single quotes", "A='${X}'\n", dotenv.Linting{Dialect: dotenv.PythonDotenv}, []string{"single-quote-expands:1:A"}},
		{"duplicate", "A=1\nB=1\nA=2\n", dotenv.Linting{Dialect: dotenv.PythonDotenv}, []string{"duplicate:3:A"}},
		{"command", "A=$(id)\nB=\"`id`\"\n", dotenv.Linting{Dialect: dotenv.PythonDotenv},
			[]string{"command-substitution:1:A", "command-substitution:2:B"}},
		{"parent", "A=1\n", dotenv.Linting{Dialect: dotenv.PythonDotenv, FoundAbove: true}, []string{"parent-directory:1:"}},
		{"skipped", "A=1\nnonsense\n", dotenv.Linting{Dialect: dotenv.Node}, []string{"skipped-line:2:"}},
		{"export", "export A=1\n", dotenv.Linting{Dialect: dotenv.PythonDotenv, Others: []dotenv.Dialect{dotenv.Decouple}},
			[]string{"export-in-name:1:A"}},
		{"comment", "A=1 # c\n", dotenv.Linting{Dialect: dotenv.PythonDotenv, Others: []dotenv.Dialect{dotenv.Decouple}},
			[]string{"comment-in-value:1:A"}},
		{"disagreement", "A=a\\nb\n", dotenv.Linting{Dialect: dotenv.PythonDotenv, Others: []dotenv.Dialect{dotenv.SOPS}},
			[]string{"disagreement:1:A"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range dotenv.Lint([]byte(c.src), c.linting) {
				got = append(got, string(f.Code)+":"+string(rune('0'+f.Line))+":"+f.Key)
				if f.Message == "" || f.Fix == "" || f.Column < 1 {
					t.Errorf("%s has no message, fix or place", f.Code)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestErrorsShowNoValue(t *testing.T) {
	for _, c := range []struct {
		dialect dotenv.Dialect
		src     string
		caret   string
	}{
		{dotenv.Compose, "A=1\nPASSWORD=\"hunter2\n", "PASSWORD=\"•••••••\n         ^"},
		{dotenv.PythonDotenv, "hunter2 secret\n", "••••••• ••••••\n        ^"},
		{dotenv.POSIX, "TOKEN=abc$(id)\n", "TOKEN=•••$(••)\n         ^"},
	} {
		_, err := dotenv.Parse(c.dialect, []byte(c.src))
		var e *dotenv.SyntaxError
		ok := errors.As(err, &e)
		if !ok {
			t.Fatalf("%q: got %v", c.src, err)
		}
		e.File = ".env"
		if e.Caret() != c.caret {
			t.Errorf("got %q, want %q", e.Caret(), c.caret)
		}
		if e.Fix == "" || !strings.HasPrefix(e.Error(), ".env:") || strings.Contains(e.Error()+e.Caret()+e.Fix, "hunter2") {
			t.Errorf("got %q", e.Error())
		}
	}
}
