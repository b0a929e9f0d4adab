package awssm

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/policy"
	"github.com/keephold/keephold/internal/record"
	"github.com/keephold/keephold/internal/secret"
)

// Security Token Service, https://docs.aws.amazon.com/STS/latest/APIReference/

const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

// call is a row of the table of STS's actions. A result is the element inside the answer.
type call struct {
	name   string
	policy policy.Operation
	open   bool // not signed: who asks is proved by what is asked
	do     func(*request, url.Values) (any, error)
}

func calls() []call {
	return []call{
		{"GetCallerIdentity", "aws.GetCallerIdentity", false, getCallerIdentity},
		{"AssumeRole", "aws.AssumeRole", false, assumeRole},
		{"AssumeRoleWithWebIdentity", "aws.AssumeRoleWithWebIdentity", true, assumeRoleWithWebIdentity},
		{"GetSessionToken", "aws.GetSessionToken", false, getSessionToken},
		{"GetAccessKeyInfo", "aws.GetAccessKeyInfo", false, getAccessKeyInfo},
	}
}

// xml is the Query protocol.
func (rq *request) xml(w http.ResponseWriter) {
	name, result, err := rq.serveXML()
	if err != nil {
		rq.failXML(w, err)
		return
	}
	b, err := xml.Marshal(result)
	if err != nil {
		rq.failXML(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	text := "<" + name + "Response xmlns=\"" + stsNamespace + "\">" + string(b) + "<ResponseMetadata><RequestId>" + rq.id + "</RequestId></ResponseMetadata></" + name + "Response>\n"
	_, _ = w.Write([]byte(text)) // a client that went away has no use for the error
}

func (rq *request) serveXML() (string, any, error) {
	if err := rq.read(); err != nil {
		return "", nil, err
	}
	form, err := rq.form()
	if err != nil {
		return "", nil, err
	}
	c, known := rq.front.sts[form.Get("Action")]
	rq.action = c.name
	if !c.open {
		if err := rq.identify("sts"); err != nil {
			return "", nil, err
		}
	}
	switch {
	case form.Get("Version") != stsVersion:
		return "", nil, &apiError{"InvalidAction", "Could not find operation " + clip(form.Get("Action")) + " for version " + clip(form.Get("Version")), http.StatusBadRequest}
	case !known:
		return "", nil, &apiError{"InvalidAction", "Could not find operation " + clip(form.Get("Action")) + " for version " + stsVersion, http.StatusBadRequest}
	}
	out, err := c.do(rq, form)
	return c.name, out, err
}

// form is the body's parameters, or for a GET the query's; each once.
func (rq *request) form() (url.Values, error) {
	text := string(rq.body)
	if rq.http.Method == http.MethodGet {
		text = rq.http.URL.RawQuery
	}
	form, err := url.ParseQuery(text)
	if err != nil || len(form) > 100 {
		return nil, &apiError{"MalformedQueryString", "The query string contains a syntax error.", http.StatusBadRequest}
	}
	for name, values := range form {
		if len(values) != 1 {
			return nil, &apiError{"InvalidQueryParameter", "The parameter " + clip(name) + " stands more than once.", http.StatusBadRequest}
		}
	}
	return form, nil
}

// stsCodes are the Query protocol's names for what the JSON protocol calls otherwise.
var stsCodes = map[string]struct {
	code   string
	status int
}{
	"MissingAuthenticationTokenException": {"MissingAuthenticationToken", http.StatusForbidden},
	"IncompleteSignatureException":        {"IncompleteSignature", http.StatusBadRequest},
	"InvalidSignatureException":           {"SignatureDoesNotMatch", http.StatusForbidden},
	"UnrecognizedClientException":         {"InvalidClientTokenId", http.StatusForbidden},
	"ExpiredTokenException":               {"ExpiredToken", http.StatusForbidden},
	"AccessDeniedException":               {"AccessDenied", http.StatusForbidden},
	"ResourceNotFoundException":           {"AccessDenied", http.StatusForbidden},
	"ValidationException":                 {"ValidationError", http.StatusBadRequest},
	"InvalidParameterException":           {"ValidationError", http.StatusBadRequest},
	"ThrottlingException":                 {"Throttling", http.StatusBadRequest},
	"InternalServiceError":                {"InternalFailure", http.StatusInternalServerError},
	"RequestEntityTooLargeException":      {"RequestEntityTooLarge", http.StatusRequestEntityTooLarge},
}

func (rq *request) failXML(w http.ResponseWriter, err error) {
	e := rq.shape(err)
	var exact webError
	if errors.As(err, &exact) {
		e = *exact.apiError
	} else if s, ok := stsCodes[e.code]; ok {
		e.code, e.status = s.code, s.status
		if e.code == "AccessDenied" {
			e.text = "User: " + rq.principal() + " is not authorized to perform: sts:" + rq.action
		}
	}
	kind := "Sender"
	if e.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	type fault struct{ Type, Code, Message string }
	b, _ := xml.Marshal(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Error     fault
		RequestId string
	}{Namespace: stsNamespace, Error: fault{kind, e.code, e.text}, RequestId: rq.id}) // strings always marshal
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(e.status)
	_, _ = w.Write(append(b, '\n'))
}

// principal is the caller's ARN.
func (rq *request) principal() string {
	public := rq.meta("public")
	if session := rq.meta("session"); session != "" && rq.meta("kind") == string(machine.AWSRole) {
		return strings.Replace(strings.Replace(public, ":iam:", ":sts:", 1), ":role/", ":assumed-role/", 1) + "/" + session
	}
	if public == "" {
		return "anonymous"
	}
	return public
}

// userID is the unique id of the caller: it follows from the identity's.
func (rq *request) userID() string {
	session := rq.meta("session")
	if rq.meta("kind") == string(machine.AWSRole) && session != "" {
		return uniqueID("AROA", rq.meta("uid")) + ":" + session
	}
	return uniqueID("AIDA", rq.meta("uid"))
}

func getCallerIdentity(rq *request, _ url.Values) (any, error) {
	if err := rq.front.desk.Ask(rq.ctx, rq.caller, record.Need{Action: "sts.identity", Resource: "aws/" + rq.account + "/sts/identity", Known: true}); err != nil {
		return nil, err
	}
	return struct {
		XMLName              xml.Name `xml:"GetCallerIdentityResult"`
		Arn, UserId, Account string
	}{Arn: rq.principal(), UserId: rq.userID(), Account: rq.account}, nil
}

type credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }

func credentialsOf(s machine.Issued) credentials {
	return credentials{s.Access, string(s.Secret.Reveal()), string(s.Text.Reveal()), s.Expires.UTC().Format(time.RFC3339)}
}

func durationOf(form url.Values, standard, least, most int) (time.Duration, error) {
	text := form.Get("DurationSeconds")
	if text == "" {
		return time.Duration(standard) * time.Second, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, validation("1 validation error detected: Value '" + clip(text) + "' at 'durationSeconds' failed to satisfy constraint: Member must have value between " + strconv.Itoa(least) + " and " + strconv.Itoa(most))
	}
	return time.Duration(n) * time.Second, nil
}

func assumeRole(rq *request, form url.Values) (any, error) {
	a, err := assumptionOf(form)
	if err != nil {
		return nil, err
	}
	space := rq.front.spaceOf(rq.caller.From().Namespace, a.account, rq.region)
	issued, err := a.issue(rq, machine.Issue{For: a.role, Allow: need("sts.assume-role", space+"/sts/role/"+a.name, policy.Update)})
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName         xml.Name `xml:"AssumeRoleResult"`
		Credentials     credentials
		AssumedRoleUser roleUser
	}{Credentials: credentialsOf(issued), AssumedRoleUser: a.user(issued)}, nil
}

// assumption is what every way to assume a role is asked with.
type assumption struct {
	role, account, name, session string
	ttl                          time.Duration
}

func assumptionOf(form url.Values) (assumption, error) {
	a := assumption{role: form.Get("RoleArn"), session: form.Get("RoleSessionName")}
	var err error
	if a.ttl, err = durationOf(form, 3600, 900, 43200); err != nil {
		return a, err
	}
	var ok bool
	a.account, a.name, ok = roleOf(a.role)
	switch {
	case !ok:
		return a, validation(clip(a.role) + " is invalid")
	case !sessionName(a.session):
		return a, validation("1 validation error detected: Value '" + clip(a.session) + "' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*, and have length between 2 and 64")
	}
	for field := range form {
		if field == "Policy" || strings.HasPrefix(field, "PolicyArns") || strings.HasPrefix(field, "TransitiveTagKeys") {
			return a, &apiError{"MalformedPolicyDocument", "Session policies cannot be enforced here, so they are refused.", http.StatusBadRequest}
		}
	}
	return a, nil
}

// issue gives the caller the role's credentials.
func (a assumption) issue(rq *request, by machine.Issue) (machine.Issued, error) {
	by.TTL, by.Prefix, by.Name, by.Kinds = a.ttl, "ASIA", a.session, []machine.Kind{machine.AWSRole}
	by.Meta = map[string]string{"session": a.session}
	issued, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, by)
	if errors.Is(err, secret.ErrInvalid) {
		err = validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return issued, err
}

// roleUser is who has assumed a role.
type roleUser struct{ AssumedRoleId, Arn string }

func (a assumption) user(issued machine.Issued) roleUser {
	return roleUser{uniqueID("AROA", issued.Identity.UID) + ":" + a.session, "arn:aws:sts::" + a.account + ":assumed-role/" + a.name + "/" + a.session}
}

func getSessionToken(rq *request, form url.Values) (any, error) {
	ttl, err := durationOf(form, 43200, 900, 129600)
	if err != nil {
		return nil, err
	}
	if rq.http.Header.Get("X-Amz-Security-Token") != "" || rq.meta("kind") != string(machine.AWSKey) {
		return nil, &apiError{"AccessDenied", "Cannot call GetSessionToken with session credentials", http.StatusForbidden}
	}
	issued, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, machine.Issue{
		Allow: need("sts.session", rq.space+"/sts/session", policy.Update), TTL: ttl, Prefix: "ASIA", Shorter: true, Kinds: []machine.Kind{machine.AWSKey},
	})
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName     xml.Name `xml:"GetSessionTokenResult"`
		Credentials credentials
	}{Credentials: credentialsOf(issued)}, nil
}

func getAccessKeyInfo(rq *request, form url.Values) (any, error) {
	id := form.Get("AccessKeyId")
	if len(id) < 16 || len(id) > 128 || !secret.Alphanumeric(id) {
		return nil, validation("1 validation error detected: Value at 'accessKeyId' failed to satisfy constraint: Member must have length between 16 and 128")
	}
	account, err := custody.Do(rq.ctx, rq.front.desk, rq.caller, accountOf{rq.space, id})
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetAccessKeyInfoResult"`
		Account string
	}{Account: account}, nil
}
