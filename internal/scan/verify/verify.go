// Package verify asks vendors whether a secret still opens something. It runs only when somebody asks for it: every
// question shows the secret to the one who is asked, and may ring a bell there.
package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An Answer is what a vendor says about a secret.
type Answer string

// The answers. Unknown is everything that proves neither: no connection, too many questions, an answer not understood.
const (
	Live    Answer = "live"
	Dead    Answer = "dead"
	Unknown Answer = "unknown"
)

// vendor says how one is asked.
type vendor struct {
	name  string
	rules []string // of which rules
	base  string   // where, unless it was said otherwise
	path  string
	sign  func(*http.Request, string)
	judge func(status int, body []byte) Answer
}

func vendors() []vendor {
	return []vendor{
		{"github", []string{"github-token", "github-fine-grained", "github-fine-grained-any"}, "https://api.github.com", "/user", bearer, byStatus},
		{"gitlab", []string{"gitlab-token", "gitlab-routable-token"}, "https://gitlab.com", "/api/v4/personal_access_tokens/self", func(r *http.Request, s string) { r.Header.Set("Private-Token", s) }, byStatus},
		{"npm", []string{"npm-token"}, "https://registry.npmjs.org", "/-/whoami", bearer, byStatus},
		{"slack", []string{"slack-bot-token", "slack-user-token", "slack-workspace-token", "slack-legacy-token"}, "https://slack.com", "/api/auth.test", bearer, slack},
		{"stripe", []string{"stripe-key"}, "https://api.stripe.com", "/v1/balance", func(r *http.Request, s string) { r.SetBasicAuth(s, "") }, stripe},
	}
}

func bearer(r *http.Request, s string) { r.Header.Set("Authorization", "Bearer "+s) }

func byStatus(status int, _ []byte) Answer {
	switch status {
	case http.StatusOK:
		return Live
	case http.StatusUnauthorized:
		return Dead
	}
	return Unknown
}

// slack answers 200 always, and the truth in the body.
func slack(status int, body []byte) Answer {
	var in struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	switch {
	case status != http.StatusOK || json.Unmarshal(body, &in) != nil:
		return Unknown
	case in.OK:
		return Live
	case slices.Contains([]string{"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"}, in.Error):
		return Dead
	}
	return Unknown
}

// stripe refuses with 403 what a live restricted key may not see.
func stripe(status int, body []byte) Answer {
	if status == http.StatusForbidden {
		return Live
	}
	return byStatus(status, body)
}

// Names lists the vendors that can be asked.
func Names() []string {
	var names []string
	for _, v := range vendors() {
		names = append(names, v.name)
	}
	return names
}

// A Verifier asks. Make one with [New].
type Verifier struct {
	vendors []vendor
	client  *http.Client
	asked   map[string]Answer
}

// New takes addresses to ask instead of the vendors' own, as VENDOR=URL.
func New(endpoints []string) (*Verifier, error) {
	v := &Verifier{vendors: vendors(), asked: map[string]Answer{}}
	for _, e := range endpoints {
		name, base, _ := strings.Cut(e, "=")
		i := slices.IndexFunc(v.vendors, func(x vendor) bool { return x.name == name })
		u, err := url.Parse(base)
		switch {
		case i < 0:
			return nil, fmt.Errorf("%q is no vendor that can be asked: %s", name, strings.Join(Names(), ", "))
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil:
			return nil, fmt.Errorf("%s: the address must be https://host or http://host", name)
		}
		v.vendors[i].base = strings.TrimRight(base, "/")
	}
	v.client = &http.Client{
		Timeout: 10 * time.Second,
		// A redirect would carry the secret to whoever it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return v, nil
}

// Ask says whether a secret that a rule found is live, and whom it asked; the name is empty when nobody could be asked.
// Each secret is asked for once. Neither an error nor an answer holds the secret.
func (v *Verifier) Ask(ctx context.Context, rule, secret string) (name string, answer Answer) {
	i := slices.IndexFunc(v.vendors, func(x vendor) bool { return slices.Contains(x.rules, rule) })
	if i < 0 {
		return "", ""
	}
	x := &v.vendors[i]
	id := x.name + "\x00" + secret
	if a, ok := v.asked[id]; ok {
		return x.name, a
	}
	a := v.ask(ctx, x, secret)
	v.asked[id] = a
	return x.name, a
}

func (v *Verifier) ask(ctx context.Context, x *vendor, secret string) Answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, x.base+x.path, nil)
	if err != nil {
		return Unknown
	}
	x.sign(r, secret)
	r.Header.Set("User-Agent", "keephold")
	resp, err := v.client.Do(r)
	if err != nil {
		return Unknown
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return Unknown
	}
	return x.judge(resp.StatusCode, body)
}
