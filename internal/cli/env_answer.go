package cli

import (
	"encoding/json"
	"strconv"
	"strings"
)

// envAnswer is what an environment holds, as keephold/env answers it.
type envAnswer struct {
	Values   map[string]string `json:"values"`
	Versions map[string]uint64 `json:"versions"`
	Revision uint64            `json:"revision"`
	Lease    int64             `json:"lease"`   // seconds for which the values may be used without asking again
	Partial  bool              `json:"partial"` // there may be others, which this caller may not read
}

// read takes an answer in the very shape that our servers write, in one pass, because a program of a thousand settings waits
// for it. It is false for any other, which is the library's to read.
func (e *envAnswer) read(body []byte) bool {
	t := taker{rest: string(body)} // of which the texts are parts
	most := strings.Count(t.rest, `":`) / 2
	got := envAnswer{Values: make(map[string]string, most), Versions: make(map[string]uint64, most)}
	t.skip(`{"data":{"values":`)
	t.members(func(name string) { got.Values[name] = t.text() })
	t.skip(`,"versions":`)
	t.members(func(name string) { got.Versions[name] = t.number() })
	t.skip(`,"revision":`)
	got.Revision = t.number()
	t.skip(`,"updated":`)
	t.text()
	t.skip(`,"lease":`)
	got.Lease = int64(t.number())
	got.Partial = t.has(`,"partial":true`)
	t.skip("}}\n")
	if t.failed || t.rest != "" || got.Lease < 0 {
		return false
	}
	*e = got
	return true
}

// taker takes pieces of JSON off a text. After the first that is not there it has failed, and takes nothing more.
type taker struct {
	rest   string
	failed bool
}

func (t *taker) has(token string) bool {
	rest, ok := strings.CutPrefix(t.rest, token)
	t.rest = rest
	return ok
}

func (t *taker) skip(token string) {
	if !t.has(token) {
		t.failed, t.rest = true, ""
	}
}

// members takes an object; each takes the value of a member.
func (t *taker) members(each func(name string)) {
	t.skip("{")
	for comma := false; !t.failed && !t.has("}"); comma = true {
		if comma {
			t.skip(",")
		}
		name := t.text()
		t.skip(":")
		each(name)
	}
}

// text takes a string. One with an escape, or with bytes that are not ASCII, goes through the library.
func (t *taker) text() string {
	plain, end := true, 1
	for ; end < len(t.rest) && t.rest[end] != '"'; end++ {
		c := t.rest[end]
		plain = plain && c != '\\' && ' ' <= c && c <= '~'
		if c == '\\' {
			end++
		}
	}
	if end >= len(t.rest) || t.rest[0] != '"' {
		t.failed, t.rest = true, ""
		return ""
	}
	quoted := t.rest[:end+1]
	t.rest = t.rest[end+1:]
	if plain {
		return quoted[1:end]
	}
	var s string
	if json.Unmarshal([]byte(quoted), &s) != nil {
		t.failed, t.rest = true, ""
	}
	return s
}

func (t *taker) number() uint64 {
	end := 0
	for end < len(t.rest) && '0' <= t.rest[end] && t.rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(t.rest[:end], 10, 64)
	if err != nil || end > 1 && t.rest[0] == '0' {
		t.failed, t.rest = true, ""
		return 0
	}
	t.rest = t.rest[end:]
	return n
}
