package cli

import (
	"bytes"
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func testRoot(args ...string) *cobra.Command {
	return rootCommand(Env{Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer), Getenv: func(string) string { return "" }}, new(options), new(output), args)
}

// TestCommandTable: the names of the table are the commands' own, each once; a command that is asked for by name is made
// alone, as it is among the others.
func TestCommandTable(t *testing.T) {
	var names []string
	for _, row := range commands() {
		c := row.make(Env{}, new(options))
		if c.Name() != row.name || slices.Contains(names, row.name) {
			t.Errorf("%q makes the command %q", row.name, c.Name())
		}
		names = append(names, row.name)
	}
	all := testRoot()
	for _, name := range names {
		root := testRoot(name, "--json")
		c, _, err := root.Find([]string{name})
		among, _, _ := all.Find([]string{name})
		if err != nil || c.UsageString() != among.UsageString() {
			t.Errorf("%s alone: %v\n%s", name, err, c.UsageString())
		}
		if alone := len(root.Commands()) == 1; alone != (name != "man") {
			t.Errorf("%s: %d commands were made", name, len(root.Commands()))
		}
	}
	for _, line := range [][]string{{}, {"--json", "get"}, {"gett"}, {"help", "get"}, {cobra.ShellCompRequestCmd, "get"}, {cobra.ShellCompRequestCmd, ""}} {
		if n := len(testRoot(line...).Commands()); n != len(names) {
			t.Errorf("%q makes %d commands of %d", line, n, len(names))
		}
	}
	if n := len(testRoot(cobra.ShellCompRequestCmd, "get", "").Commands()); n != 1 {
		t.Errorf("completing an argument makes %d commands", n)
	}
}
