package custody

import (
	"sync/atomic"

	"github.com/keephold/keephold/internal/audit"
	"github.com/keephold/keephold/internal/barrier"
)

// keyedNames remembers what accessors read like in the audit log, so that a token that is used a thousand times is not
// hashed a thousand times. It has room for so many and forgets the rest; an answer counts only under the keyring that it
// was made under.
type keyedNames struct {
	slots [1024]atomic.Pointer[keyedName]
}

type keyedName struct {
	ring         *barrier.Keyring
	plain, keyed string
}

func (k *keyedNames) name(log *audit.Log, ring *barrier.Keyring, plain string) string {
	h := uint32(2166136261) // FNV-1a: which slot a name falls into is of no consequence but speed
	for i := range len(plain) {
		h = (h ^ uint32(plain[i])) * 16777619
	}
	slot := &k.slots[h%uint32(len(k.slots))]
	if n := slot.Load(); n != nil && n.ring == ring && n.plain == plain {
		return n.keyed
	}
	keyed := log.HMAC(plain)
	if keyed != "" {
		slot.Store(&keyedName{ring, plain, keyed})
	}
	return keyed
}
