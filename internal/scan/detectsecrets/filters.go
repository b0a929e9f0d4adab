package detectsecrets

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// filterRoot is where the peer's filters live; baselines name them by their path in Python.
const filterRoot = "detect_secrets.filters."

// The filters that need more than their name.
const (
	filterVerified    = filterRoot + "common.is_ignored_due_to_verification_policies"
	filterBaseline    = filterRoot + "common.is_baseline_file"
	filterInvalidFile = filterRoot + "common.is_invalid_file"
	filterNonText     = filterRoot + "heuristic.is_non_text_file"
	filterAllowed     = filterRoot + "allowlist.is_line_allowlisted"
	filterLines       = filterRoot + "regex.should_exclude_line"
	filterFiles       = filterRoot + "regex.should_exclude_file"
	filterSecrets     = filterRoot + "regex.should_exclude_secret"
	filterWords       = filterRoot + "wordlist.should_exclude_secret"
)

// defaultFilters run unless they are disabled; the first two are never listed in a baseline.
func defaultFilters() []string {
	return []string{
		filterInvalidFile, filterNonText, filterAllowed,
		filterRoot + "heuristic.is_sequential_string", filterRoot + "heuristic.is_potential_uuid", filterRoot + "heuristic.is_likely_id_string", filterRoot + "heuristic.is_templated_secret",
		filterRoot + "heuristic.is_prefixed_with_dollar_sign", filterRoot + "heuristic.is_indirect_reference", filterRoot + "heuristic.is_lock_file", filterRoot + "heuristic.is_not_alphanumeric_string",
		filterRoot + "heuristic.is_swagger_file",
	}
}

// known reports that a filter of that name exists here.
func known(name string) bool {
	return slices.Contains(append(defaultFilters(), filterVerified, filterBaseline, filterLines, filterFiles, filterSecrets, filterWords), name)
}

// filters is the compiled form of the settings.
type filters struct {
	on                    map[string]bool
	lines, files, secrets []matcher
	words                 []string
	baseline              string
	verified              bool // only what a vendor confirmed, which is nothing: no vendor is ever asked
}

// skipFile reports that a file is not looked at.
func (f *filters) skipFile(name string) bool {
	base := path.Base(name)
	switch {
	case f.on[filterNonText] && slices.Contains(binaryExtensions(), extension(name)),
		f.on[filterBaseline] && base == f.baseline,
		f.on[filterRoot+"heuristic.is_lock_file"] && slices.Contains(lockFiles(), base),
		f.on[filterRoot+"heuristic.is_swagger_file"] && strings.Contains(name, "swagger"):
		return true
	}
	return matchAny(f.files, name)
}

// skipLine reports that nothing in a line counts.
func (f *filters) skipLine(name, line, previous string) bool {
	switch {
	case f.on[filterAllowed] && allowlisted(name, line, previous),
		f.on[filterRoot+"heuristic.is_indirect_reference"] && indirect(line):
		return true
	}
	return matchAny(f.lines, line)
}

// skipSecret reports that a find does not count. rules says that it was found by an expression for a token.
func (f *filters) skipSecret(secret, line string, rules bool) bool {
	switch {
	case f.on[filterRoot+"heuristic.is_sequential_string"] && sequential(secret),
		f.on[filterRoot+"heuristic.is_potential_uuid"] && uuidExpression().MatchString(secret),
		f.on[filterRoot+"heuristic.is_likely_id_string"] && !rules && likelyID(secret, line),
		f.on[filterRoot+"heuristic.is_templated_secret"] && templated(secret),
		f.on[filterRoot+"heuristic.is_prefixed_with_dollar_sign"] && strings.HasPrefix(secret, "$"),
		f.on[filterRoot+"heuristic.is_not_alphanumeric_string"] && !strings.ContainsFunc(secret, isLetter),
		f.on[filterWords] && containsAny(strings.ToLower(secret), f.words):
		return true
	}
	return matchAny(f.secrets, secret)
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func matchAny(list []matcher, text string) bool {
	return slices.ContainsFunc(list, func(m matcher) bool { return m(text) })
}

// sequential reports a string that one reads off a keyboard or a table: abcdef, 123456, ABC…789+/.
func sequential(secret string) bool {
	const letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	up := strings.ToUpper(secret)
	for _, row := range []string{
		letters + letters + digits + "+/", digits + letters + letters + "+/", digits + letters + digits + letters, digits + digits, "0123456789ABCDEFABCDEF0123456789ABCDEFABCDEF", letters + "=/",
	} {
		if strings.Contains(row, up) {
			return true
		}
	}
	return false
}

// These are compiled once, when they are first needed.
var (
	uuidExpression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}`)
	})
	idExpression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)(?:^(?:id|myid|userid)|_id)s?[^a-z0-9]`)
	})
	indirectExpression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?::=?|[!=]{1,3})\s*[\p{L}\p{N}_.\-]+[\[(][^\v]*[\])]`)
	})
)

// likelyID reports that what stands before the secret calls it an id.
func likelyID(secret, line string) bool {
	i := strings.Index(line, secret)
	return i >= 0 && idExpression().MatchString(line[:i])
}

func templated(s string) bool {
	switch {
	case s == "" || s == "$":
		return true
	case s[0] == '{' && s[len(s)-1] == '}', s[0] == '<' && s[len(s)-1] == '>', strings.HasPrefix(s, "${") && s[len(s)-1] == '}':
		return true
	}
	return false
}

// indirect reports a line whose value is a call or an index: secret = request.headers["key"].
func indirect(line string) bool {
	return len(line) <= 4000 && len([]rune(line)) <= 1000 && strings.ContainsAny(line, "[(") && indirectExpression().MatchString(line)
}

// allowlisted reports a comment that allows the line, behind it or alone on the line before.
func allowlisted(name, line, previous string) bool {
	if !strings.Contains(line, "pragma:") && !strings.Contains(previous, "pragma:") {
		return false
	}
	for _, c := range comments(name) {
		if c.allows(line, false) || c.allows(previous, true) {
			return true
		}
	}
	return false
}

// comment is how a comment begins and ends, as expressions.
type comment struct{ start, end string }

func comments(name string) []comment {
	if extension(name) == ".yaml" {
		return []comment{{"#", ""}}
	}
	return []comment{{"#", ""}, {"//", ""}, {`/\*`, ` *\*/`}, {"'", ""}, {"--", ""}, {`<!--[# \t]*?`, ` *?-->`}}
}

func (c comment) allows(line string, next bool) bool {
	start, word := c.start, `(?:allow|white)list`
	if next {
		start, word = `^[ \t]*`+start, `allowlist[ -]nextline`
	}
	re := regexp.MustCompile(start + ` *pragma: ?` + word + `[ -]secret.*?` + c.end + `[ \t]*$`)
	return re.MatchString(strings.TrimSuffix(line, "\n"))
}

func lockFiles() []string {
	return []string{
		"Brewfile.lock.json", "Cartfile.resolved", "composer.lock", "Gemfile.lock", "Package.resolved", "package-lock.json", "Podfile.lock", "yarn.lock", "Pipfile.lock", "poetry.lock", "Cargo.lock",
		"packages.lock.json",
	}
}

func binaryExtensions() []string {
	return strings.Fields(".7z .bin .bmp .bz2 .class .css .dmg .doc .eot .exe .gif .gz .ico .iml .ipr .iws .jar .jpg .jpeg .lock .map .mo .pdf .png .prefs .psd .rar .realm .s7z .sum .svg .tar .tif .tiff .ttf .webp .woff .xls .xlsx .zip")
}
