package custody

import (
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// The keys of the store. Ids in them never change; the names of namespaces and Spaces are settings and stand in no
// key, so renaming a Space costs one record however much it holds.
//
//	n/NAMESPACE/SPACE/PATH        the uid that the path names now; sealed
//	t/NAMESPACE/SPACE/PATH        the uid of a removed secret that can still be recovered; sealed
//	h/NAMESPACE/UID               head of a secret; sealed
//	v/NAMESPACE/UID/NUMBER        one version, 16 hexadecimal digits; sealed under the secret's data key
//	r/KEY                         an administrative record; sealed
//	out/ID                        an audit record on its way to the log
//	sys/seal, sys/keyring         how the root key is sealed; the keyring under the root key
const (
	namePrefix   = "n/"
	tombPrefix   = "t/"
	headPrefix   = "h/"
	valuePrefix  = "v/"
	recordPrefix = "r/"
	outPrefix    = "out/"
	sealKey      = "sys/seal"
	keyringKey   = "sys/keyring"
)

func nameKey(sp *secret.Space, p secret.Path) string {
	return namePrefix + string(sp.Namespace) + "/" + string(sp.ID) + "/" + p.String() // one allocation: every read makes one
}

func spacePrefix(kind string, sp *secret.Space) string {
	return kind + string(sp.Namespace) + "/" + string(sp.ID) + "/"
}

func headKey(ns secret.NamespaceID, uid secret.UID) string {
	return headPrefix + string(ns) + "/" + string(uid)
}

func valueKey(ns secret.NamespaceID, uid secret.UID, number uint64) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(valuePrefix) + len(ns) + len(uid) + 18)
	b.WriteString(valuePrefix)
	b.WriteString(string(ns))
	b.WriteByte('/')
	b.WriteString(string(uid))
	b.WriteByte('/')
	for shift := 60; shift >= 0; shift -= 4 {
		b.WriteByte(digits[number>>shift&15])
	}
	return b.String()
}
