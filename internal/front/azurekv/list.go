package azurekv

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// page is the vendor's list: nextLink is null on the last one.
type page struct {
	Value    []bundle `json:"value"`
	NextLink *string  `json:"nextLink"`
}

// maxPage is the most that a page holds, and what it holds when nothing is asked for.
const maxPage = 25

// query is what a client asks for beside the path.
type query struct {
	version string // of the API
	limit   int
	after   string
}

// parseQuery reads the query strictly: names once decoded, and an api-version, which every call needs.
func parseQuery(raw string) (query, error) {
	q := query{limit: maxPage}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, auth.Tell(secret.ErrInvalid, "The query cannot be read.")
	}
	q.version = values.Get("api-version")
	switch {
	case q.version == "":
		return q, auth.Tell(secret.ErrInvalid, "api-version must be specified")
	case !knownVersion(q.version):
		return q, auth.Tell(secret.ErrInvalid, "The specified version (%s) is not recognized. Consider using the latest supported version (2025-07-01).", q.version)
	}
	if m := values.Get("maxresults"); m != "" {
		if q.limit, err = strconv.Atoi(m); err != nil || q.limit < 1 || q.limit > maxPage {
			return q, auth.Tell(secret.ErrInvalid, "maxresults must be a number from 1 to %d", maxPage)
		}
	}
	if t := values.Get("$skiptoken"); t != "" {
		b, err := base64.RawURLEncoding.Strict().DecodeString(t)
		if err != nil || len(b) > 1024 {
			return q, auth.Tell(secret.ErrInvalid, "The $skiptoken is none of ours")
		}
		q.after = string(b)
	}
	return q, nil
}

// knownVersion takes 7.0 to 7.6, and every version that is named by its date: the calls here have not changed since.
func knownVersion(v string) bool {
	if minor, ok := strings.CutPrefix(v, "7."); ok {
		minor = strings.TrimSuffix(minor, "-preview")
		return len(minor) == 1 && minor[0] >= '0' && minor[0] <= '6'
	}
	v = strings.TrimSuffix(v, "-preview")
	digits := strings.ReplaceAll(v, "-", "")
	_, err := strconv.ParseUint(digits, 10, 32)
	return err == nil && len(v) == 10 && v[4] == '-' && v[7] == '-' && v >= "2025-07-01"
}

// next is the link to the page behind after.
func (rq *request) next(after string) *string {
	if after == "" {
		return nil
	}
	v := url.Values{"api-version": {rq.query.version}, "$skiptoken": {base64.RawURLEncoding.EncodeToString([]byte(after))}}
	if rq.query.limit != maxPage {
		v.Set("maxresults", strconv.Itoa(rq.query.limit))
	}
	link := "https://" + rq.http.Host + rq.http.URL.EscapedPath() + "?" + v.Encode()
	return &link
}

// listSecrets is GET /secrets: one item a name, without bytes, and without a version in its id.
func listSecrets(rq *request) (any, error) { return rq.list(custody.Standing) }

// listDeleted is GET /deletedsecrets.
func listDeleted(rq *request) (any, error) { return rq.list(custody.Trashed) }

func (rq *request) list(from custody.Shelf) (any, error) {
	stock, err := rq.front.desk.Inventory(rq.http.Context(), rq.caller, custody.Stocktaking{
		Namespace: rq.space.Namespace, Space: rq.space.Space, From: from, After: rq.query.after, Limit: rq.query.limit,
		Keep: func(p secret.Path, h *secret.Head) bool {
			_, named := secret.NameOn(secret.Azure, p)
			return named && rq.newest(h) != nil
		},
	})
	if err != nil {
		return nil, err
	}
	out := page{Value: []bundle{}, NextLink: rq.next(stock.Next)}
	for _, i := range stock.Items {
		out.Value = append(out.Value, rq.show(i.Path, i.Head, rq.newest(i.Head), false))
	}
	return out, nil
}

// listVersions is GET /secrets/NAME/versions, oldest first.
func listVersions(rq *request) (any, error) {
	ref, err := rq.ref()
	if err != nil {
		return nil, err
	}
	after := uint64(0)
	if rq.query.after != "" {
		if after, err = strconv.ParseUint(rq.query.after, 10, 63); err != nil {
			return nil, auth.Tell(secret.ErrInvalid, "The $skiptoken is none of ours")
		}
	}
	h, err := rq.front.desk.Describe(rq.http.Context(), rq.caller, ref)
	if err != nil {
		return nil, hidden(err)
	}
	out := page{Value: []bundle{}}
	for i := range h.Versions {
		v := &h.Versions[i]
		if v.Number <= after || v.State == secret.Destroyed {
			continue
		}
		if len(out.Value) == rq.query.limit {
			out.NextLink = rq.next(strconv.FormatUint(after, 10))
			break
		}
		out.Value = append(out.Value, rq.show(ref.Path, h, v, true))
		after = v.Number
	}
	return out, nil
}

func isTrashed(err error) bool { return errors.Is(err, secret.ErrTrashed) }
