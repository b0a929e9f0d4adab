package awssm

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/jwt"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
	"github.com/keephold/keephold/internal/wire"
)

// assumeRoleWithWebIdentity is asked by who has a token of an OpenID Connect provider that the role trusts, and is not signed
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
func assumeRoleWithWebIdentity(rq *request, form url.Values) (any, error) {
	a, err := assumptionOf(form)
	if err != nil {
		return nil, err
	}
	token := form.Get("WebIdentityToken")
	if len(token) < 4 || len(token) > 20000 {
		return nil, validation("1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length between 4 and 20000")
	}
	rq.authenticate(jwt.Taking{
		Public: a.role, Kinds: []machine.Kind{machine.AWSRole}, Token: auth.NewProof([]byte(token)), Mounts: rq.front.issuersOf(a.account),
		From: wire.Peer(rq.http), Now: rq.front.cfg.Now(), Keys: rq.front.cfg.Issuers,
	})
	subject := rq.meta(jwt.MetaSubject)
	issued, err := a.issue(rq, machine.Issue{
		Allow: record.Need{Action: "sts.assume-role-web", Resource: "aws/" + a.account + "/sts/role/" + a.name + "/" + a.session, Known: true},
	})
	if err != nil {
		return nil, webFault(err)
	}
	return struct {
		XMLName                     xml.Name `xml:"AssumeRoleWithWebIdentityResult"`
		SubjectFromWebIdentityToken string
		Audience                    string
		AssumedRoleUser             roleUser
		Credentials                 credentials
		Provider                    string
	}{
		SubjectFromWebIdentityToken: subject, Audience: rq.meta(jwt.MetaAudience), AssumedRoleUser: a.user(issued),
		Credentials: credentialsOf(issued), Provider: rq.meta(jwt.MetaIssuer),
	}, nil
}

// issuersOf are the mounts that may trust a token's issuer for an account's roles: all of its namespace, so that nothing of what is answered before the
// token is proved depends on which roles there are. An account that nobody has is looked at like one of the root namespace.
func (f *Front) issuersOf(account string) []auth.Mount {
	out := []auth.Mount{} // never nil, which would be the role's own
	table := f.desk.Table()
	if table == nil {
		return out
	}
	for _, ns := range table.OfAccount(account) {
		for _, m := range table.Mounts(ns) {
			if m.Type == jwt.Method {
				out = append(out, auth.Mount{Path: m.Name, Accessor: m.Accessor, Namespace: m.Namespace})
			}
		}
	}
	return out
}

// webFaults are the vendor's words for what is wrong with a token, from the page above.
var webFaults = map[jwt.FaultKind]struct {
	code, before string
	status       int
}{
	jwt.Malformed:   {"InvalidIdentityToken", "The ID Token provided is not a valid JWT: ", http.StatusBadRequest},
	jwt.Expired:     {"ExpiredTokenException", "Token expired: ", http.StatusBadRequest},
	jwt.Early:       {"IDPRejectedClaim", "The token is rejected: ", http.StatusForbidden},
	jwt.Untrusted:   {"InvalidIdentityToken", "No OpenIDConnect provider found in your account for ", http.StatusBadRequest},
	jwt.Unproved:    {"InvalidIdentityToken", "The web identity token could not be validated: ", http.StatusBadRequest},
	jwt.Unreachable: {"IDPCommunicationError", "The identity provider could not be reached: ", http.StatusBadRequest},
}

// webError is an error of this action, whose code stands as it is: ExpiredTokenException is ExpiredToken everywhere else in STS.
type webError struct{ *apiError }

// webFault is what the client is told. A refusal by the role reads the same as for a role that never was.
func webFault(err error) error {
	var f *jwt.Fault
	if errors.As(err, &f) {
		if w, ok := webFaults[f.Kind]; ok {
			return webError{&apiError{w.code, w.before + f.Text, w.status}}
		}
	}
	if errors.Is(err, secret.ErrDenied) {
		return webError{&apiError{"AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", http.StatusForbidden}}
	}
	return err
}
