package native

import (
	"strconv"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// search is GET search?q=TEXT&space=PREFIX&next=…&limit=N.
func search(rq *request) (any, error) {
	limit, err := rq.limit()
	if err != nil {
		return nil, err
	}
	q := rq.http.URL.Query()
	hits, next, err := rq.front.desk.Search(rq.http.Context(), rq.caller, custody.Search{Text: q.Get("q"), Space: q.Get("space"), Next: q.Get("next"), Limit: limit})
	if err != nil {
		return nil, err
	}
	if hits == nil {
		hits = []custody.Hit{}
	}
	return page{Hits: hits, Next: next}, nil
}

// page is one page of an answer; Next asks for the next one.
type page struct {
	Hits  []custody.Hit `json:"hits,omitempty"`
	Paths []string      `json:"paths,omitempty"`
	Next  string        `json:"next,omitempty"`
}

// tree is GET tree/SPACE[/FOLDER]?next=…&limit=N.
func tree(rq *request) (any, error) {
	limit, err := rq.limit()
	if err != nil {
		return nil, err
	}
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	paths, next, err := rq.front.desk.Tree(rq.http.Context(), rq.caller, ref, rq.http.URL.Query().Get("next"), limit)
	if err != nil {
		return nil, err
	}
	return page{Paths: paths, Next: next}, nil
}

func (rq *request) limit() (int, error) {
	s := rq.http.URL.Query().Get("limit")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > custody.MaxPage {
		return 0, auth.Tell(secret.ErrInvalid, "limit must be a number from 1 to %d", custody.MaxPage)
	}
	return n, nil
}

// move is PUT move {"from": "SPACE/PATH", "to": "SPACE/PATH"}.
func move(rq *request) (any, error) {
	from, to, err := rq.fromTo()
	if err != nil {
		return nil, err
	}
	if err := rq.front.desk.Move(rq.http.Context(), rq.caller, from, to); err != nil {
		return nil, err
	}
	return map[string]string{"from": from.String(), "to": to.String()}, nil
}

func (rq *request) fromTo() (from, to secret.Ref, err error) {
	for name, ref := range map[string]*secret.Ref{"from": &from, "to": &to} {
		text, err := rq.text(name)
		if err != nil {
			return from, to, err
		}
		if *ref, err = rq.refTo(text); err != nil {
			return from, to, auth.Tell(secret.ErrInvalid, "%q: %v", name, err)
		}
	}
	return from, to, nil
}

// copySecrets is PUT copy {"from": …, "to": …}, which begins a copy, and PUT copy/ID, which goes on with it. Each call
// does one page; the answer says how far it is.
func copySecrets(rq *request) (any, error) {
	ctx := rq.http.Context()
	if rq.path != "" {
		return rq.front.desk.CopyOn(ctx, rq.caller, rq.path)
	}
	from, to, err := rq.fromTo()
	if err != nil {
		return nil, err
	}
	return rq.front.desk.Copy(ctx, rq.caller, from, to)
}
