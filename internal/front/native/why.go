package native

import (
	"encoding/json"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/secret"
)

type explanation struct {
	Allowed    bool     `json:"allowed"`
	Reason     string   `json:"reason"`
	Resource   string   `json:"resource"`
	Capability string   `json:"capability"`
	Rule       string   `json:"rule,omitempty"`
	Matches    []match  `json:"matches"`
	Misses     []miss   `json:"misses"`
	Text       string   `json:"text"`
	Grants     []string `json:"capabilities"` // everything that the deciding rule gives there
	Views      []view   `json:"views,omitempty"`
}

// view is the deciding rule as a dialect would say it, or why it cannot.
type view struct {
	Dialect string `json:"dialect"`
	Text    string `json:"text,omitempty"`
	Why     string `json:"why,omitempty"`
}

type match struct {
	Rule     string `json:"rule"`
	Pattern  string `json:"pattern"`
	Rank     int    `json:"rank"`
	Grants   bool   `json:"grants"`
	Deciding bool   `json:"deciding"`
}

type miss struct {
	Rule    string `json:"rule"`
	Why     string `json:"why"`
	Suggest string `json:"suggest,omitempty"`
}

func explained(x policy.Explanation) explanation {
	e := explanation{
		Allowed: x.Decision.Allowed, Reason: x.Decision.Reason.String(), Resource: x.Request.Resource, Capability: x.Request.Capability.String(),
		Matches: []match{}, Misses: []miss{}, Text: x.String(), Grants: x.Decision.Capabilities.Names(),
	}
	if x.Decision.Rule != nil {
		e.Rule = x.Decision.Rule.Origin.String()
	}
	for _, m := range x.Matches {
		e.Matches = append(e.Matches, match{m.Rule.Origin.String(), m.Pattern, m.Rank, m.Grants, m.Deciding})
	}
	for _, m := range x.Misses {
		e.Misses = append(e.Misses, miss{m.Rule.Origin.String(), m.Why, m.Suggest})
	}
	for _, v := range x.Views {
		e.Views = append(e.Views, view{v.Dialect.String(), v.Text, v.Why})
	}
	return e
}

// question reads {"resource": "secret/data/app", "capability": "read"}.
func (rq *request) question() (q custody.Question, err error) {
	if q.Resource, err = rq.text("resource"); err != nil {
		return q, err
	}
	name, err := rq.text("capability")
	if err != nil {
		return q, err
	}
	if q.Capability, err = policy.ParseCapability(name); err != nil {
		return q, auth.Tell(secret.ErrInvalid, "%v", err)
	}
	return q, nil
}

// why is PUT why {"resource", "capability"}: what the caller's own policies say.
func why(rq *request) (any, error) {
	q, err := rq.question()
	if err != nil {
		return nil, err
	}
	x, err := rq.front.desk.Why(rq.http.Context(), rq.caller, q)
	if err != nil {
		return nil, err
	}
	return explained(x), nil
}

// explain is PUT explain {"policies": [...], "resource", "capability"}: what those policies say, whoever holds them.
func explain(rq *request) (any, error) {
	q, err := rq.question()
	if err != nil {
		return nil, err
	}
	var names []string
	if json.Unmarshal(rq.body["policies"], &names) != nil || len(names) == 0 || len(names) > 100 {
		return nil, auth.Tell(secret.ErrInvalid, "\"policies\" must be a list of 1 to 100 names")
	}
	x, err := rq.front.desk.Explain(rq.http.Context(), rq.caller, names, q)
	if err != nil {
		return nil, err
	}
	return explained(x), nil
}

// whoCan is PUT who-can {"resource", "capability"}.
func whoCan(rq *request) (any, error) {
	q, err := rq.question()
	if err != nil {
		return nil, err
	}
	return rq.front.desk.WhoCan(rq.http.Context(), rq.caller, q)
}

// text reads a member that must be there and be a text.
func (rq *request) text(name string) (string, error) {
	var s string
	if json.Unmarshal(rq.body[name], &s) != nil || s == "" {
		return "", auth.Tell(secret.ErrInvalid, "%q must be a text", name)
	}
	return s, nil
}
