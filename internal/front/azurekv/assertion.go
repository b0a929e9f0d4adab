package azurekv

import (
	"errors"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/auth/jwt"
)

// assertionType says that a client proves itself by a token of an issuer that its identity trusts (RFC 7523, section 2.2), as programs with a federated
// credential do: https://learn.microsoft.com/entra/workload-id/workload-identity-federation.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// errFederated reads the same for a client that never was, for one that trusts nobody, and for a token that says something else or that its issuer did not sign.
var errFederated = &refusal{
	http.StatusUnauthorized, "invalid_client",
	"AADSTS70021: No matching federated identity record found for presented assertion. Check the issuer, subject, audience and signature of the assertion.",
	[]int{70021},
}

// assertionFault is the vendor's answer to an assertion that is not good; other errors pass.
func assertionFault(err error) error {
	var f *jwt.Fault
	if !errors.As(err, &f) {
		return err
	}
	switch f.Kind {
	case jwt.Malformed:
		return &refusal{http.StatusUnauthorized, "invalid_client", "AADSTS50027: JWT token is invalid or malformed.", []int{50027}}
	case jwt.Expired, jwt.Early:
		return &refusal{http.StatusUnauthorized, "invalid_client", "AADSTS700024: Client assertion is not within its valid time range: " + strings.TrimSuffix(f.Text, ".") + ".", []int{700024}}
	case jwt.Unreachable:
		return &refusal{http.StatusBadRequest, "invalid_request", "AADSTS90061: Request to External OIDC endpoint failed.", []int{90061}}
	}
	return errFederated
}
