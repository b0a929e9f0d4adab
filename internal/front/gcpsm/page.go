package gcpsm

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// Bounds of a page. The vendor caps at 25,000 and lets a server answer fewer.
const (
	defaultPage = 1000
	maxPage     = 25_000
)

// page is where a listing goes on. As a token it is bound to what was listed, and to how it was filtered:
//
//	8      uvarint    n
//	check  total + 1  after
type page struct {
	total int // of the first page; -1 when it is not known
	after string
}

const checkLen = 8

func (p page) token(parent, filter string) string {
	if p.after == "" {
		return ""
	}
	b := pageCheck(parent, filter)
	b = binary.AppendUvarint(b, uint64(p.total+1))
	return base64.RawURLEncoding.EncodeToString(append(b, p.after...))
}

// parsePage reads a token; "" is the first page.
func parsePage(token, parent, filter string) (page, error) {
	if token == "" {
		return page{total: -1}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < checkLen || string(b[:checkLen]) != string(pageCheck(parent, filter)) {
		return page{}, errPage
	}
	total, n := binary.Uvarint(b[checkLen:])
	after := ""
	if n > 0 {
		after = string(b[checkLen+n:])
	}
	if n <= 0 || total > 1<<31 || after == "" || len(after) > 1024 {
		return page{}, errPage
	}
	return page{int(total) - 1, after}, nil
}

var errPage = bad("Invalid page token.")

// pageCheck finds mistakes; it keeps no secret. What a token says of where to go on is decided on like any other request.
func pageCheck(parent, filter string) []byte {
	sum := sha256.Sum256([]byte(parent + "\x00" + filter))
	return sum[:checkLen:checkLen]
}

func pageSize(n int32) (int, error) {
	switch {
	case n < 0:
		return 0, bad("page_size must not be negative.")
	case n == 0:
		return defaultPage, nil
	}
	return int(min(n, maxPage)), nil
}
