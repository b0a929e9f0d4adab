package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/leak"
	"github.com/keephold/keephold/redact"
)

func letters(r *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/!$&'\"<>\\ %"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// pem makes a block of random base64 lines, so that no real key is in this file.
func pem(r *rand.Rand) string {
	raw := make([]byte, 400)
	for i := range raw {
		raw[i] = byte(r.IntN(256))
	}
	body := base64.StdEncoding.EncodeToString(raw)
	var b strings.Builder
	b.WriteString("-----BEGIN " + "PRIVATE KEY-----\n")
	for len(body) > 64 {
		b.WriteString(body[:64] + "\n")
		body = body[64:]
	}
	b.WriteString(body + "\n-----END " + "PRIVATE KEY-----\n")
	return b.String()
}

// write sends text in pieces of the given sizes, over and over.
func write(t *testing.T, r *redact.Redactor, text string, sizes ...int) string {
	t.Helper()
	var out bytes.Buffer
	w := r.Writer(&out)
	for i := 0; len(text) > 0; i++ {
		n := len(text)
		if len(sizes) > 0 {
			n = min(n, max(1, sizes[i%len(sizes)]))
		}
		if k, err := w.Write([]byte(text[:n])); k != n || err != nil {
			t.Fatalf("Write: %d, %v", k, err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestAttacks writes secrets in the ways that leak from maskers in the field; chunked whole, by bytes and in between.
func TestAttacks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	token := "tok-" + strings.TrimSpace(letters(r, 30))
	key := pem(r)
	lines := strings.Split(strings.TrimSpace(key), "\n")
	dsn := "postgres://app:" + "Zt7" + "uQ9wLk2x@db:5432/app"
	red, refused := redact.New([]redact.Secret{
		{"TOKEN", token}, {"PEM", key}, {"DSN", dsn}, {"PREFIX", token + "-longer"}, {"TRAILING", "abcd9876xyz\n"}, {"A", "first-secret-overlap"}, {"B", "overlap-second-abcd"},
	}, redact.Options{ValueOnly: true})
	if len(refused) > 0 {
		t.Fatalf("refused %v", refused)
	}
	quoted, _ := json.Marshal(key)
	tests := map[string]struct{ text, leak string }{
		"plain":               {"a " + token + " b", token},
		"prefix of other":     {token + "-longer", token},
		"half of prefix":      {token + "-long", token},
		"multi-line":          {key, lines[1]},
		"one line":            {"x " + lines[2] + " y", lines[2]},
		"crlf":                {strings.ReplaceAll(key, "\n", "\r\n"), lines[1]},
		"escaped in JSON":     {string(quoted), lines[1]},
		"timestamps":          {"12:00:01 " + strings.Join(lines, "\n12:00:02 "), lines[3]},
		"echo $PEM":           {strings.Join(lines, " "), lines[1]},
		"base64":              {base64.StdEncoding.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString([]byte(token))[:30]},
		"base64 in user:pass": {base64.StdEncoding.EncodeToString([]byte("user:" + token)), base64.StdEncoding.EncodeToString([]byte("user:" + token))[12:30]},
		"base64url":           {base64.RawURLEncoding.EncodeToString([]byte("x" + token)), base64.RawURLEncoding.EncodeToString([]byte("x" + token))[8:30]},
		"URL":                 {url.QueryEscape(token), url.QueryEscape(token)},
		"URL path":            {url.PathEscape(token), url.PathEscape(token)},
		"lower-case escapes":  {strings.ToLower(url.QueryEscape("/+/"))[:0] + lowerHex(url.QueryEscape(token)), lowerHex(url.QueryEscape(token))},
		"hex":                 {hex.EncodeToString([]byte(token)), hex.EncodeToString([]byte(token))},
		"HEX":                 {strings.ToUpper(hex.EncodeToString([]byte(token))), strings.ToUpper(hex.EncodeToString([]byte(token)))},
		"Go quoted":           {strconv.Quote(token), strings.Trim(strconv.Quote(token), `"`)},
		"colour inside":       {token[:9] + "\x1b[31;1m" + token[9:20] + "\x1b[0m" + token[20:], token[20:]},
		"password of DSN":     {"connect with Zt7" + "uQ9wLk2x now", "uQ9wLk2x"},
		"stored with newline": {"say abcd9876xyz.", "abcd9876xyz"},
		"overlapping":         {"first-secret-overlap-second-abcd", "abcd"},
		"shell":               {"'" + strings.ReplaceAll(token, "'", `'\''`) + "'", strings.ReplaceAll(token, "'", `'\''`)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			whole := write(t, red, tt.text)
			if strings.Contains(whole, tt.leak) {
				t.Errorf("leaked: %q", whole)
			}
			for _, sizes := range [][]int{{1}, {2}, {3, 1, 7}, {13}, {64, 1}} {
				if got := write(t, red, tt.text, sizes...); got != whole {
					t.Errorf("in chunks of %v: %q, want %q", sizes, got, whole)
				}
			}
		})
	}
}

func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:i+3], bytes.ToLower(b[i:i+3]))
		}
	}
	return string(b)
}

// TestSelfOverlap writes needles that begin with what they repeat: maskers that fall back to the start leak them.
func TestSelfOverlap(t *testing.T) {
	for secret, before := range map[string]string{"aab1secret": "a", "ababc-secret": "ab", "sk-sk-live-1": "sk-", "\n\nPEM-begin": "\n"} {
		red, refused := redact.New([]redact.Secret{{"S", secret}}, redact.Options{ValueOnly: true})
		if refused != nil {
			t.Fatal(refused)
		}
		for n := 1; n < 8; n++ {
			text := "x" + strings.Repeat(before, n) + secret + "y"
			for size := 1; size < 9; size++ {
				got := write(t, red, text, size)
				if strings.Contains(got, strings.TrimSpace(secret)) || !strings.HasPrefix(got, "x") || !strings.HasSuffix(got, "y") {
					t.Errorf("%q in chunks of %d: %q", text, size, got)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	_, refused := redact.New([]redact.Secret{{"A", "x"}, {"B", "test"}, {"C", "password"}, {"D", "Wq8-longenough"}, {"E", "aaaaaaaa"}}, redact.Options{})
	var names []string
	for _, r := range refused {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, ""); got != "ABCE" {
		t.Errorf("refused %v", refused)
	}
}

func TestTellingNames(t *testing.T) {
	red, _ := redact.New(nil, redact.Options{Names: []string{"pin-code"}})
	for in, want := range map[string]string{
		"password=admin":                               "password=•••password•••",
		`{"password": "x", "user": "bob"}`:             `{"password": "•••password•••", "user": "bob"}`,
		"api-key: 1":                                   "api-key: •••api-key•••",
		"Authorization: Bearer abc.def":                "Authorization: Bearer •••Authorization•••",
		"curl -H 'Authorization: Bearer abc' http://x": "curl -H 'Authorization: Bearer •••Authorization•••' http://x",
		"bearer abcdef next":                           "bearer •••bearer••• next",
		"key sk_test_abc123 done":                      "key sk_test_•••key••• done",
		`msg="password=\"hunter2\" user=bob"`:          `msg="password=\"•••password•••\" user=bob"`,
		"the password is wrong":                        "the password is wrong",
		"token: null, secret: true":                    "token: null, secret: true",
		"PIN_CODE=0000&x=1":                            "PIN_CODE=•••PIN_CODE•••&x=1",
		"password=":                                    "password=",
		"db_password: p@ss,word":                       "db_password: •••db_password•••,word",
		"monkey=banana tokens: 5":                      "monkey=banana tokens: 5",
	} {
		whole := write(t, red, in)
		if whole != want {
			t.Errorf("%s\n got %s\nwant %s", in, whole, want)
		}
		for size := 1; size < 6; size++ {
			if got := write(t, red, in, size); got != whole {
				t.Errorf("in chunks of %d: %s, want %s", size, got, whole)
			}
		}
		if again := write(t, red, whole); again != whole {
			t.Errorf("masked twice: %s, want %s", again, whole)
		}
	}
}

func TestPatterns(t *testing.T) {
	red, _ := redact.New(nil, redact.Options{Patterns: true})
	r := rand.New(rand.NewPCG(9, 9))
	unknown := "gh" + "p_" + strings.Repeat("x", 0) + hexes(r, 36)
	text := "found " + unknown + " here\n" + pem(r) + "tail"
	for _, size := range []int{1, 7, 4096} {
		got := write(t, red, text, size)
		if strings.Contains(got, unknown) || strings.Contains(got, strings.Split(text, "\n")[3]) || !strings.HasSuffix(got, "tail") {
			t.Errorf("chunks of %d: %q", size, got)
		}
	}
}

func hexes(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}

func TestHandler(t *testing.T) {
	var out bytes.Buffer
	red, _ := redact.New([]redact.Secret{{"KEY", "q7Wn-2xZp-live"}}, redact.Options{})
	log := slog.New(red.Handler(slog.NewJSONHandler(&out, nil)))
	log.With("who", "q7Wn-2xZp-live").WithGroup("g").Error("with q7Wn-2xZp-live",
		"err", fmt.Errorf("dial: %w", errors.New("bad q7Wn-2xZp-live")), "password", 12, "n", 5, slog.Group("in", "v", "q7Wn-2xZp-live"), "any", struct{ A string }{"q7Wn-2xZp-live"})
	if got := out.String(); strings.Contains(got, "q7Wn") || !strings.Contains(got, `"n":5`) || !strings.Contains(got, "•••password•••") || strings.Count(got, "•••KEY•••") != 5 {
		t.Error(got)
	}
}

func TestSwap(t *testing.T) {
	red, _ := redact.New([]redact.Secret{{"OLD", "old-value-1"}}, redact.Options{})
	var out bytes.Buffer
	w := red.Writer(&out)
	fmt.Fprintf(w, "old-value-1 new-")
	red.Swap([]redact.Secret{{"OLD", "old-value-1"}, {"NEW", "new-value-2"}})
	fmt.Fprintf(w, " new-value-2 old-value-1")
	w.Close()
	if got, want := out.String(), "•••OLD••• new- •••NEW••• •••OLD•••"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if c := red.Counts(); c["OLD"] != 2 || c["NEW"] != 1 {
		t.Errorf("counts %v", c)
	}
}

// FuzzWriter compares the writer with a naive one that knows every form and looks at the whole text at once.
func FuzzWriter(f *testing.F) {
	f.Add(uint64(1), "seed-value-one", "aab1secret", uint8(3))
	f.Add(uint64(2), "ababab-ababab", "abababab", uint8(1))
	f.Add(uint64(3), "sk\\n'\"<>&é", "a+b/c=d%41", uint8(200))
	f.Fuzz(func(t *testing.T, seed uint64, one, two string, size uint8) {
		if len(one) > 200 || len(two) > 200 || strings.ContainsAny(one+two, "\n\r\x1b") {
			return
		}
		secrets := []redact.Secret{{"1", one}, {"2", two}}
		red, refused := redact.New(secrets, redact.Options{ValueOnly: true, Mask: func(string) string { return "\x00" }})
		bad := map[string]bool{}
		for _, x := range refused {
			bad[x.Name] = true
		}
		var forms []string
		for _, s := range secrets {
			if !bad[s.Name] {
				for _, form := range leak.Forms([]byte(s.Value)) {
					forms = append(forms, string(form))
				}
			}
		}
		r := rand.New(rand.NewPCG(seed, 1))
		var text strings.Builder
		for range r.IntN(12) {
			switch r.IntN(4) {
			case 0:
				text.WriteString(strings.ReplaceAll(letters(r, r.IntN(9)), " ", "_"))
			case 1:
				if len(forms) > 0 {
					text.WriteString(forms[r.IntN(len(forms))])
				}
			default:
				if len(forms) > 0 {
					form := forms[r.IntN(len(forms))]
					i := r.IntN(len(form))
					text.WriteString(form[i : i+r.IntN(len(form)-i+1)])
				}
			}
		}
		want := naive(text.String(), forms)
		got := write(t, red, text.String(), int(size)%17+1, r.IntN(40)+1)
		if got != want {
			t.Errorf("secrets %q %q text %q\n got %q\nwant %q", one, two, text.String(), got, want)
		}
	})
}

func naive(text string, forms []string) string {
	hidden := make([]bool, len(text)+1)
	joined := make([]bool, len(text)+1) // byte i continues the union of byte i-1
	for i := range text {
		for _, f := range forms {
			if len(f) >= 6 && strings.HasPrefix(text[i:], f) {
				for j := i; j < i+len(f); j++ {
					hidden[j] = true
					joined[j] = joined[j] || j > i
				}
			}
		}
	}
	var out strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			out.WriteByte(text[i])
		case !joined[i]:
			out.WriteByte(0)
		}
	}
	return out.String()
}

func benchWriter(b *testing.B, secrets, matches int) {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]redact.Secret, secrets)
	for i := range list {
		list[i] = redact.Secret{Name: "S" + strconv.Itoa(i), Value: hexes(r, 8) + letters(r, 24)}
	}
	red, _ := redact.New(list, redact.Options{ValueOnly: true})
	line := "2026-11-22T05:12:13.123Z INFO handled request method=GET path=/api/v1/users/12345 status=200 bytes=5123 duration=12.3ms remote=10.1.2.3"
	if matches > 0 {
		line += " " + list[secrets/2].Value
	}
	text := []byte(strings.Repeat(line+"\n", 200))
	w := red.Writer(discard{})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		_, _ = w.Write(text)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkWriter1000(b *testing.B)      { benchWriter(b, 1000, 0) }
func BenchmarkWriter1000Match(b *testing.B) { benchWriter(b, 1000, 1) }
func BenchmarkWriter10(b *testing.B)        { benchWriter(b, 10, 0) }

// TestRules: patterns of one's own are masked within their lines, however the text comes.
func TestRules(t *testing.T) {
	red, _ := redact.New(nil, redact.Options{ValueOnly: true, Rules: []redact.Rule{
		{Match: regexp.MustCompile(`(?m)^(customer )\d{4,}$`), Replace: "${1}[number]"},
		{Match: regexp.MustCompile(`SHOP-[a-z]+`)},
		{Match: regexp.MustCompile(`x*`), Replace: "y"}, // matches nothing, too
	}})
	const text = "customer 12345\na customer 12345\nSHOP-abc and SHOP-de, xx\nlast customer 1"
	const want = "customer [number]\na customer 12345\n•••pattern••• and •••pattern•••, y\nlast customer 1"
	for _, size := range []int{1, 7, len(text)} {
		var out strings.Builder
		w := red.Writer(&out)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil || out.String() != want {
			t.Errorf("in pieces of %d: %v\n%s", size, err, out.String())
		}
	}
	if n := red.Counts()["pattern"]; n != 12 {
		t.Errorf("counted %d, want 12", n)
	}
}
