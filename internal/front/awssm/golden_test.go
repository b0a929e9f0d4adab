package awssm_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody/custodytest"
	"github.com/keephold/keephold/internal/front/awssm"
	"github.com/keephold/keephold/internal/secret"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

const (
	account = "123456789012"
	region  = "eu-west-1"
	host    = "secretsmanager.eu-west-1.amazonaws.com"
)

// golden is a front over a Desk in memory whose clock stands, with an access key that may do everything and one that may nothing.
type golden struct {
	t     *testing.T
	front *awssm.Front
	now   time.Time
	keys  map[string]machine.Credential // by who signs
}

func newGolden(t *testing.T) *golden {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k := custodytest.Open(t, func() time.Time { return now }, secret.Space{Name: "aws/" + account + "/" + region, Home: secret.AWS, Versioned: true})
	k.Policy("all", `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`)
	front, err := awssm.New(awssm.Config{Desk: k.Desk, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{t: t, front: front, now: now, keys: map[string]machine.Credential{}}
	for name, policy := range map[string][]string{"web": {"all"}, "guest": nil} {
		g.keys[name] = custodytest.Do(k, machine.Create{Name: name, Kind: machine.AWSKey, Home: account, Policies: policy})
	}
	custodytest.Do(k, machine.Create{Name: "deploy", Kind: machine.AWSRole, Home: account, Policies: []string{"all"}, Session: time.Hour})
	return g
}

// TestGolden replays the exchanges in testdata/*.txt: what the vendor's SDKs take apart and hide. A file is a list of requests
//
//	>>> OPERATION body      an action of Secrets Manager
//	>>> sts FORM            one of STS
//	by NAME                 who signs: web (who may everything) unless said; guest, stranger, liar (web's key with another secret), nobody
//	at -16m                 the clock of who signs
//	scope SERVICE           that the signature is for
//	with Name: value        a header that is signed; "after Name: value" one that is put in its place on the way
//	sent BODY               the body that arrives
//	via METHOD              that is used
//	<<< status
//	headers and the answer, as they are but for what is random
//
// and lines that begin with "#". With -update the answers are written anew.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newGolden(t).replay(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
			for i := range min(len(g), len(w)) {
				if g[i] != w[i] {
					t.Fatalf("%s:%d, after\n%s\ngot  %s\nwant %s", file, i+1, strings.Join(w[max(0, i-8):i], "\n"), g[i], w[i])
				}
			}
			if len(g) != len(w) {
				t.Errorf("%s: got %d lines, want %d", file, len(g), len(w))
			}
		})
	}
}

// exchange is a request as it is signed, and what becomes of it on the way.
type exchange struct {
	operation, body string
	by, scope       string
	at              time.Duration
	signed, after   []string
	sent, via       string
	changed         bool // sent is in the place of body
}

func (g *golden) replay(text string) string {
	var out strings.Builder
	var x *exchange
	inAnswer := false
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == ">>>":
			operation, body, _ := strings.Cut(rest, " ")
			x = &exchange{operation: operation, body: body, by: "web", scope: "secretsmanager", via: http.MethodPost}
			if operation == "sts" {
				x.scope = "sts"
			}
		case word == "<<<":
			out.WriteString(g.exchange(x))
			inAnswer = true
			continue
		case inAnswer && !strings.HasPrefix(line, "#"):
			continue // the old answer
		case strings.HasPrefix(line, "#") || line == "":
		default:
			x.read(g.t, word, rest)
		}
		inAnswer = false
		out.WriteString(line + "\n")
	}
	return out.String()
}

func (x *exchange) read(t *testing.T, word, rest string) {
	t.Helper()
	var err error
	switch word {
	case "by":
		x.by = rest
	case "at":
		x.at, err = time.ParseDuration(rest)
	case "scope":
		x.scope = rest
	case "with":
		x.signed = append(x.signed, rest)
	case "after":
		x.after = append(x.after, rest)
	case "sent":
		x.sent, x.changed = rest, true
	case "via":
		x.via = rest
	default:
		err = fmt.Errorf("unknown word %q", word)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (g *golden) exchange(x *exchange) string {
	body := x.body
	if x.changed {
		body = x.sent
	}
	target := "/"
	if x.via == http.MethodGet {
		target, body = "/?"+x.body, ""
	}
	r := httptest.NewRequestWithContext(g.t.Context(), x.via, target, strings.NewReader(body))
	r.Host = host
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if x.operation == "sts" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	} else {
		r.Header.Set("X-Amz-Target", "secretsmanager."+x.operation)
	}
	set := func(headers []string) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
	}
	set(x.signed)
	if x.by != "nobody" {
		g.sign(r, x)
	}
	set(x.after)
	w := httptest.NewRecorder()
	g.front.ServeHTTP(w, r)
	var out strings.Builder
	fmt.Fprintf(&out, "<<< %d\n", w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(w.Header()[name], ", "))
	}
	out.WriteString(strings.TrimRight(w.Body.String(), "\n") + "\n\n")
	answer := out.String()
	for _, s := range scrubs {
		answer = s.pattern.ReplaceAllString(answer, s.with)
	}
	return answer
}

var scrubs = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(Requestid: |<RequestId>)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "${1}UUID"},
	{regexp.MustCompile(`(:secret:[A-Za-z0-9/_+=.@!-]+)-[A-Za-z0-9]{6}"`), `${1}-SUFFIX"`},
	{regexp.MustCompile(`(AKIA|ASIA|AROA|AIDA)[A-Z2-7]{16}`), "${1}ID"},
	{regexp.MustCompile(`<SecretAccessKey>[^<]{40}<`), "<SecretAccessKey>KEY<"},
	{regexp.MustCompile(`<SessionToken>[^<]+<`), "<SessionToken>TOKEN<"},
}

// sign is Signature Version 4 as a client makes it
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), written here a second time so that front and
// test agree on the vendor's page, not on one function.
func (g *golden) sign(r *http.Request, x *exchange) {
	web := g.keys["web"]
	id, key := web.Key.ID, string(web.Secret.Reveal())
	switch x.by {
	case "liar":
		key = strings.Repeat("x", 40)
	case "stranger":
		id = "AKIA" + strings.Repeat("A", 16)
	case "guest":
		id, key = g.keys["guest"].Key.ID, string(g.keys["guest"].Secret.Reveal())
	}
	at := g.now.Add(x.at).Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", at)
	names := []string{"host"}
	for name := range r.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	var canonical strings.Builder
	query := ""
	if x.via == http.MethodGet {
		values, err := url.ParseQuery(x.body)
		if err != nil {
			g.t.Fatal(err)
		}
		query = strings.ReplaceAll(values.Encode(), "+", "%20")
	}
	fmt.Fprintf(&canonical, "%s\n/\n%s\n", x.via, query)
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, value)
	}
	body := x.body
	if x.via == http.MethodGet {
		body = ""
	}
	hash := sha256.Sum256([]byte(body))
	fmt.Fprintf(&canonical, "\n%s\n%s", strings.Join(names, ";"), hex.EncodeToString(hash[:]))
	scope := at[:8] + "/" + region + "/" + x.scope + "/aws4_request"
	hash = sha256.Sum256([]byte(canonical.String()))
	mac := []byte("AWS4" + key)
	for _, part := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hex.EncodeToString(hash[:])) {
		h := hmac.New(sha256.New, mac)
		h.Write([]byte(part))
		mac = h.Sum(nil)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+id+"/"+scope+", SignedHeaders="+strings.Join(names, ";")+", Signature="+hex.EncodeToString(mac))
}
