package leak

import (
	"bytes"
	"slices"
	"sync"
)

// tally adds points and remembers why. A hunt has one, which it uses again and again: most candidates come to nothing.
type tally struct {
	sum     int
	reasons []Reason
}

// reset empties t.
func (t *tally) reset() *tally {
	t.sum, t.reasons = 0, t.reasons[:0]
	return t
}

func (t *tally) add(points int, why string) {
	if points == 0 {
		return
	}
	t.sum += points
	t.reasons = append(t.reasons, Reason{points, why})
}

// Words inside of a name that say the value is no secret.
var (
	nameKills = []string{
		"public", "nonmatch", "notmatch", "wrong", "bogus", "publish", "pubkey", "csrf", "xsrf", "primary", "foreign", "cache", "sort", "partition", "next_token", "nexttoken", "nextpage", "page_token", "pagetoken", "keyboard", "keyword",
		"keymap", "keycode", "monkey", "hotkey", "keyid", "key_id", "key-id", "keyframe", "tokeniz", "tokens", "tokenid", "token_id", "author", "_length", "_size", "length", "_count", "_ttl", "expire", "expiry", "regex", "pattern",
		"column", "_path", "path", "filename", "_file", "-file", "_url", "-url", "_uri", "endpoint", "_type", "-type", "tokentype", "_name", "-name", "label", "prompt", "placeholder", "hint", "_message", "error",
		"header", "selector", "class", "field", "policy", "provider", "checksum", "digest", "sha1", "sha256", "md5", "sha512", "integrity", "commit", "hash", "version", "format", "passive", "bypass", "compass", "passport", "passage", "passed",
		"passing", "passenger", "passthrough", "passes", "method", "storekey", "typekey", "algorithm", "enabled", "disabled", "required", "validator", "callback", "function", "handler", "secretref", "secret_ref", "secretname", "secret_name", "secretkeyref", "i18n",
		"fingerprint", "token_url", "tokenurl", "_at", "scope", "visible", "strength", "minlen", "maxlen", "_min", "_max", "reset", "forgot", "confirm_", "mismatch", "invalid", "_help", "vault", "keyspace", "keyring", "keyvalue", "key_value", "objectkey", "object_key",
		"rowkey", "row_key", "keyof", "keysof", "keygen", "keyusage", "keypath", "keydown", "keyup", "keypress", "keyevent", "accesskeyid", "access_key_id", "translation", "locale", "keytype", "keysize", "keylen",
	}
	passwordNames = []string{"password", "passwd", "passphrase", "passwort", "pwd", "_pass", "pass", "userpass", "mot_de_passe", "contrasena", "senha"}
	secretNames   = []string{"secret", "token", "apikey", "api_key", "api-key", "access_key", "accesskey", "access-key", "private_key", "privatekey", "private-key", "auth_key", "authkey", "master_key", "encryption_key", "signing_key", "credential", "client_key", "account_key", "accountkey", "license_key", "app_key", "appkey", "_key", "-key"}
)

// kind of name
type nameKind uint8

const (
	noName nameKind = iota
	keyName
	secretName
	passwordName
)

// nameWords holds the three lists one after the other: the word of the lowest index decides.
var nameWords = sync.OnceValue(func() *wordList {
	return newWordList(slices.Concat(nameKills, passwordNames, secretNames)...)
})

// classify judges an identifier.
func classify(name []byte) (nameKind, string) {
	w := nameWords()
	switch i := w.in(name); {
	case i < 0:
		return keyName, ""
	case i < len(nameKills):
		return noName, w.words[i]
	case i < len(nameKills)+len(passwordNames):
		return passwordName, w.words[i]
	default:
		return secretName, w.words[i]
	}
}

// generic scores an assignment whose name alone says that a secret follows.
func generic(t *tally, b []byte, a *assignment) {
	name, v := b[a.nameStart:a.nameEnd], b[a.valueStart:a.valueEnd]
	kind, why := classify(name)
	if kind == noName || len(v) < 4 {
		return
	}
	s := measure(v)
	if s.weak() || holds(v, hardFillerList) != "" {
		return
	}
	if kind == passwordName {
		if why == "pass" && !wholePass(name) || version(v) {
			return
		}
		password(t, b, a, v, &s)
		return
	}
	if len(v) < 8 {
		return
	}
	if openly(v) != "" {
		return
	}
	r := s.random()
	switch kind {
	case secretName:
		t.add(25, "the name holds "+why)
	case keyName:
		t.add(5, "the name may mean a key")
	}
	switch {
	case a.oper == " " || a.oper == ">" && a.quote == 0:
		t.add(-10, "no operator")
	case a.quote != 0:
		t.add(15, "quoted literal")
	default:
		t.add(8, "assigned")
	}
	t.add(r/2, "looks drawn by a machine")
	switch {
	case s.n >= 16 && s.n <= 128:
		t.add(5, "length of a key")
	case s.n < 12:
		t.add(-15, "short")
	case s.n > 200:
		t.add(-20, "longer than keys are")
	}
	switch {
	case a.quote == 0:
		t.add(code(v, &s), "looks like code")
	case bytes.IndexByte([]byte("$@&*%:"), v[0]) >= 0 && identifier(v[1:]):
		t.add(-30, "a variable or template")
	}
	if kind == keyName && s.uuid(v) {
		t.add(-30, "more likely the key of a record")
	}
	if f := holds(v, fillerList); f != "" {
		t.add(-35, "holds "+f)
	}
	switch {
	case s.step >= 16:
		t.add(-50, "counts up")
	case s.step >= 8:
		t.add(-25, "counts up")
	}
	if bytes.Contains(name, []byte("AWS_SECRET")) && s.n != 40 {
		t.add(-60, "not as long as keys of AWS are")
	}
	if s.blank > 0 {
		t.add(-25, "has blanks")
	}
	if s.digit == 0 && s.n < 40 && s.common*100 >= s.pairs*60 || joinedWords(v) {
		t.add(-30, "made of words")
	}
	if s.digit == 0 && s.upper == 0 && s.other == 0 && s.n < 20 {
		t.add(-15, "lower-case letters only")
	}
	if pathLike(v, &s) {
		t.add(-30, "path or address")
	}
	if s.brokenHex(v) {
		t.add(-20, "hex digits that were cut")
	}
}

// password scores a value whose name says password: people's passwords are short and made of words, so the shape of
// the assignment has to carry most of the weight.
func password(t *tally, b []byte, a *assignment, v []byte, s *shape) {
	t.add(30, "the name says password")
	r := s.random()
	t.add(r/3, "looks drawn by a machine")
	switch {
	case a.quote != 0 && a.oper == " ":
		t.add(10, "quoted literal, no operator")
	case a.quote != 0:
		t.add(25, "quoted literal")
	case a.oper == " ":
		t.add(-10, "no operator")
	default:
		t.add(15, "assigned")
	}
	if s.digit > 0 && s.lower+s.upper > 0 {
		t.add(10, "letters and digits")
	}
	if s.other > 0 && s.other < s.n/2 && a.quote != 0 {
		t.add(5, "special characters")
	}
	if a.quote == 0 {
		if doubt := code(v, s); doubt == bareName && setting(b, a) {
			t.add(8, "a line of a configuration")
		} else {
			t.add(doubt, "looks like code")
		}
	}
	if s.blank > 0 {
		t.add(-35, "has blanks")
	}
	if trivial(v) {
		t.add(-45, "word that stands for a password")
	}
	if f := holds(v, fillerList); f != "" {
		t.add(-25, "holds "+f)
	}
	if c := v[len(v)-1]; c == ':' || c == '?' || v[0] == '$' || v[0] == '%' || v[0] == '@' || v[0] == '#' && s.lower > 0 || v[0] == '-' || v[0] == '/' || v[0] == '.' || v[0] == '&' || v[0] == '*' || v[0] == '{' {
		t.add(-30, "variable, prompt or path")
	}
	if s.n < 6 {
		t.add(-10, "short")
	}
	if s.digit == s.n && s.n < 6 {
		t.add(-15, "small number")
	}
}

var trivialWords = []string{
	"password", "passwd", "pass", "pwd", "secret", "token", "username", "user", "string", "true", "false", "none", "null", "nil", "undefined", "key", "text", "hidden", "required", "optional", "empty", "invalid",
	"test", "testing", "foo", "bar", "baz", "value", "varchar", "char", "int", "object", "function", "default", "new", "current", "old", "confirm", "email", "login", "auth", "passphrase", "disabled", "enabled", "yes", "no", "mypassword", "mypass",
	"your_password", "yourpassword", "my_password", "my-password", "name", "type", "basic", "plain", "bcrypt", "sha256", "md5", "request", "response", "self", "this", "input", "prompt", "str", "bool", "postgres", "root", "admin", "example", "changeit",
}

// trivial reports a placeholder word, also when it repeats the name.
func trivial(v []byte) bool {
	v = bytes.Trim(v, "_-*<>[]() ")
	for _, w := range trivialWords {
		if len(v) == len(w) && equalFold(v, w) {
			return true
		}
	}
	return false
}

// bareName is what an unquoted value loses when it could as well be the name of a variable.
const bareName = -30

// code takes points from a bare value that is an expression or a name rather than a literal.
func code(v []byte, s *shape) int {
	switch {
	case bytes.ContainsAny(v, "()[]{}"):
		return -60
	case s.digit == 0 && identifier(v):
		return bareName
	case bytes.Contains(v, []byte("::")) || bytes.Contains(v, []byte("->")) || bytes.Contains(v, []byte(".get")) || bytes.Contains(v, []byte("&&")):
		return -60
	case bytes.IndexByte(v, '.') > 0 && dotted(v):
		return -40
	case v[0] == '$' || v[0] == '&' || v[0] == '*' || v[0] == '@' || v[0] == '!' || v[0] == '-' || v[0] == '\\':
		return -40
	}
	return 0
}

func identifier(v []byte) bool {
	for _, c := range v {
		if !word(c) && c != '.' {
			return false
		}
	}
	return true
}

// dotted reports names joined by dots: config.api.key.
func dotted(v []byte) bool {
	for part := range bytes.SplitSeq(v, []byte(".")) {
		if len(part) == 0 || len(part) > 24 {
			return false
		}
		s := measure(part)
		if s.digit*3 > s.n || s.turns > 3 {
			return false
		}
	}
	return true
}

// opensPath reports the beginning of a path: /, ./ or ../.
func opensPath(v []byte) bool {
	return v[0] == '/' || v[0] == '.' && (at(v, 1) == '/' || at(v, 1) == '.' && at(v, 2) == '/')
}

func pathLike(v []byte, s *shape) bool {
	if opensPath(v) || bytes.Contains(v, []byte("://")) {
		return true
	}
	n := bytes.Count(v, []byte("/"))
	return n >= 2 && s.digit*6 < s.n && s.common*10 >= s.pairs*6
}

// vendor scores a value that follows a vendor's name.
func vendor(t *tally, b []byte, a *assignment, common, fits bool) {
	v := b[a.valueStart:a.valueEnd]
	if !fits && opensPath(v) {
		return // most often: github.com/owner/repository
	}
	s := measure(v)
	if s.weak() || s.distinct < 6 || holds(v, hardFillerList) != "" || pathLike(v, &s) && !fits {
		return
	}
	lo, _ := nameAround(b, a.nameStart, a.nameEnd)
	if before, _ := classify(b[lo:a.nameStart]); before == noName {
		return
	}
	if after, _ := classify(b[a.nameEnd:min(a.valueStart, a.nameEnd+maxName)]); after == noName {
		return
	}
	t.add(25, "a vendor's name")
	if a.strong {
		t.add(20, "a word for a secret")
	}
	switch a.oper {
	case "", " ", "(":
		if !a.strong {
			t.add(-15, "no operator")
		}
	default:
		t.add(10, "assigned")
	}
	if fits {
		t.add(25, "fits the vendor's format")
	}
	r := s.random()
	if s.step >= 8 {
		r = max(r, 40)
	}
	t.add(r*35/100, "looks drawn by a machine")
	if common && !a.strong {
		t.add(-40, "the name is also a common word")
	}
	switch {
	case s.n < 12 && !fits:
		t.add(-40, "too short")
	case s.n < 14:
		t.add(-15, "short")
	}
	if s.digit == 0 && s.step < 8 && s.common*100 >= s.pairs*62 || joinedWords(v) {
		t.add(-50, "made of words")
	}
	if s.digit*2 < 3 && s.n < 20 && s.step < 8 && !fits {
		t.add(-20, "few digits")
	}
	if bytes.IndexByte(v, '/') >= 0 && s.digit*10 < s.n || bytes.Contains(v, []byte("://")) {
		t.add(-30, "path or address")
	}
	if f := holds(v, fillerList); f != "" && s.step < 8 {
		t.add(-15, "holds "+f)
	}
	if s.brokenHex(v) {
		t.add(-20, "hex digits that were cut")
	}
	if dottedName(v) {
		t.add(-40, "a host or file name")
	}
}

// dottedName reports a value such as api.vendor.com or file.min.js.
func dottedName(v []byte) bool {
	i := bytes.LastIndexByte(v, '.')
	if i < 0 || len(v)-i > 6 {
		return false
	}
	for _, c := range v[i+1:] {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// human takes points from a word in a place where a person's password would stand, when it only stands for one.
func human(v []byte) int {
	switch c := v[0]; {
	case trivial(v), holds(v, fillerList) != "":
		return -40
	case c == '$' || c == '%' || c == '{' || c == '<' || c == '@' || c == '#' || c == '&' || c == '*' || c == ':' || c == '-':
		return -40
	case len(v) < 4:
		return -30
	}
	return 0
}

// setting reports an assignment that fills its line the way files of settings write it, where a bare word is a value and
// not a variable: NAME=word and NAME: word in capitals, or any name when the lines round it are settings or comments too.
func setting(b []byte, a *assignment) bool {
	from, to := lineAround(b, a.nameStart, 400)
	if a.valueEnd > to || !assignedLine(b[from:to]) || len(bytes.TrimSpace(b[a.valueEnd:to])) > 0 {
		return false
	}
	name := measure(b[a.nameStart:a.nameEnd])
	if name.lower == 0 && name.upper > 2 && (a.valueStart == a.nameEnd+1 || b[a.nameEnd] == ':') {
		return true
	}
	near := 0
	if from > 0 {
		lo, hi := lineAround(b, from-1, 400)
		if !settingLine(b[lo:hi]) {
			return false
		}
		near += hi - lo
	}
	if to+1 < len(b) {
		lo, hi := lineAround(b, to+1, 400)
		if !settingLine(b[lo:hi]) {
			return false
		}
		near += hi - lo
	}
	return near > 0
}

// settingLine reports a line such as NAME=word, - name: word, [section], a comment or nothing.
func settingLine(line []byte) bool {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' || line[0] == ';' || line[0] == '[' || bytes.HasPrefix(line, []byte("//")) {
		return true
	}
	return assignedLine(line)
}

// assignedLine reports a name, an operator and a word, and nothing else.
func assignedLine(line []byte) bool {
	line = bytes.TrimSpace(line)
	line = bytes.TrimPrefix(bytes.TrimPrefix(line, []byte("- ")), []byte("export "))
	i := bytes.IndexAny(line, "=:")
	if i <= 0 {
		return false
	}
	name, v := bytes.TrimSpace(line[:i]), bytes.TrimSpace(line[i+1:])
	return !bytes.ContainsAny(name, " \t\"'`()<>{};,$") && !bytes.ContainsAny(v, " \t\"'`()<>{};,=")
}

// wholePass reports that the name really says pass (DB_PASS, userPass, dbpass), not a word that happens to end so
// (minipass, trespass).
func wholePass(name []byte) bool {
	for i := 0; i+4 <= len(name); i++ {
		if !equalFold(name[i:i+4], "pass") {
			continue
		}
		before, after := at(name, i-1), at(name, i+4)
		if 'a' <= after && after <= 'z' && fold(name[i+3]) == name[i+3] {
			continue
		}
		switch upper := 'A' <= name[i] && name[i] <= 'Z'; {
		case !alnum(before), upper: // start, DB_PASS, dbPass, DBPASS
			return true
		default:
			for _, owner := range [...]string{"db", "user", "my", "root", "admin", "smtp", "mail", "login", "auth", "ftp", "sql", "pg", "redis", "proxy", "host", "key", "ssh", "http", "irc", "wifi", "sudo", "ldap"} {
				if bytes.HasSuffix(name[:i], []byte(owner)) {
					return true
				}
			}
		}
	}
	return false
}
