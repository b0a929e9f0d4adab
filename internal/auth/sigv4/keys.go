package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"

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
	macs *sync.Pool        // of hash.Hash under the key: making one costs as much as signing with it
}

// NewKeys makes an empty cache.
func NewKeys() *Keys {
	c, err := lru.New[Scope, derived](cachedKeys)
	if err != nil {
		panic("sigv4: internal error: " + err.Error()) // the size is a positive constant
	}
	return &Keys{c}
}

// sign signs text with the key of a scope.
func (k *Keys) sign(s Scope, shared, text []byte) (sum [sha256.Size]byte) {
	from := sha256.Sum256(shared)
	d, ok := k.cache.Get(s)
	if !ok || subtle.ConstantTimeCompare(d.from[:], from[:]) != 1 {
		key := SigningKey(shared, s.Date, s.Region, s.Service)
		d = derived{from, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
		k.cache.Add(s, d)
	}
	mac := d.macs.Get().(hash.Hash)
	defer d.macs.Put(mac)
	mac.Reset()
	mac.Write(text)
	mac.Sum(sum[:0])
	return sum
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
