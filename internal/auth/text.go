package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"
	"time"

	"github.com/keephold/keephold/internal/record"
)

// The texts that this house hands out are "PREFIX BODY CHECK" without the spaces (docs/tokens.md):
//
//	PREFIX  khs_ service token, khb_ sealed (batch) token, khr_ recovery token, kha_ accessor
//	BODY    when it was made, 7 digits of base62, and 25 random ones, 148 bits; of khb_ the sealed content in base64url
//	        without padding
//	CHECK   CRC-32 (IEEE) of PREFIX and BODY as 6 characters of base62, leading zeros kept
//
// The check keeps no secret. It lets a scanner know a leaked token for certain, and lets Authenticate refuse a mistyped
// one without asking the store.
const (
	PrefixService  = "khs_"
	PrefixBatch    = "khb_"
	PrefixRecovery = "khr_"
	PrefixAccessor = "kha_"

	prefixLen = 4
	stampLen  = 7
	bodyLen   = 32
	checkLen  = 6

	// TokenLen is the length of a service token.
	TokenLen = prefixLen + bodyLen + checkLen

	// MaxText is the length of the longest token that is looked at.
	MaxText = 8 << 10
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newText returns a fresh text with that prefix. It begins with the millisecond at which it is made, so that the records of
// tokens that are made together lie together in the store (see indexOf); what nobody can guess is the rest of it.
func newText(prefix string, at time.Time) []byte {
	b := make([]byte, prefixLen+stampLen, prefixLen+bodyLen+checkLen)
	copy(b, prefix)
	putBase62(b[prefixLen:], uint64(at.UnixMilli()))
	var pool [40]byte
	for len(b) < prefixLen+bodyLen {
		_, _ = rand.Read(pool[:]) // never fails: crypto/rand ends the program instead
		for _, r := range pool {
			// 248 is the largest multiple of 62 in a byte; what lies above would favour the first letters.
			if r < 248 && len(b) < prefixLen+bodyLen {
				b = append(b, base62[r%62])
			}
		}
	}
	return appendCheck(b)
}

// indexOf is the keyed index of a token's text. For a text of ours the time that it begins with comes first, as eleven
// hexadecimal digits: a keyed index alone would send each of a token's records to a page of the store of its own, and what a
// sign-in costs would grow with the number of tokens.
func indexOf(v record.View, text []byte) string {
	if !hasTokenPrefix(text) || bytes.HasPrefix(text, []byte(PrefixBatch)) || !checkText(text) {
		return v.Index(text)
	}
	var at uint64
	for _, c := range text[prefixLen : prefixLen+stampLen] {
		at = at*62 + uint64(strings.IndexByte(base62, c))
	}
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], at)
	return hex.EncodeToString(stamp[:])[5:] + v.Index(text)
}

// batchText is the text of a sealed token.
func batchText(sealed []byte) []byte {
	b := make([]byte, prefixLen, prefixLen+base64.RawURLEncoding.EncodedLen(len(sealed))+checkLen)
	copy(b, PrefixBatch)
	return appendCheck(base64.RawURLEncoding.AppendEncode(b, sealed))
}

// openBatchText is the sealed content of a text that CheckToken accepts.
func openBatchText(text []byte) ([]byte, bool) {
	body := text[prefixLen : len(text)-checkLen]
	sealed, err := base64.RawURLEncoding.Strict().AppendDecode(nil, body)
	return sealed, err == nil
}

func appendCheck(b []byte) []byte {
	sum := crc32.ChecksumIEEE(b)
	var check [checkLen]byte
	putBase62(check[:], uint64(sum))
	return append(b, check[:]...)
}

// putBase62 fills b with the last digits of n.
func putBase62(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = base62[n%62]
		n /= 62
	}
}

// CheckToken reports whether s is well formed as a token of this house: its prefix, its length and its checksum.
func CheckToken(s string) bool { return hasTokenPrefix([]byte(s)) && checkText([]byte(s)) }

// CheckAccessor reports whether s is well formed as an accessor of this house.
func CheckAccessor(s string) bool {
	return len(s) == prefixLen+bodyLen+checkLen && s[:prefixLen] == PrefixAccessor && checkText([]byte(s))
}

func hasTokenPrefix(b []byte) bool {
	return bytes.HasPrefix(b, []byte(PrefixService)) || bytes.HasPrefix(b, []byte(PrefixBatch)) || bytes.HasPrefix(b, []byte(PrefixRecovery))
}

func checkText(b []byte) bool {
	if len(b) < prefixLen+checkLen+1 || len(b) > MaxText {
		return false
	}
	batch := bytes.HasPrefix(b, []byte(PrefixBatch))
	if !batch && len(b) != prefixLen+bodyLen+checkLen {
		return false
	}
	for _, c := range b[prefixLen:] {
		if !isBase62(c) && !(batch && (c == '-' || c == '_')) {
			return false
		}
	}
	n := len(b) - checkLen
	sum := crc32.ChecksumIEEE(b[:n])
	for i := len(b) - 1; i >= n; i-- {
		if b[i] != base62[sum%62] {
			return false
		}
		sum /= 62
	}
	return true
}

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
