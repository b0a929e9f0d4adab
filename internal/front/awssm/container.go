package awssm

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// ContainerPath is where clients ask for the credentials of their container; the id of the role's key follows.
const ContainerPath = "/v1/keephold/aws/credentials/"

// containerLife is how long such credentials live; clients ask again before.
const containerLife = time.Hour

// container answers GET ContainerPath KEYID with the role's token in Authorization
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
func (rq *request) container(w http.ResponseWriter) {
	issued, err := rq.serveContainer()
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status, code := http.StatusInternalServerError, "InternalFailure"
		if errors.Is(err, secret.ErrDenied) {
			status, code = http.StatusForbidden, "AccessDenied"
		} else {
			rq.log(err)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"code":"` + code + `","message":"the token is not one of this role"}`))
		return
	}
	c := credentialsOf(issued)
	b, _ := json.Marshal(struct{ AccessKeyId, SecretAccessKey, Token, Expiration, RoleArn string }{
		c.AccessKeyId, c.SecretAccessKey, c.SessionToken, c.Expiration, issued.Identity.Public,
	}) // strings always marshal
	_, _ = w.Write(b)
}

func (rq *request) serveContainer() (machine.Issued, error) {
	rq.action = "container"
	if rq.http.Method != http.MethodGet {
		return machine.Issued{}, machine.ErrNone()
	}
	rq.authenticate(machine.Presented{
		Public: strings.TrimPrefix(rq.http.URL.Path, ContainerPath), Secret: auth.NewProof([]byte(rq.http.Header.Get("Authorization"))),
		Kinds: []machine.Kind{machine.AWSRole},
	})
	return custody.Do(rq.ctx, rq.front.desk, rq.caller, machine.Issue{
		TTL: containerLife, Prefix: "ASIA", Name: "container", Meta: map[string]string{"session": "container"}, Shorter: true, Kinds: []machine.Kind{machine.AWSRole},
	})
}
