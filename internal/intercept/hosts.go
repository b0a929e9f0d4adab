package intercept

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Ours says whether a host is on the list: the secret stores of AWS, Google and Azure, and where their clients sign in.
// The list is not a setting. A host that is not on it is none of our business.
func Ours(host string) bool {
	host = canonical(host)
	switch host {
	case "sts.amazonaws.com", "secretmanager.googleapis.com", "oauth2.googleapis.com", "login.microsoftonline.com":
		return true
	}
	if rest, ok := strings.CutSuffix(host, ".amazonaws.com"); ok {
		service, region, ok := strings.Cut(rest, ".")
		return ok && (service == "secretsmanager" || service == "sts") && isLabel(region)
	}
	vault, ok := strings.CutSuffix(host, ".vault.azure.net")
	return ok && isLabel(vault)
}

// domains are those that an authority of ours can sign for at all: the constraints of a certificate end at a name, and
// cannot hold the middle of one.
var domains = []string{
	"amazonaws.com", "secretmanager.googleapis.com", "oauth2.googleapis.com", "vault.azure.net", "login.microsoftonline.com",
}

func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// isASCII says that s holds bytes below 0x80 only: what travels in a request's target (RFC 3986, section 3.2.2; RFC 5890, section 2.3.2.1).
func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// isLabel says that s is one label of a host's name (RFC 1123, section 2.1).
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

var errTarget = errors.New("not HOST:PORT")

// parseTarget reads what CONNECT asks for (RFC 9112, section 3.2.3): a host's name or address, and a port.
func parseTarget(s string) (host, port string, err error) {
	if len(s) > 300 || strings.ContainsAny(s, "@/?#%\\ \t\r\n\x00") {
		return "", "", errTarget
	}
	host, port, err = net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", "", errTarget
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port != strconv.FormatUint(n, 10) {
		return "", "", errTarget
	}
	if strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", "", errTarget
	}
	if host[0] == '.' || strings.Contains(host, "..") || !isASCII(host) { // an empty label, or a name that is not in its A-label form
		return "", "", errTarget
	}
	return canonical(host), port, nil
}
