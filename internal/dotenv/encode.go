package dotenv

import (
	"fmt"
	"slices"
	"strings"
)

// RefusedError says that a value cannot be written so that all the dialects asked for read it back.
type RefusedError struct {
	Key      string
	Disagree []Dialect // who would read something else in the form that most agree on
	Reason   string    // set when no dialect could
}

func (e *RefusedError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("%s cannot be written to a .env file: %s", e.Key, e.Reason)
	}
	names := make([]string, len(e.Disagree))
	for i, d := range e.Disagree {
		names[i] = string(d)
	}
	return fmt.Sprintf("%s cannot be written so that all read the same value: %s would disagree",
		e.Key, strings.Join(names, ", "))
}

// Hint is the way out.
func (e *RefusedError) Hint() string {
	return "choose fewer dialects, pass the value as a file, or encode it (base64)"
}

// Encode returns what to write behind KEY= so that every one of the dialects reads value back, whatever stands in the
// environment or elsewhere in the file. The error is a *RefusedError.
func Encode(key, value string, dialects ...Dialect) (string, error) {
	return encode(key, value, 0, dialects)
}

// encode prefers the quote that is in use already.
func encode(key, value string, quote byte, dialects []Dialect) (string, error) {
	if strings.Contains(value, "\x00") {
		return "", &RefusedError{Key: key, Reason: "it holds a NUL, which no environment can carry"}
	}
	if len(dialects) == 0 {
		return "", &RefusedError{Key: key, Reason: "no dialect was chosen"}
	}
	forms := candidates(value)
	if quote != 0 {
		slices.SortStableFunc(forms, func(a, b string) int { return rank(a, quote) - rank(b, quote) })
	}
	best, fewest := "", len(dialects)+1
	for _, form := range forms {
		n := 0 // the quick look sorts out most forms that will not do
		for _, d := range dialects {
			if !reads(d, key, form, value, "", Env(nil)) {
				n++
			}
		}
		if n == 0 {
			if n = len(dissenters(key, form, value, dialects)); n == 0 {
				return form, nil
			}
		}
		if n < fewest {
			best, fewest = form, n
		}
	}
	return "", &RefusedError{Key: key, Disagree: dissenters(key, best, value, dialects)}
}

// dissenters lists the dialects that do not read a form back.
func dissenters(key, form, value string, dialects []Dialect) (out []Dialect) {
	for _, d := range dialects {
		if !readsBack(d, key, form, value) {
			out = append(out, d)
		}
	}
	return out
}

func rank(form string, quote byte) int {
	if form != "" && form[0] == quote {
		return 0
	}
	return 1
}

// candidates are the forms to try, plainest first.
func candidates(value string) []string {
	var out []string
	if isBare(value) {
		out = append(out, value)
	}
	if !strings.ContainsAny(value, "'$\\\r\n") {
		out = append(out, "'"+value+"'")
	}
	lines := strings.NewReplacer("\n", `\n`, "\r", `\r`)
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`)
	dollars := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "$", `\$`)
	return append(out,
		`"`+lines.Replace(value)+`"`,
		`"`+escaped.Replace(value)+`"`,
		`"`+dollars.Replace(value)+`"`,
		"'"+value+"'",
		`"`+value+`"`,
		`"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace(value)+`"`, // bash: a line feed as it is
		"`"+value+"`",
		"'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)+"'",
		"'"+strings.ReplaceAll(value, "'", `'\''`)+"'",
		value,
		strings.ReplaceAll(value, "\n", `\n`),
		strings.ReplaceAll(value, "$", `\$`),
		strings.ReplaceAll(value, "%", "%%"),
	)
}

func isBare(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_./:@%+=,-", c) >= 0) {
			return false
		}
	}
	return true
}

// readsBack tries a form between other lines, since a quote in it may pair with one further down, in an environment
// where nothing is set and in one where every name is.
func readsBack(d Dialect, key, form, value string) bool {
	tails := []string{"", "\n", "\nQ1='q'\n# it's\n", "\nQ2=\"q\"\n# \"q\n", "\n#'\n", "\n#\"\n", "\n#`\n", "\n#\\'\n",
		"\n#\\\"\n", "\n#\\`\n"}
	envs := []Env{nil}
	if strings.ContainsAny(form, "$%~`") {
		envs = append(envs, func(name string) (string, bool) { return "set", name != key })
	}
	for _, tail := range tails {
		if !reads(d, key, form, value, tail, envs...) {
			return false
		}
	}
	return true
}

// reads tries a form before one tail; without an environment, in one where nothing is set.
func reads(d Dialect, key, form, value, tail string, envs ...Env) bool {
	if (d == PythonDotenv || d == Godotenv) && (strings.HasSuffix(form, `\"`) || strings.HasSuffix(form, `\'`)) {
		return false // python-dotenv before 1.2.4 and godotenv 1.5 take the last of two backslashes for that of \"
	}
	head := ""
	if d == DecoupleINI {
		head = "[settings]\n"
	}
	f, err := Parse(d, []byte(head+key+"="+form+tail))
	if err != nil || len(f.Skipped()) > 0 {
		return false
	}
	for _, env := range envs {
		vars, err := f.Values(Reading{Env: env})
		if err != nil || len(vars) != strings.Count(tail, "=")+1 || vars[0].Name != key || vars[0].Null || vars[0].Value != value {
			return false
		}
	}
	return true
}

// Write makes a new file of variables that every one of the dialects reads back. A Null variable is written as a bare
// name.
func Write(vars []Variable, dialects ...Dialect) (string, error) {
	var b strings.Builder
	if slices.Contains(dialects, DecoupleINI) {
		b.WriteString("[settings]\n")
	}
	for _, v := range vars {
		if v.Null {
			b.WriteString(v.Name + "\n")
			continue
		}
		form, err := Encode(v.Name, v.Value, dialects...)
		if err != nil {
			return "", err
		}
		b.WriteString(v.Name + "=" + form + "\n")
	}
	return b.String(), nil
}
