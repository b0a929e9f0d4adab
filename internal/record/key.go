package record

import (
	"strings"

	"github.com/keephold/keephold/internal/secret"
)

// Key is the key of a record of that kind in a namespace: "kind/NAMESPACE/part/part". The root namespace is "-", which
// no namespace id can be. A part that could hold a '/' comes last, so that two records never share a key.
func Key(kind string, ns secret.NamespaceID, parts ...string) string {
	n := len(kind) + len(ns) + 2
	for _, p := range parts {
		n += len(p) + 1
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(kind)
	b.WriteByte('/')
	if ns == "" {
		b.WriteByte('-')
	} else {
		b.WriteString(string(ns))
	}
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(p)
	}
	return b.String()
}

// Last is the part of a key after its last '/'.
func Last(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }
