package cli

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the documents that are made from the commands")

// Every exit code of the source has its row in the document, and the other way round.
func TestExitCodesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{"0": true}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "exit") {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				codes[lit.Value] = true
			}
		}
		return true
	})
	if len(codes) < 15 {
		t.Fatalf("found only %d codes in exit.go", len(codes))
	}
	rows := map[string]bool{}
	for _, line := range strings.Split(string(doc), "\n") {
		var code int
		if _, err := fmt.Sscanf(line, "| %d |", &code); err == nil {
			rows[fmt.Sprint(code)] = true
		}
	}
	for code := range codes {
		if !rows[code] {
			t.Errorf("docs/exit-codes.md has no row for %s", code)
		}
	}
	for code := range rows {
		if !codes[code] {
			t.Errorf("docs/exit-codes.md: no command ends with %s", code)
		}
	}
}

// docs/commands.md is what --help says, on one page: go test ./internal/cli -run CommandsDoc -update
func TestCommandsDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nWritten from the commands themselves; do not edit. `keephold COMMAND --help` says the same.\n")
	root := rootCommand(Env{Stdout: &b, Stderr: &b, Getenv: func(string) string { return "" }}, new(options), new(output), nil)
	fmt.Fprintf(&b, "\nFlags of every command:\n\n```\n%s```\n", root.PersistentFlags().FlagUsages())
	for _, c := range root.Commands() {
		describe(&b, c)
	}
	const path = "../../docs/commands.md"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is old (%v): go test ./internal/cli -run CommandsDoc -update", path, err)
	}
}

func describe(b *bytes.Buffer, c *cobra.Command) {
	if !c.IsAvailableCommand() || c.Name() == "help" {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n", strings.TrimPrefix(c.CommandPath(), "keephold "))
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(b, "%s\n", text)
	if c.HasAvailableSubCommands() {
		for _, sub := range c.Commands() {
			describe(b, sub)
		}
		return
	}
	fmt.Fprintf(b, "\n```\n%s\n", c.UseLine())
	if c.HasExample() {
		fmt.Fprintf(b, "\n%s\n", c.Example)
	}
	if flags := c.LocalFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(b, "\n%s", flags)
	}
	b.WriteString("```\n")
}

// Each command says what it does, in the style of the house.
func TestEveryCommandIsDescribed(t *testing.T) {
	root := rootCommand(Env{Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer), Getenv: func(string) string { return "" }}, new(options), new(output), nil)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short %q, want a line without a full stop", c.CommandPath(), c.Short)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}
