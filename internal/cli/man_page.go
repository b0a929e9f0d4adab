package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A manual page is written with the macros of man(7). The parser's own writer goes by way of Markdown, and the compiled
// expressions of that made every process of ours start a tenth later.

// pageName is what a command's page is called, as git has it: keephold-env-new.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func writePage(w *bytes.Buffer, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	name := pageName(c)
	fmt.Fprintf(w, ".TH %q \"1\" \"\" \"keephold\" \"Keephold\"\n", strings.ToUpper(name))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(name), roff(c.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n\\fB%s\\fP\n", roff(c.UseLine()))
	about := c.Long
	if about == "" {
		about = c.Short
	}
	w.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(strings.TrimSpace(about), "\n\n") {
		if i > 0 {
			w.WriteString(".PP\n")
		}
		w.WriteString(roff(paragraph) + "\n")
	}
	writeFlags(w, "OPTIONS", c.NonInheritedFlags())
	writeFlags(w, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.Example != "" {
		fmt.Fprintf(w, ".SH EXAMPLES\n.EX\n%s\n.EE\n", roff(c.Example))
	}
	writeSeeAlso(w, c)
}

func writeFlags(w *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(w, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		w.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(w, "\\fB\\-%s\\fP, ", f.Shorthand)
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(w, "\\fB\\-\\-%s\\fP", roff(f.Name))
		if value != "" {
			fmt.Fprintf(w, " \\fI%s\\fP", roff(value))
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (" + f.DefValue + " if it is left out)"
		}
		w.WriteString("\n" + roff(usage) + "\n")
	})
}

func writeSeeAlso(w *bytes.Buffer, c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, pageName(c.Parent()))
	}
	for _, child := range c.Commands() {
		if isListed(child) {
			names = append(names, pageName(child))
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	fmt.Fprintf(w, ".SH SEE ALSO\n\\fB%s\\fP(1)\n", strings.Join(strings.Fields(roff(strings.Join(names, " "))), "\\fP(1), \\fB"))
}

// roff escapes text for man(7): a backslash, the hyphens that are typed as they stand, and marks that would begin a
// request at the start of a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
