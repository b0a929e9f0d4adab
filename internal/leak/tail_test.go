package leak

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
)

// userRules are expressions in the style of those that users write for gitleaks.
var userRules = []struct {
	expr     string
	keywords []string
	tail     bool // an end of the keyword can be told
	good     []string
}{
	{
		`(?i)[\w.]{0,40}?(?:login|auth|(?-i:[Pp]in|PIN)|credential|passw(?:or)?d|token)(?:[ \w]{0,16})[\s'"]{0,2}(?:=|:=|=>|:{1,2})[\s"']{0,4}([\w=-]{8,120}|[a-z][a-z/]{9,}={0,2})(?:[\x60"'\s;]|\\[nr]|$)`,
		[]string{"login", "auth", "pin", "credential", "passwd", "password", "token"},
		true,
		[]string{"my_login = 'a1b2c3d4e5f6'\n", `{"TOKEN": "0123456789abcdef"}`, "authPin:=qwertyuiop12;"},
	},
	{`ghp_[0-9a-zA-Z]{36}`, []string{"ghp_"}, true, []string{"ghp_" + strings.Repeat("aB3", 12)}},
	{`\b((?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b`, []string{"a3t", "akia", "asia", "abia", "acca"}, true, []string{"AKIAQWERTYUIOPASDFGH", "x A3TXQWERTYUIOPASDFGH y"}},
	{`\b(tok\.[\w-]{80,110}|t\.(?i:[a-z0-9]{20}))(?:["'\s;]|\\[nr]|$)`, []string{"tok.", "t."}, true, []string{"t.abcdefghijklmnopqrst ", "'tok." + strings.Repeat("x-9", 31) + "'"}},
	{`\b(row[[:alnum:]]{12}\.[a-f0-9]{40})\b`, []string{"airsheet"}, false, nil},
	{`(?i)\bkind:[ \t]*"?secret\b"?(?s:.){0,200}?\bdata:\s+(\w{10,})`, []string{"secret"}, true, []string{"Kind: Secret\nmeta: x\ndata: abcdefghijkl\n"}},
	{`xox[pe](?:-[0-9]{10,13}){3}-[a-zA-Z0-9-]{28,34}`, []string{"xoxp-", "xoxe-"}, false, []string{"xoxp-1234567890-1234567890-1234567890-" + strings.Repeat("a", 30)}},
}

func TestTail(t *testing.T) {
	for _, r := range userRules {
		re, err := syntax.Parse(r.expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := tail(re, r.keywords); (got != nil) != r.tail {
			t.Errorf("%s: tail %v", r.expr, got)
		}
	}
}

// TestUserExpressions looks for the same with the engine and with the expression itself, in texts full of keywords.
func TestUserExpressions(t *testing.T) {
	noise := "// the key to authenticate with the api's token; password reset\nfunc secret(tokens []string) error { return auth.Key }\nfiles.open(access)\nkind: Secret\n"
	for _, r := range userRules {
		e, err := Compile([]Rule{{ID: "mine", Regexp: r.expr, Keywords: r.keywords, Confidence: Medium}})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		for i, g := range r.good {
			fmt.Fprintf(&text, "%s\n%s\n%s\n", strings.Repeat(noise, 1+40*i), g, g)
		}
		var want, got []string
		for _, m := range regexp.MustCompile(r.expr).FindAllIndex(text.Bytes(), -1) {
			want = append(want, fmt.Sprint(m))
		}
		for m := range e.Find(text.Bytes()) {
			got = append(got, fmt.Sprint([]int{m.Start, m.End}))
		}
		if !slices.Equal(got, want) || len(got) < len(r.good) {
			t.Errorf("%s: got %v, want %v", r.expr, got, want)
		}
	}
}

func TestMusts(t *testing.T) {
	for expr, want := range map[string]string{
		`foo(bar)+x?baz`:               "foo bar baz",
		`(?i)KIND:.*data:|data:.*kind`: "data:",
		`a|b`:                          "",
		`(?:key)?=(abc|abd)e`:          "",
		`abc{2}`:                       "",
	} {
		re, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(musts(re), " "); got != want {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
	if !holdsAll([]byte("a KinD: b data: "), []string{"kind:", "data:"}) || holdsAll([]byte("kind"), []string{"kind:"}) || holdsAll(nil, []string{"x"}) {
		t.Error("holdsAll")
	}
}

// TestSecretsOfOneRun holds two secrets of one rule in one run of base64: the peers report both.
func TestSecretsOfOneRun(t *testing.T) {
	e, err := CompileOptions([]Rule{{ID: "mine", Regexp: `key=(\w{20})`, Keywords: []string{"key="}, Confidence: Medium}}, Options{DecodeDepth: 1, All: true})
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString([]byte("key=aB3dE5fG7hI9jK1lM3nO and key=zY8xW6vU4tS2rQ0pO8nM\n"))
	var got []string
	for m := range e.Find([]byte(text)) {
		got = append(got, string(m.Value))
	}
	if want := []string{"aB3dE5fG7hI9jK1lM3nO", "zY8xW6vU4tS2rQ0pO8nM"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
