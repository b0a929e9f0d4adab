package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keephold/keephold/internal/dotenv"
)

func envParseCommand(env Env, o *options) *cobra.Command {
	var dialect string
	var literal, lenient bool
	c := &cobra.Command{
		Use:   "parse FILE|-",
		Short: "print what a parser would see in a .env file",
		Long: `Print what a parser would see in a .env file. With --json that is an object of names to values, null for a name without
a value. References are resolved in the environment of this command, as the parser would. Nothing is ever executed. A
line that the parser rejects is an error with its place.`,
		Example: "  keephold env parse .env --dialect node --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			vars, err := env.parseFile(args[0], dialect, literal, lenient)
			if err != nil {
				return err
			}
			return env.printVariables(o, vars)
		},
	}
	f := c.Flags()
	f.StringVar(&dialect, "dialect", string(dotenv.PythonDotenv), "the parser: "+dialectNames())
	f.BoolVar(&literal, "no-interpolate", false, "leave references as they are written")
	f.BoolVar(&lenient, "lenient", false, "go on after a rejected line where the parser does")
	return c
}

func dialectNames() string {
	text := ""
	for i, d := range dotenv.Dialects() {
		if i > 0 {
			text += ", "
		}
		text += string(d)
	}
	return text
}

func (env Env) parseFile(name, dialect string, literal, lenient bool) ([]dotenv.Variable, error) {
	d, err := dotenv.ParseDialect(dialect)
	if err != nil {
		return nil, usagef("%w", err)
	}
	text, err := env.fileOrStdin(name)
	if err != nil {
		return nil, err
	}
	f, rejected, err := dotenv.ParseLenient(d, text)
	if err == nil && !lenient && len(rejected) > 0 {
		err = rejected[0]
	}
	if err != nil {
		return nil, parseFault(name, err)
	}
	for _, e := range rejected {
		e.File = name
		env.talk("keephold: warning: %v", e)
	}
	vars, err := f.Values(dotenv.Reading{Env: os.LookupEnv, Literal: literal})
	if err != nil {
		return nil, parseFault(name, err)
	}
	return vars, nil
}

func (env Env) fileOrStdin(name string) ([]byte, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(env.awake())
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, failf(exitIO, "%w", err)
	}
	return b, nil
}

// parseFault is syntaxFault for a command that stores nothing anyway.
func parseFault(name string, err error) error {
	var e *dotenv.SyntaxError
	ok := errors.As(err, &e)
	if !ok {
		return failf(exitBadData, "%s: %w", name, err)
	}
	e.File = name
	return failf(exitBadData, "%w\n%s", e, e.Caret()).withHint("%s", e.Hint())
}

// printVariables prints the object itself, with nothing added: what a parser saw is the whole answer.
func (env Env) printVariables(o *options, vars []dotenv.Variable) error {
	if o.json {
		all := make(map[string]*string, len(vars))
		for i := range vars {
			all[vars[i].Name] = &vars[i].Value
			if vars[i].Null {
				all[vars[i].Name] = nil
			}
		}
		e := json.NewEncoder(env.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return env.wrote(e.Encode(all))
	}
	text := ""
	for _, v := range vars {
		if v.Null {
			text += v.Name + "\n"
			continue
		}
		text += v.Name + " = " + strconv.Quote(v.Value) + "\n"
	}
	return env.print(text)
}
