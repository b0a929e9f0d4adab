package custody

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/store"
)

// Bounds of one page.
const (
	MaxPage    = 1000
	lookAtOnce = 1000
	lookAtMost = 50_000 // names that one page looks at; what is left is for the next
)

// Search asks for secrets by a part of their path, in every Space that the caller may know of.
type Search struct {
	Text  string // part of the path, without regard to case; "" is every path
	Space string // only in Spaces whose names begin with this
	Next  string // as the last page answered it
	Limit int    // 0: 100
}

// Hit is one secret that was found.
type Hit struct {
	Space string `json:"space"`
	Path  string `json:"path"`
}

// Search answers a page of hits, each of which the caller may read the metadata of, and where the next page begins ("":
// there is none). A page may hold fewer hits than asked for, or none, and still have a next.
func (d *Desk) Search(ctx context.Context, c auth.Caller, s Search) ([]Hit, string, error) {
	t, err := d.admit(ctx, c, record.Need{Action: "search", Resource: "keephold/search", Capability: policy.Update}, what{})
	if err != nil {
		return nil, "", err
	}
	hits, next, err := t.search(ctx, s)
	return hits, next, t.done(err)
}

func (t *turn) search(ctx context.Context, s Search) ([]Hit, string, error) {
	from, after, err := parseCursor(s.Next)
	if err != nil {
		return nil, "", err
	}
	w := walk{t: t, ctx: ctx, text: strings.ToLower(s.Text), limit: pageLimit(s.Limit), left: lookAtMost}
	for _, sp := range t.table.Spaces(t.caller.From().Namespace) {
		if !strings.HasPrefix(sp.Name, s.Space) || sp.Name < from || !t.d.KnowsOf(t.caller, sp) {
			continue
		}
		if sp.Name > from {
			after = ""
		}
		more, err := w.space(sp, secret.Path{}, after)
		if err != nil {
			return nil, "", err
		}
		if more != "" {
			return w.hits, cursor(sp.Name, more), nil
		}
		from = sp.Name
	}
	return w.hits, "", nil
}

// walk looks at names in order until it has enough of them.
type walk struct {
	t     *turn
	ctx   context.Context
	text  string
	limit int
	left  int // names that may still be looked at
	hits  []Hit
}

// space looks below a folder, after a name; the answer is the last name that was looked at when there may be more.
func (w *walk) space(sp *secret.Space, folder secret.Path, after string) (string, error) {
	prefix := nameKey(sp, folder)
	if !folder.IsRoot() {
		prefix += "/"
	}
	base := len(nameKey(sp, secret.Path{}))
	for {
		q := store.Query{Prefix: prefix, Limit: lookAtOnce, KeysOnly: true}
		if after != "" {
			q.After = nameKey(sp, secret.Path{}) + after
		}
		entries, _, err := w.t.d.engine.List(w.ctx, q)
		if err != nil {
			return "", storeError(err)
		}
		for _, e := range entries {
			after = e.Key[base:]
			w.left--
			if strings.Contains(strings.ToLower(after), w.text) && w.t.maySee(sp, after) {
				w.hits = append(w.hits, Hit{sp.Name, after})
			}
			if len(w.hits) == w.limit || w.left <= 0 {
				return after, nil
			}
		}
		if len(entries) < lookAtOnce {
			return "", nil
		}
	}
}

// maySee says whether a list may show the secret: its metadata may be read.
func (t *turn) maySee(sp *secret.Space, path string) bool {
	p, err := secret.ParsePath(path)
	if err != nil {
		return false
	}
	return t.caller.Powers().Decide(t.request(verbDescribe.on(sp, p), what{space: sp})).Allowed
}

// Tree answers whole paths below a folder, those whose metadata the caller may read, a page at a time.
func (d *Desk) Tree(ctx context.Context, c auth.Caller, folder secret.Ref, next string, limit int) ([]string, string, error) {
	t, sp, err := d.enter(ctx, c, folder, verbList)
	if err != nil {
		return nil, "", err
	}
	_, after, err := parseCursor(next)
	if err != nil {
		return nil, "", t.done(err)
	}
	w := walk{t: t, ctx: ctx, limit: pageLimit(limit), left: lookAtMost}
	more, err := w.space(sp, folder.Path, after)
	if err != nil {
		return nil, "", t.done(err)
	}
	paths := make([]string, len(w.hits))
	for i, h := range w.hits {
		paths[i] = h.Path
	}
	if more != "" {
		more = cursor(sp.Name, more)
	}
	return paths, more, t.done(nil)
}

func pageLimit(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, MaxPage)
}

func cursor(space, path string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(space + "\x00" + path))
}

func parseCursor(s string) (space, path string, err error) {
	if s == "" {
		return "", "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	space, path, ok := strings.Cut(string(b), "\x00")
	if err != nil || !ok {
		return "", "", fmt.Errorf("%w: \"next\" is not what the last page answered", secret.ErrInvalid)
	}
	return space, path, nil
}
