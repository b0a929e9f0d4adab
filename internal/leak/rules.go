package leak

import "strings"

// Values of Rule.Assigned that ask for built-in shapes instead of a format.
const (
	assignGeneric = "generic" // any assignment to a name that says secret
	assignURL     = "url"     // user:password@ in an address
)

// Rules returns the built-in rules. The slice is the caller's.
func Rules() []Rule {
	rules := make([]Rule, 0, strings.Count(tokenTable, "\n")+strings.Count(vendorTable, " / ")+strings.Count(vendorTable, "\n")+64)
	rules = append(rules, shapeRules()...)
	rules = append(rules, contextRules()...)
	for line := range strings.Lines(tokenTable) {
		if r, ok := tokenRule(line); ok {
			rules = append(rules, r)
		}
	}
	for line := range strings.Lines(vendorTable) {
		for entry := range strings.SplitSeq(strings.TrimSpace(line), " / ") {
			if r, ok := vendorRule(entry); ok {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// tokenRule reads a line of tokenTable: id, confidence letter and flags, pattern.
func tokenRule(line string) (Rule, bool) {
	line = strings.TrimRight(line, "\n")
	id, rest, ok := strings.Cut(line, " ")
	if !ok || line[0] == '#' {
		return Rule{}, false
	}
	flags, pattern, _ := strings.Cut(rest, " ")
	r := Rule{ID: id, Family: familyOf(id), Pattern: pattern, Confidence: High, Description: "token of " + id}
	for _, f := range flags {
		switch f {
		case 'm':
			r.Confidence = Medium
		case 'l':
			r.Confidence = Low
		case 'x':
			r.Loose = true
		case 'f':
			r.Fold = true
		case 'c':
			r.Check = CheckCRC62
		case 'j':
			r.Check = CheckJWT
		case 'e':
			r.MinEntropy = 3
		case 'i':
			r.Identifier = true
		}
	}
	return r, true
}

func dashed(c rune) rune {
	if c == '.' || c == '_' {
		return '-'
	}
	return c
}

// familyOf is the id up to its first dash, or the name under which the vendor stands elsewhere.
func familyOf(id string) string {
	head, _, _ := strings.Cut(id, "-")
	switch head {
	case "adafruit":
		return "adafruitio"
	case "amazon":
		return "aws"
	case "apr1", "argon2", "bcrypt", "crypt", "krb5":
		return "password-hash"
	case "brave":
		return "brave-search"
	case "crates":
		return "crates-io"
	case "defined":
		return "defined-networking"
	case "fly":
		return "flyio"
	case "frameio":
		return "frame-io"
	case "mongodb":
		return "mongodb-atlas"
	case "onepassword":
		return "1password"
	case "private":
		return "privateai"
	case "readme":
		return "readme-api"
	case "redirect":
		return "redirect-pizza"
	case "sonar":
		return "sonarqube"
	case "together":
		return "togetherai"
	case "val":
		return "val-town"
	case "weights":
		return "wandb"
	}
	return head
}

// vendorRule reads an entry of vendorTable: names joined by |, a leading ~ for a name that is also a common word, and an
// optional format.
func vendorRule(line string) (Rule, bool) {
	if line == "" || line[0] == '#' {
		return Rule{}, false
	}
	names, format, _ := strings.Cut(line, " ")
	common := strings.HasPrefix(names, "~")
	words := strings.Split(strings.TrimPrefix(names, "~"), "|")
	family := strings.Trim(strings.Map(dashed, words[0]), "-")
	if family == "npm-token" {
		family = "npm"
	}
	return Rule{
		ID: family + "-assigned", Family: family, Description: "a key of " + words[0] + " beside its name",
		Keywords: words, Assigned: format, Loose: common, Confidence: Medium,
	}, true
}

// shapeRules are the ones that no vendor has to be known for.
func shapeRules() []Rule {
	return []Rule{
		{
			ID: "generic-secret", Family: "generic", Description: "a value assigned to a name that says secret", Assigned: assignGeneric, Confidence: Low,
			Keywords: []string{"password", "passwd", "passphrase", "passwort", "pwd", "pass", "secret", "token", "key", "credential"},
			Good:     []string{`password = "{mixed:14}"`, `DB_PASSWORD={mixed:20}`, `"client_secret": "{alnum:32}"`},
			Bad:      []string{`password = "${PASSWORD}"`, `password: "your-password-here"`, `token = scanner.Next()`, `public_key = "{alnum:32}"`},
		},
		{
			ID: "address-password", Family: "generic", Description: "a password in an address", Assigned: assignURL, Confidence: Medium,
			Keywords: []string{"://"},
			Good:     []string{`postgres://app:{mixed:14}@db.internal:5432/app`, `https://bot:{alnum:20}@git.corp.net/x.git`, `redis://:{alnum:24}@cache.internal:6379/0`},
			Bad:      []string{`postgresql://user:password@localhost:5432/app`, `https://host:8080/@scope`, `https://$USER:$PASS@host.net/`},
		},
	}
}
