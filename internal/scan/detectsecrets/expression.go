package detectsecrets

import (
	"fmt"
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
)

// matcher reports that an expression of a user is found in a text.
type matcher func(text string) bool

// userExpression compiles an expression as Python writes it. Most are also Go's; those that look around or refer back
// run on a backtracking engine with a bound in time, after which a text counts as not matched: it is rather reported.
func userExpression(text string) (matcher, error) {
	if re, err := regexp.Compile(text); err == nil {
		return re.MatchString, nil
	}
	re, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	re.MatchTimeout = time.Second
	return func(s string) bool {
		ok, err := re.MatchString(s)
		return ok && err == nil
	}, nil
}

func userExpressions(texts []string) ([]matcher, error) {
	var out []matcher
	for _, t := range texts {
		m, err := userExpression(t)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
