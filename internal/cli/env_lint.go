package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/inspect"
)

func envLintCommand(env Env, o *options) *cobra.Command {
	var dialect string
	var also []string
	c := &cobra.Command{
		Use:   "lint [FILE...]",
		Short: "say what is wrong with a .env file, and who reads it differently",
		Long: `Say what is wrong with a .env file, and which other parsers read it differently; never a value. The parser is the one
that the project's code uses. Without a file it is .env here, or the one above that a parser would find. Exits with 10
when there is an error, 0 when there are only warnings.`,
		Args:    cobra.ArbitraryArgs,
		Example: "  keephold env lint\n  keephold env lint .env --dialect compose --also node",
		RunE: func(cmd *cobra.Command, args []string) error {
			linting, err := lintingFor(cmd.Context(), dialect, also)
			if err != nil {
				return err
			}
			return env.lint(o, linting, args)
		},
	}
	f := c.Flags()
	f.StringVar(&dialect, "dialect", "", "the parser that reads the file: "+dialectNames())
	f.StringSliceVar(&also, "also", nil, "further parsers that read it")
	return c
}

func lintingFor(ctx context.Context, dialect string, also []string) (l dotenv.Linting, err error) {
	found := []dotenv.Dialect{dotenv.PythonDotenv}
	if dialect == "" {
		if found, err = projectDialects(ctx); err != nil {
			return l, err
		}
	} else {
		found[0] = dotenv.Dialect(dialect)
	}
	for _, name := range also {
		found = append(found, dotenv.Dialect(name))
	}
	for _, d := range found {
		if _, err := dotenv.ParseDialect(string(d)); err != nil {
			return l, usagef("%w", err)
		}
	}
	return dotenv.Linting{Dialect: found[0], Others: found[1:]}, nil
}

// projectDialects are the parsers that the code here uses, the first one found first.
func projectDialects(ctx context.Context) ([]dotenv.Dialect, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	report, err := inspect.Tree(ctx, os.DirFS(wd))
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	var out []dotenv.Dialect
	add := func(d dotenv.Dialect) {
		if d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	byLoader := map[string]dotenv.Dialect{"python-dotenv": dotenv.PythonDotenv, "pydantic-settings": dotenv.PythonDotenv, "dotenv": dotenv.Node,
		"godotenv": dotenv.Godotenv}
	for _, d := range report.Dotenv {
		add(byLoader[d.Loader])
	}
	for _, s := range report.Settings {
		if s.Reader == inspect.Decouple {
			add(dotenv.Decouple)
		}
	}
	for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"} {
		if _, err := os.Stat(filepath.Join(wd, name)); err == nil {
			add(dotenv.Compose)
		}
	}
	if len(out) == 0 {
		out = append(out, dotenv.PythonDotenv)
	}
	return out, nil
}

// fileFinding is a finding with the file that it is in.
type fileFinding struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Name     string `json:"name,omitempty"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`
}

func (env Env) lint(o *options, l dotenv.Linting, files []string) error {
	if len(files) == 0 {
		file, above, err := nearestDotenv()
		if err != nil {
			return err
		}
		files, l.FoundAbove = []string{file}, above
	}
	all := []fileFinding{}
	failed := false
	for _, file := range files {
		text, err := env.fileOrStdin(file)
		if err != nil {
			return err
		}
		for _, f := range dotenv.Lint(text, l) {
			failed = failed || f.Severity == dotenv.Error
			all = append(all, fileFinding{file, f.Line, f.Column, string(f.Code), string(f.Severity), f.Key, f.Message, f.Fix})
		}
	}
	if err := env.printLint(o, l, all); err != nil {
		return err
	}
	if failed {
		return silent(exitFindings)
	}
	return nil
}

func (env Env) printLint(o *options, l dotenv.Linting, all []fileFinding) error {
	if o.json {
		return env.printJSON(map[string]any{"dialect": l.Dialect, "also": l.Others, "findings": all})
	}
	text := ""
	for _, f := range all {
		name := ""
		if f.Name != "" {
			name = f.Name + ": "
		}
		text += fmt.Sprintf("%s:%d:%d: %s: %s%s [%s]\n    fix:  %s\n", f.File, f.Line, f.Column, f.Severity, name, f.Message, f.Code, f.Fix)
	}
	return env.print(text)
}

// nearestDotenv finds .env as a parser that walks upwards would, but not beyond the root of the git repository.
func nearestDotenv() (file string, above bool, err error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", false, failf(exitIO, "%w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		file := filepath.Join(dir, ".env")
		if _, err := os.Stat(file); err == nil {
			if dir == wd {
				return ".env", false, nil
			}
			return file, true, nil
		}
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil || dir == filepath.Dir(dir) {
			return "", false, failf(exitNotFound, "no .env here or above, up to the root of the git repository").withHint("keephold env lint FILE")
		}
	}
}
