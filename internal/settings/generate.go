package settings

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// Classes of characters of a generated password. None of the symbols means anything to a shell between quotes, to a URL
// parser or to a .env file.
const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digit  = "0123456789"
	symbol = "-_.+=!@%^*"
)

// generator is a parsed specification.
type generator struct {
	kind    string
	size    int
	classes []string
}

// Generate makes a new value by a specification:
//
//	urlsafe:N             N random bytes as base64url, like token_urlsafe(N) of Python (default 32)
//	hex:N                 N random bytes in hexadecimal (default 32)
//	alnum:N               N letters and digits (default 40)
//	password:N:CLASSES    N characters, at least one of each class of lower, upper, digit, symbol (default 24, all four)
//	uuid                  a random UUID (RFC 9562, version 4)
//	rsa:BITS              an RSA private key, PKCS #8 in PEM (default 3072)
//	ed25519               an Ed25519 private key, PKCS #8 in PEM
func Generate(spec string) (secret.Value, error) {
	g, err := parseGenerator(spec)
	if err != nil {
		return secret.Value{}, err
	}
	b, err := g.make()
	return secret.NewValue(b), err
}

// CheckGenerator says whether Generate understands a specification.
func CheckGenerator(spec string) error {
	_, err := parseGenerator(spec)
	return err
}

func parseGenerator(spec string) (generator, error) {
	kind, rest, sized := strings.Cut(spec, ":")
	g := generator{kind: kind}
	limits := map[string][3]int{ // default, least, most
		"urlsafe": {32, 8, 4096}, "hex": {32, 8, 4096}, "alnum": {40, 8, 4096}, "password": {24, 8, 4096},
		"rsa": {3072, 2048, 8192}, "uuid": {}, "ed25519": {},
	}
	l, ok := limits[kind]
	if !ok {
		return g, fmt.Errorf("unknown generator %q: one of urlsafe:32, hex:32, alnum:40, password:24, uuid, rsa:3072, ed25519: %w",
			kind, secret.ErrInvalid)
	}
	g.size = l[0]
	size, classes, _ := strings.Cut(rest, ":")
	if sized && (l[0] == 0 || classes != "" && kind != "password") {
		return g, fmt.Errorf("generator %s: takes nothing more: %w", kind, secret.ErrInvalid)
	}
	if sized {
		n, err := strconv.Atoi(size)
		if err != nil || n < l[1] || n > l[2] || kind == "rsa" && n%256 != 0 {
			return g, fmt.Errorf("generator %s: the size is a number from %d to %d: %w", kind, l[1], l[2], secret.ErrInvalid)
		}
		g.size = n
	}
	return g, g.setClasses(classes)
}

func (g *generator) setClasses(list string) error {
	known := map[string]string{"lower": lower, "upper": upper, "digit": digit, "symbol": symbol}
	if list == "" {
		g.classes = []string{lower, upper, digit, symbol}
		return nil
	}
	for name := range strings.SplitSeq(list, ",") {
		class, ok := known[name]
		if !ok || slices.Contains(g.classes, class) {
			return fmt.Errorf("generator password: classes are lower, upper, digit and symbol, each once: %w", secret.ErrInvalid)
		}
		g.classes = append(g.classes, class)
	}
	return nil
}

func (g *generator) make() ([]byte, error) {
	switch g.kind {
	case "urlsafe":
		return base64.RawURLEncoding.AppendEncode(nil, randomBytes(g.size)), nil
	case "hex":
		return hex.AppendEncode(nil, randomBytes(g.size)), nil
	case "alnum":
		return pick(g.size, lower+upper+digit), nil
	case "password":
		return g.password(), nil
	case "uuid":
		b := randomBytes(16)
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Appendf(nil, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
	case "rsa":
		key, err := rsa.GenerateKey(rand.Reader, g.size)
		if err != nil {
			return nil, err
		}
		return pkcs8(key)
	default: // ed25519
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return pkcs8(key)
	}
}

// password draws from all classes until each is there, which keeps every such password equally likely.
func (g *generator) password() []byte {
	for {
		b := pick(g.size, strings.Join(g.classes, ""))
		if !slices.ContainsFunc(g.classes, func(class string) bool { return !strings.ContainsAny(string(b), class) }) {
			return b
		}
	}
}

func pkcs8(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program ends if the system has no randomness
	return b
}

func pick(n int, alphabet string) []byte {
	out := make([]byte, n)
	most := big.NewInt(int64(len(alphabet)))
	for i := range out {
		k, err := rand.Int(rand.Reader, most)
		if err != nil {
			panic("settings: internal error: no randomness: " + err.Error())
		}
		out[i] = alphabet[k.Int64()]
	}
	return out
}
