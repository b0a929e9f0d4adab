package store

import "strings"

// What an ordered engine needs to answer a Query by seeking. The rules stand here once, so that engines cannot differ.

// Start returns the first key that a page may begin with: seek to it, inclusive.
func (q Query) Start() string {
	if q.After < q.Prefix {
		return q.Prefix
	}
	if q.OneLevel && strings.HasPrefix(q.After, q.Prefix) {
		if n := GroupLen(q, q.After); n > 0 {
			return PastGroup(q.After[:n])
		}
	}
	if q.After == "" {
		return ""
	}
	return q.After + "\x00" // the least key that is greater
}

// GroupLen returns how many bytes of a key, which must begin with the prefix, name the group that it collapses into, or 0
// when it is answered as itself.
func GroupLen[K ~string | ~[]byte](q Query, key K) int {
	if !q.OneLevel {
		return 0
	}
	for i := len(q.Prefix); i < len(key); i++ {
		if key[i] == '/' {
			return i + 1
		}
	}
	return 0
}

// PastGroup returns the least key that is greater than every key of the group, which ends in '/'.
func PastGroup(group string) string { return group[:len(group)-1] + "0" } // '0' is the byte after '/'
