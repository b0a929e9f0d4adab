package machine

import (
	"context"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Lend gives a Caller that may use an identity a Session of it, in the form of its kind's dialect: what the host of a
// program hands to it, so that nothing of the identity's own is kept there.
type Lend struct {
	Name     string
	Audience string // of Azure: the resource that the token is for
	TTL      time.Duration
}

// lentName is what a lent role's session is called.
const lentName = "run"

// Need of the act: a right of its own, for it makes the Caller somebody else.
func (a Lend) Need() record.Need {
	return record.Need{Action: "identity.lend", Resource: "keephold/identities/" + a.Name + "/session", Capability: policy.Update}
}

// Plan seals the Session.
func (a Lend) Plan(ctx context.Context, c auth.Caller, v record.View) (Issued, []record.Change, error) {
	id, _, err := Named(ctx, v, c.From().Namespace, a.Name)
	if err != nil {
		return Issued{}, nil, auth.Tell(secret.ErrNotFound, "there is no identity %q", a.Name)
	}
	issue := Issue{For: id.Public, TTL: a.TTL, Shorter: true}
	switch id.Kind.Dialect() {
	case secret.AWS:
		issue.Prefix = "ASIA"
		if id.Kind == AWSRole {
			issue.Name, issue.Meta = lentName, map[string]string{"session": lentName}
		}
	case secret.GCP:
		issue.Meta = map[string]string{"for": "gcp"}
	default:
		if a.Audience == "" {
			return Issued{}, nil, auth.Tell(secret.ErrInvalid, "a token of an Azure identity is for a resource; none was given")
		}
		issue.Meta = map[string]string{"aud": a.Audience, "tenant": id.Home}
	}
	return issue.Plan(ctx, c, v)
}
