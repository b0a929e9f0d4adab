package settings

import (
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

// Words says whose reading of a value counts. The libraries differ in what they take for a bool, a number and a list.
type Words uint8

const (
	AnyWords      Words = iota // what decouple or pydantic accepts
	DecoupleWords              // python-decouple: bool() by words, int() and float() of Python, Csv
	PydanticWords              // pydantic-settings: pydantic's own parsers, JSON for lists
)

// ParseBool reads a bool as the library would. They agree on the words; decouple also takes an empty value for false.
func ParseBool(v string, words Words) (bool, error) {
	switch strings.ToLower(v) {
	case "y", "yes", "t", "true", "on", "1":
		return true, nil
	case "n", "no", "f", "false", "off", "0":
		return false, nil
	case "":
		if words == DecoupleWords {
			return false, nil
		}
	}
	return false, invalid("not a bool: one of true, false, yes, no, on, off, 1, 0")
}

// misfit is what a value's type says of it. It is secret.ErrInvalid, without saying so to the reader.
type misfit string

func (m misfit) Error() string      { return string(m) }
func (m misfit) Is(kind error) bool { return kind == secret.ErrInvalid }

func invalid(format string, args ...any) error { return misfit(fmt.Sprintf(format, args...)) }

// Check judges one value. The error says what was expected, never what was found.
func (s *Setting) Check(v string, words Words) error {
	if strings.Contains(v, "\x00") {
		return invalid("it holds a NUL, which no environment can carry")
	}
	if err := checkType(s.TypeOrString(), v, words); err != nil {
		return err
	}
	if len(s.Choices) > 0 && !slices.Contains(s.Choices, v) {
		return invalid("not one of %s", strings.Join(s.Choices, ", "))
	}
	if s.Pattern != "" {
		re, err := regexp.Compile(`\A(?:` + s.Pattern + `)\z`)
		if err != nil {
			return invalid("the pattern does not compile")
		}
		if !re.MatchString(v) {
			return invalid("does not match the pattern %s", s.Pattern)
		}
	}
	return nil
}

func checkType(t Type, v string, words Words) error {
	switch t {
	case Int:
		if !isPythonInt(v, words) {
			return invalid("not a whole number")
		}
	case Float:
		if !isPythonFloat(v) {
			return invalid("not a number")
		}
	case Bool:
		_, err := ParseBool(v, words)
		return err
	case URL:
		return checkURL(v)
	case Email:
		return checkEmail(v)
	case Port:
		if n, err := strconv.Atoi(v); err != nil || n < 1 || n > 65535 {
			return invalid("not a port from 1 to 65535")
		}
	case IP:
		if _, err := netip.ParseAddr(v); err != nil {
			return invalid("not an IP address")
		}
	case Duration:
		if !isDuration(v, words) {
			return invalid("not a duration such as 15m, PT15M or 00:15:00")
		}
	case Path:
		if strings.TrimSpace(v) == "" {
			return invalid("not a path")
		}
	case JSON:
		if !isJSON(v, 0) {
			return invalid("not JSON")
		}
	case List:
		if words == PydanticWords && !isJSON(v, '[') {
			return invalid(`not a JSON list such as ["a", "b"], which pydantic wants`)
		}
	case PEM:
		if block, _ := pem.Decode([]byte(v)); block == nil {
			return invalid("no PEM block; line feeds must be real ones")
		}
	}
	return nil
}

// pythonDigits trims and drops single underscores between digits, as int() and float() do.
func pythonDigits(v string) (string, bool) {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "_") || strings.HasSuffix(v, "_") || strings.Contains(v, "__") {
		return "", false
	}
	for i := 1; i+1 < len(v); i++ {
		if v[i] == '_' && !(isDigit(v[i-1]) && isDigit(v[i+1])) {
			return "", false
		}
	}
	return strings.ReplaceAll(v, "_", ""), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isPythonInt(v string, words Words) bool {
	d, ok := pythonDigits(v)
	if !ok {
		return false
	}
	if words != DecoupleWords { // pydantic takes 1.0 for 1
		if whole, zeros, dot := strings.Cut(d, "."); dot && zeros != "" && strings.Trim(zeros, "0") == "" {
			d = whole
		}
	}
	d = strings.TrimPrefix(strings.TrimPrefix(d, "+"), "-")
	return d != "" && strings.Trim(d, "0123456789") == ""
}

func isPythonFloat(v string) bool {
	d, ok := pythonDigits(v)
	if !ok || strings.ContainsAny(d, "xXpP") { // Go knows hexadecimal floats, Python's float() does not
		return false
	}
	_, err := strconv.ParseFloat(d, 64)
	return err == nil || strings.Contains(err.Error(), "out of range")
}

func checkURL(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil: // the error of url.Parse would show the value
		return invalid("not a URL")
	case u.Scheme == "":
		return invalid("not a URL: no scheme such as https://")
	case u.Host == "" && u.Opaque == "" && u.Path == "":
		return invalid("not a URL: nothing follows the scheme")
	case !strings.Contains(v, "://"):
		return invalid("not a URL: :// does not follow the scheme")
	}
	return nil
}

func checkEmail(v string) error {
	user, host, ok := strings.Cut(v, "@")
	if !ok || user == "" || strings.Contains(host, "@") || strings.ContainsAny(v, " \t\r\n<>(),;:\"") ||
		strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || !strings.Contains(host, ".") {
		return invalid("not an e-mail address")
	}
	return nil
}

// isoDuration and clockDuration are the two forms that pydantic takes for a timedelta.
var (
	isoDuration = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[+-]?P(\d+(\.\d+)?Y)?(\d+(\.\d+)?M)?(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?(T(\d+(\.\d+)?H)?(\d+(\.\d+)?M)?(\d+(\.\d+)?S)?)?$`)
	})
	clockDuration = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[+-]?((\d+) ?d(ays?)?)?,? ?((\d{1,2}):(\d{2})(:(\d{2})(\.\d+)?)?)?$`)
	})
)

func isDuration(v string, words Words) bool {
	if v == "" {
		return false
	}
	if isoDuration().MatchString(v) && strings.ContainsAny(v, "0123456789") && !strings.HasSuffix(v, "T") {
		return true
	}
	if clockDuration().MatchString(v) && strings.ContainsAny(v, "0123456789") {
		return true
	}
	if words == PydanticWords {
		return false
	}
	if _, err := time.ParseDuration(v); err == nil {
		return true
	}
	return isPythonFloat(v) // seconds
}
