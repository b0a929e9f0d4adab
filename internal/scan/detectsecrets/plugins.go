package detectsecrets

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// A detector finds the secrets of a line. Detectors are named as the peer's plugins are: a baseline lists them.
type detector struct {
	name, kind string                             // the plugin and what it calls its finds
	find       func(line string, c seen) []string // nil for the two that measure entropy
	loose      func(line string) []string         // finds also what does not look quoted; may be nil
	limit      float64                            // of entropy
	measure    func(string) float64               // entropy; nil for the others
	rules      bool                               // made of expressions, which some filters leave alone
}

// seen is what a detector may want to know besides the line.
type seen struct {
	file    fileType
	exclude func(string) bool // of the keyword detector; may be nil
}

// pattern is one expression with the words one of which is in each line that it matches.
type pattern struct {
	words []string
	re    *regexp.Regexp
	keep  func(line string, m []int) bool // may be nil
}

func (p pattern) find(line string) []string {
	if len(p.words) > 0 && !containsAny(line, p.words) {
		return nil
	}
	var out []string
	for _, m := range p.re.FindAllStringSubmatchIndex(line, -1) {
		if p.keep != nil && !p.keep(line, m) {
			continue
		}
		if len(m) == 2 {
			out = append(out, line[m[0]:m[1]])
			continue
		}
		for i := 2; i+1 < len(m); i += 2 { // each group that took part
			if m[i] >= 0 && m[i] < m[i+1] {
				out = append(out, line[m[i]:m[i+1]])
			}
		}
	}
	return out
}

func containsAny(line string, words []string) bool {
	for _, w := range words {
		if strings.Contains(line, w) {
			return true
		}
	}
	return false
}

// patterns makes a detector's function of expressions.
func patterns(list ...pattern) func(string, seen) []string {
	return func(line string, _ seen) []string {
		var out []string
		for _, p := range list {
			out = append(out, p.find(line)...)
		}
		return out
	}
}

func expression(re string, words ...string) pattern {
	return pattern{words: words, re: regexp.MustCompile(re)}
}

// assigned is an expression for "name keyword = value" in the many ways that programs and settings write it: the name
// may be quoted or in square brackets, and the value quoted.
func assigned(name, keyword, value string) pattern {
	return expression(`(?i)(?:^|\W)\[?["']?` + name + `[_-]?` + keyword + `["']?\]? *(?:=>|:=|::|=|:| ) *["']?` + value + `["']?`)
}

// detectors are the peer's plugins in the order in which it lists them. The formats are the vendors' own; where a find
// of the peer is only a part of the token, or more than it, so is ours, for baselines hold the hash of just that.
func detectors() []detector {
	loose := func(charset string) func(string) []string {
		return func(line string) []string { return runs(line, charset) }
	}
	list := []detector{
		{name: "ArtifactoryDetector", kind: "Artifactory Credentials", find: patterns(
			expression(`(?:[\s=:"]|^)AKC[a-zA-Z0-9]{10,}(?:[\s"]|$)`, "AKC"), expression(`(?:[\s=:"]|^)AP[\dABCDEF][a-zA-Z0-9]{8,}(?:[\s"]|$)`, "AP"),
		)},
		{name: "AWSKeyDetector", kind: "AWS Access Key", find: patterns(
			expression(`(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}`, "A3T", "ABIA", "ACCA", "AKIA", "ASIA"),
			expression(`(?i)aws.{0,20}?(?:key|pwd|pw|password|pass|token).{0,20}?['"]([0-9a-zA-Z/+]{40})['"]`),
		)},
		{name: "AzureStorageKeyDetector", kind: "Azure Storage Account access key", find: patterns(expression(`AccountKey=[a-zA-Z0-9+/=]{88}`, "AccountKey="))},
		{name: "BasicAuthDetector", kind: "Basic Auth Credentials", find: patterns(expression(`://[^:/?#\[\]@!$&'()*+,;=\s]+:([^:/?#\[\]@!$&'()*+,;=\s]+)@`, "://"))},
		{name: "CloudantDetector", kind: "Cloudant Credentials", find: cloudant()},
		{name: "DiscordBotTokenDetector", kind: "Discord Bot Token", find: patterns(expression(`[MNO][a-zA-Z\d_-]{23,25}\.[a-zA-Z\d_-]{6}\.[a-zA-Z\d_-]{27}`, "."))},
		{name: "GitHubTokenDetector", kind: "GitHub Token", find: patterns(expression(`(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9_]{36}`, "gh"))},
		{name: "GitLabTokenDetector", kind: "GitLab Token", find: gitlab()},
		{name: "Base64HighEntropyString", kind: "Base64 High Entropy String", find: quoted(base64Set), loose: loose(base64Set), limit: 4.5, measure: func(s string) float64 { return entropy(s, base64Set) }},
		{name: "HexHighEntropyString", kind: "Hex High Entropy String", find: quoted(hexSet), loose: loose(hexSet), limit: 3, measure: hexEntropy},
		{name: "IbmCloudIamDetector", kind: "IBM Cloud IAM Key", find: patterns(ending(assigned(`(?:ibm(?:[_-]?cloud)?[_-]?|cloud[_-]?)?(?:iam)?`, `(?:api)?[_-]?(?:key|pwd|password|pass|token)`, `([a-zA-Z0-9_\-]{44})`), isTokenByte))},
		{name: "IbmCosHmacDetector", kind: "IBM COS HMAC Credentials", find: patterns(ending(assigned(`(?:(?:ibm)?[-_]?cos[-_]?(?:hmac)?)?`, `secret[-_]?(?:access)?[-_]?key`, `([a-f0-9]{48})`), isHexByte))},
		{name: "IPPublicDetector", kind: "Public IP (ipv4)", find: publicAddresses},
		{name: "JwtTokenDetector", kind: "JSON Web Token", find: webTokens()},
		{name: "KeywordDetector", kind: "Secret Keyword", find: keywords},
		{name: "MailchimpDetector", kind: "Mailchimp Access Key", find: patterns(expression(`[0-9a-z]{32}-us[0-9]{1,2}`, "-us"))},
		{name: "NpmDetector", kind: "NPM tokens", find: patterns(expression(`//.+/:_authToken=\s*((npm_.+)|([A-Fa-f0-9-]{36})).*`, ":_authToken="))},
		{name: "OpenAIDetector", kind: "OpenAI Token", find: patterns(expression(`sk-[A-Za-z0-9-_]*[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}`, "T3BlbkFJ"))},
		{name: "PrivateKeyDetector", kind: "Private Key", find: privateKeys()},
		{name: "PypiTokenDetector", kind: "PyPI Token", find: patterns(
			expression(`pypi-AgEIcHlwaS5vcmc[A-Za-z0-9-_]{70,}`, "pypi-"), expression(`pypi-AgENdGVzdC5weXBpLm9yZw[A-Za-z0-9-_]{70,}`, "pypi-"),
		)},
		{name: "SendGridDetector", kind: "SendGrid API Key", find: patterns(expression(`SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}`, "SG."))},
		{name: "SlackDetector", kind: "Slack Token", find: patterns(
			expression(`(?i)xox[abposr]-(?:\d+-)+[a-z0-9]+`, "xox", "XOX", "Xox"), expression(`(?i)https://hooks\.slack\.com/services/T[a-zA-Z0-9_]+/B[a-zA-Z0-9_]+/[a-zA-Z0-9_]+`, "slack", "SLACK", "Slack"),
		)},
		{name: "SoftlayerDetector", kind: "SoftLayer Credentials", find: patterns(
			assigned(`(?:softlayer|sl)[_-]?(?:api)?`, `(?:key|pwd|password|pass|token)`, `([a-zA-Z0-9]{64})`), expression(`(?i)https?://api\.softlayer\.com/soap/(?:v3|v3\.1)/([a-z0-9]{64})`),
		)},
		{name: "SquareOAuthDetector", kind: "Square OAuth Secret", find: patterns(expression(`sq0csp-[0-9A-Za-z\\\-_]{43}`, "sq0csp-"))},
		{name: "StripeDetector", kind: "Stripe Access Key", find: patterns(expression(`[rs]k_live_[0-9a-zA-Z]{24}`, "k_live_"))},
		{name: "TelegramBotTokenDetector", kind: "Telegram Bot Token", find: patterns(expression(`\d{8,10}:[0-9A-Za-z_-]{35}`, ":"))},
		{name: "TwilioKeyDetector", kind: "Twilio API Key", find: patterns(expression(`AC[a-z0-9]{32}`, "AC"), expression(`SK[a-z0-9]{32}`, "SK"))},
	}
	for i := range list {
		list[i].rules = list[i].measure == nil && list[i].name != "KeywordDetector"
	}
	return list
}

// ending wants that no further byte of the token follows the first group.
func ending(p pattern, more func(byte) bool) pattern {
	p.keep = func(line string, m []int) bool { return m[3] == len(line) || !more(line[m[3]]) }
	return p
}

func isHexByte(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isTokenByte(c byte) bool { return isWordByte(c) || c == '-' }

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func cloudant() func(string, seen) []string {
	const key = `(?:api)?(?:key|pwd|pw|password|pass|token)`
	return patterns(
		assigned(`(?:cloudant|clou|cl)`, key, `([0-9a-f]{64})`), assigned(`(?:cloudant|clou|cl)`, key, `([a-z]{24})`),
		expression(`(?i)https?://[\w\-]+:([0-9a-f]{64}|[a-z]{24})@[\w\-]+\.cloudant\.com`),
	)
}

func gitlab() func(string, seen) []string {
	const end = `(?:\W|$)` // no letter, digit or underscore follows
	return patterns(
		expression(`(glpat|gldt|glft|glsoat|glrt)-[A-Za-z0-9_\-]{20,50}`+end, "gl"), expression(`(GR1348941[A-Za-z0-9_\-]{20,50})`+end, "GR1348941"), expression(`glcbt-([0-9a-fA-F]{2}_)?[A-Za-z0-9_\-]{20,50}`+end, "glcbt-"),
		expression(`(glimt-[A-Za-z0-9_\-]{25})`+end, "glimt-"), expression(`(glptt-[A-Za-z0-9_\-]{40})`+end, "glptt-"), expression(`(glagent-[A-Za-z0-9_\-]{50,1000}[A-Za-z0-9_\-]{0,24})`+end, "glagent-"),
		expression(`(gloas-[A-Za-z0-9_\-]{64})`+end, "gloas-"),
	)
}

func privateKeys() func(string, seen) []string {
	var list []pattern
	for _, head := range []string{"DSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "PRIVATE KEY", "RSA PRIVATE KEY", "SSH2 ENCRYPTED PRIVATE KEY"} {
		list = append(list, expression("BEGIN "+head, "BEGIN "))
	}
	return patterns(append(list, expression("PuTTY-User-Key-File-2", "PuTTY"))...)
}

// webTokens finds JSON Web Tokens (RFC 7519) whose header and claims can be read. The signature is no part of a find.
func webTokens() func(string, seen) []string {
	p := expression(`eyJ[A-Za-z0-9-_=]+\.eyJ[A-Za-z0-9-_=]+\.?`, "eyJ")
	p.keep = func(line string, m []int) bool {
		for part := range strings.SplitSeq(strings.TrimSuffix(line[m[0]:m[1]], "."), ".") {
			b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
			if err != nil || !json.Valid(b) {
				return false
			}
		}
		return true
	}
	return patterns(p)
}

// publicAddresses finds IPv4 addresses outside of the private ranges (RFC 1918) and loopback.
func publicAddresses(line string, _ seen) []string {
	if strings.Count(line, ".") < 3 {
		return nil
	}
	var out []string
	for i := 0; i < len(line); i++ {
		if line[i] < '0' || line[i] > '9' || i > 0 && (isWordByte(line[i-1]) || line[i-1] == '.') {
			continue
		}
		end, ok := address(line, i)
		if !ok {
			continue
		}
		if a := line[i:end]; !private(a) {
			if port := portEnd(line, end); port > end {
				end = port
			}
			out = append(out, line[i:end])
		}
		i = end - 1
	}
	return out
}

// address reads four numbers up to 255 without leading zeros, behind which the word ends.
func address(line string, i int) (int, bool) {
	for part := range 4 {
		if part > 0 {
			if i >= len(line) || line[i] != '.' {
				return 0, false
			}
			i++
		}
		start, n := i, 0
		for i < len(line) && '0' <= line[i] && line[i] <= '9' && i-start < 4 {
			n = n*10 + int(line[i]-'0')
			i++
		}
		if i == start || n > 255 || i-start > 1 && line[start] == '0' {
			return 0, false
		}
	}
	if i < len(line) && (isWordByte(line[i]) || line[i] == '.') {
		return 0, false
	}
	return i, true
}

func portEnd(line string, i int) int {
	if i >= len(line) || line[i] != ':' {
		return i
	}
	end := i + 1
	for end < len(line) && end-i <= 5 && '0' <= line[end] && line[end] <= '9' {
		end++
	}
	if end == i+1 {
		return i
	}
	return end
}

func private(a string) bool {
	if strings.HasPrefix(a, "10.") || strings.HasPrefix(a, "127.") || strings.HasPrefix(a, "192.168.") {
		return true
	}
	second, _, _ := strings.Cut(strings.TrimPrefix(a, "172."), ".")
	return strings.HasPrefix(a, "172.") && len(second) == 2 && second >= "16" && second <= "31"
}
