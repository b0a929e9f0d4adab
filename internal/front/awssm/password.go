package awssm

import (
	"crypto/rand"
	"math/big"
	"strings"

	"github.com/keephold/keephold/internal/policy"
)

// The classes of characters, as the vendor lists them.
const (
	lowers       = "abcdefghijklmnopqrstuvwxyz"
	uppers       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits       = "0123456789"
	punctuations = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

func getRandomPassword(rq *request) (any, error) {
	var in struct {
		PasswordLength                                                                       *int64
		ExcludeCharacters                                                                    string
		ExcludeNumbers, ExcludePunctuation, ExcludeUppercase, ExcludeLowercase, IncludeSpace bool
		RequireEachIncludedType                                                              *bool
	}
	if err := rq.into(&in); err != nil {
		return nil, err
	}
	length := int64(32)
	if in.PasswordLength != nil {
		length = *in.PasswordLength
	}
	switch {
	case length < 1:
		return nil, parameter("InvalidParameterException: PasswordLength must be at least 1.")
	case length > 4096:
		return nil, validation("1 validation error detected: Value '" + number(uint64(length)) + "' at 'passwordLength' failed to satisfy constraint: Member must have value less than or equal to 4096")
	case len(in.ExcludeCharacters) > 4096:
		return nil, validation("1 validation error detected: Value at 'excludeCharacters' failed to satisfy constraint: Member must have length less than or equal to 4096")
	}
	var classes []string
	for _, c := range []struct {
		characters string
		out        bool
	}{{lowers, in.ExcludeLowercase}, {uppers, in.ExcludeUppercase}, {digits, in.ExcludeNumbers}, {punctuations, in.ExcludePunctuation}, {" ", !in.IncludeSpace}} {
		if c.out {
			continue
		}
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(in.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, c.characters)
		if left != "" {
			classes = append(classes, left)
		}
	}
	each := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	switch {
	case len(classes) == 0:
		return nil, parameter("The password cannot be generated: every character is excluded.")
	case each && int64(len(classes)) > length:
		return nil, parameter("Password length " + number(uint64(length)) + " is too short based on the required types.")
	}
	if err := rq.front.desk.Ask(rq.ctx, rq.caller, need("random", rq.space+"/tools/random", policy.Read)); err != nil {
		return nil, err
	}
	return struct{ RandomPassword string }{password(int(length), classes, each)}, nil
}

// password picks uniformly among those that the request allows: where each class has to be there, one that misses a class
// is thrown away and picked anew, or, when that becomes unlikely, a place for each class is drawn first.
func password(length int, classes []string, each bool) string {
	all := strings.Join(classes, "")
	for range 100 {
		b := make([]byte, length)
		for i := range b {
			b[i] = pick(all)
		}
		if !each || holdsEach(string(b), classes) {
			return string(b)
		}
	}
	b := make([]byte, length)
	for i := range b {
		b[i] = pick(all)
	}
	places := order(length)
	for i, c := range classes {
		b[places[i]] = pick(c)
	}
	return string(b)
}

func holdsEach(s string, classes []string) bool {
	for _, c := range classes {
		if !strings.ContainsAny(s, c) {
			return false
		}
	}
	return true
}

func pick(from string) byte { return from[below(len(from))] }

// order is the numbers below n in random order (Fisher and Yates).
func order(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func below(n int) int {
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic("awssm: internal error: " + err.Error()) // crypto/rand never fails
	}
	return int(v.Int64())
}
