package awssm

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// listing is what a list asks for.
type listing struct {
	filters []filter
	limit   *int
	most    int // the greatest limit
	token   string
	planned bool // those in the trash, too
	sortBy  string
	order   string
}

func listSecrets(rq *request) (any, error) {
	var in struct {
		IncludePlannedDeletion       bool
		MaxResults                   *int
		NextToken, SortOrder, SortBy string
		Filters                      []filter
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	q, bound, err := rq.stocktaking(listing{in.Filters, in.MaxResults, 100, in.NextToken, in.IncludePlannedDeletion, in.SortBy, in.SortOrder})
	if err != nil {
		return nil, err
	}
	q.Seen = true
	stock, err := rq.front.desk.Inventory(rq.ctx, rq.caller, q)
	if err != nil {
		return nil, err
	}
	out := struct {
		SecretList []description
		NextToken  string `json:",omitempty"`
	}{make([]description, len(stock.Items)), tokenAfter(stock.Next, bound)}
	for i, it := range stock.Items {
		name, _ := secret.NameOn(secret.AWS, it.Path) // it has one, or Keep would not have kept it
		d := rq.describe(name, it.Head, it.Seen)
		d.SecretVersionsToStages, d.VersionIdsToStages = d.VersionIdsToStages, nil
		out.SecretList[i] = d
	}
	return out, nil
}

// stocktaking is what the Desk is asked for a page of the Space's secrets that pass the filters, by name unless another order is asked for. bound is what
// its token belongs to.
func (rq *request) stocktaking(l listing) (q custody.Stocktaking, bound string, err error) {
	limit, err := limitOf(l.limit, l.most)
	if err != nil {
		return q, "", err
	}
	match, err := compileFilters(l.filters, rq.region)
	if err != nil {
		return q, "", err
	}
	order, err := sorting(l.sortBy, l.order)
	if err != nil {
		return q, "", err
	}
	text, _ := json.Marshal([]any{l.filters, l.planned, l.sortBy, l.order}) // strings always marshal
	bound = string(text)
	after, err := readToken(l.token, bound)
	if err != nil {
		return q, "", err
	}
	q = custody.Stocktaking{Namespace: rq.caller.From().Namespace, Space: rq.space, Limit: limit, Order: order}
	if order == nil {
		q.After = after
	} else if after != "" {
		q.Skip = int(min(numberOf(after), math.MaxInt32))
	}
	if l.planned {
		q.From = custody.Standing | custody.Trashed
	}
	q.Keep = func(p secret.Path, h *secret.Head) bool {
		name, ok := secret.NameOn(secret.AWS, p)
		return ok && match(name, h)
	}
	return q, bound, nil
}

func sorting(by, order string) (func(a, b custody.Item) int, error) {
	if by == "" && order == "" {
		return nil, nil
	}
	name := func(it custody.Item) string { n, _ := secret.NameOn(secret.AWS, it.Path); return n }
	keys := map[string]func(a, b custody.Item) int{
		"":                   func(a, b custody.Item) int { return a.Head.Created.Compare(b.Head.Created) },
		"created-date":       func(a, b custody.Item) int { return a.Head.Created.Compare(b.Head.Created) },
		"last-changed-date":  func(a, b custody.Item) int { return a.Head.Updated.Compare(b.Head.Updated) },
		"last-accessed-date": func(a, b custody.Item) int { return a.Seen.Compare(b.Seen) },
		"name":               func(a, b custody.Item) int { return strings.Compare(name(a), name(b)) },
	}
	key, ok := keys[by]
	if !ok {
		return nil, validation("1 validation error detected: Value '" + clip(by) + "' at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [last-changed-date, created-date, name, last-accessed-date]")
	}
	switch order {
	case "", "asc":
		return key, nil
	case "desc":
		return func(a, b custody.Item) int { return key(b, a) }, nil
	}
	return nil, validation("1 validation error detected: Value '" + clip(order) + "' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [asc, desc]")
}

func limitOf(given *int, most int) (int, error) {
	if given == nil {
		return most, nil
	}
	if *given < 1 || *given > most {
		return 0, validation("1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value between 1 and " + strconv.Itoa(most))
	}
	return *given, nil
}

// A NextToken is where a page ended with a checksum over what it belongs to: another list's is refused. It gives nobody
// anything that the list itself would not.
func writeToken(after, bound string) string {
	sum := sha256.Sum256([]byte("next\x00" + after + "\x00" + bound))
	return base64.RawURLEncoding.EncodeToString(append(sum[:8], after...))
}

// tokenAfter is the token of the next page; "" when there is none.
func tokenAfter(next, bound string) string {
	if next == "" {
		return ""
	}
	return writeToken(next, bound)
}

func readToken(token, bound string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err == nil && len(b) > 8 && writeToken(string(b[8:]), bound) == token {
		return string(b[8:]), nil
	}
	return "", &apiError{"InvalidNextTokenException", "Invalid NextToken.", 400}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func numberOf(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 63) // written by number, and checked by the token
	return n
}

type filter struct {
	Key    string
	Values []string
}

// compileFilters reads filters: all of them must hold, each by one of its values; "!" before a value negates it.
func compileFilters(filters []filter, region string) (func(string, *secret.Head) bool, error) {
	if len(filters) > 10 {
		return nil, validation("1 validation error detected: Value at 'filters' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	var tests []func(string, *secret.Head) bool
	for _, f := range filters {
		switch {
		case f.Key == "":
			return nil, parameter("Invalid filter key")
		case len(f.Values) == 0:
			return nil, parameter("Invalid filter values for key: " + clip(f.Key))
		case len(f.Values) > 10:
			return nil, validation("1 validation error detected: Value at 'filters.1.member.values' failed to satisfy constraint: Member must have length less than or equal to 10")
		}
		one := filterKeys[f.Key]
		if one == nil {
			return nil, validation("1 validation error detected: Value '" + clip(f.Key) + "' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set: [all, name, tag-key, description, tag-value, owning-service, primary-region]")
		}
		values := f.Values
		tests = append(tests, func(name string, h *secret.Head) bool {
			return slices.ContainsFunc(values, func(v string) bool {
				bare, negated := strings.CutPrefix(v, "!")
				return one(bare, name, h, region) != negated
			})
		})
	}
	return func(name string, h *secret.Head) bool {
		for _, t := range tests {
			if !t(name, h) {
				return false
			}
		}
		return true
	}, nil
}

// filterKeys say for each key whether a value agrees: by prefix, or word by word for "all".
var filterKeys = map[string]func(value, name string, h *secret.Head, region string) bool{
	"name":        func(v, name string, _ *secret.Head, _ string) bool { return strings.HasPrefix(name, v) },
	"description": func(v, _ string, h *secret.Head, _ string) bool { return foldPrefix(h.About.Description, v) },
	"tag-key": func(v, _ string, h *secret.Head, _ string) bool {
		return slices.ContainsFunc(h.Custom, func(p secret.Pair) bool { return strings.HasPrefix(p.Key, v) })
	},
	"tag-value": func(v, _ string, h *secret.Head, _ string) bool {
		return slices.ContainsFunc(h.Custom, func(p secret.Pair) bool { return strings.HasPrefix(p.Value, v) })
	},
	"primary-region": func(v, _ string, h *secret.Head, region string) bool {
		return secret.Fact(h.Facts, factReplicas) != "" && strings.HasPrefix(region, v)
	},
	"owning-service": func(v, _ string, _ *secret.Head, _ string) bool { return v == "" },
	"all": func(v, name string, h *secret.Head, region string) bool {
		words := strings.Fields(strings.ToLower(v))
		texts := []string{name, h.About.Description, region}
		for _, p := range h.Custom {
			texts = append(texts, p.Key, p.Value)
		}
		for _, w := range words {
			if slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), w) }) {
				return true
			}
		}
		return false
	},
}

func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
