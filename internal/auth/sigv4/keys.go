package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"

	lru "github.com/hashicorp/golang-lru/v2"
)

// cachedKeys is how many signing keys are kept: one for each access key, region and service of a day.
const cachedKeys = 1 << 12

// Keys keeps the keys that are derived from the secrets: they change once a day, requests come all the time. It may be used
// by several goroutines.
type Keys struct {
	cache *lru.Cache[Scope, derived]
}

type derived struct {
	from [sha256.Size]byte // hash of the secret: another secret's key is never answered
	key  []byte
}

// NewKeys makes an empty cache.
func NewKeys() *Keys {
	c, err := lru.New[Scope, derived](cachedKeys)
	if err != nil {
		panic("sigv4: internal error: " + err.Error()) // the size is a positive constant
	}
	return &Keys{c}
}

func (k *Keys) signing(s Scope, shared []byte) []byte {
	from := sha256.Sum256(shared)
	if d, ok := k.cache.Get(s); ok && subtle.ConstantTimeCompare(d.from[:], from[:]) == 1 {
		return d.key
	}
	d := derived{from, SigningKey(shared, s.Date, s.Region, s.Service)}
	k.cache.Add(s, d)
	return d.key
}

// SigningKey derives the key that signs requests of one day to one service of one region.
func SigningKey(shared []byte, date, region, service string) []byte {
	key := append([]byte("AWS4"), shared...)
	for _, word := range []string{date, region, service, terminator} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(word))
		key = mac.Sum(nil)
	}
	return key
}
