package audit

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keephold/keephold/internal/audit/segment"
)

const (
	keyedPrefix = "hmac-sha256:"
	keyedLen    = len(keyedPrefix) + 64

	maxText  = 4 << 10 // longest string of a record; longer ones are cut and end in "…"
	tinyText = 128     // the same, when a record would not fit into a frame otherwise
	maxList  = 16      // members kept of a list then
)

// AppendJSON appends the canonical encoding: fixed order of members, empty members left out, times in UTC, one
// newline at the end. A list of items of any length is written whole; the log splits it over several records.
func (e *Event) AppendJSON(dst []byte) []byte { return e.append(dst, e.Items, maxText) }

func (e *Event) append(dst []byte, items []What, limit int) []byte {
	dst = append(dst, '{')
	if e.ID != "" {
		dst = append(dst, `"id":`...)
		dst = appendText(dst, e.ID, limit)
		dst = append(dst, ',')
	}
	if e.Part > 0 {
		dst = append(dst, `"part":`...)
		dst = strconv.AppendInt(dst, int64(e.Part), 10)
		dst = append(dst, `,"parts":`...)
		dst = strconv.AppendInt(dst, int64(e.Parts), 10)
		dst = append(dst, ',')
	}
	dst = append(dst, `"time":"`...)
	dst = e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","kind":"`...)
	dst = append(dst, e.Kind.String()...)
	dst = append(dst, '"')
	dst = member(dst, `,"action":`, e.Action, limit)
	dst = e.Who.append(dst, limit)
	dst = e.From.append(dst, limit)
	if e.What != (What{}) {
		dst = append(dst, `,"what":`...)
		dst = e.What.append(dst, limit)
	}
	dst = e.Decision.append(dst, limit)
	dst = member(dst, `,"cipher":`, e.Cipher, limit)
	dst = appendKeyedList(dst, e.Values, limit)
	dst = appendItems(dst, items, limit)
	dst = appendLinks(dst, e.Links, limit)
	return append(dst, '}', '\n')
}

func (w *Who) append(dst []byte, limit int) []byte {
	at := len(dst)
	dst = append(dst, `,"who":`...)
	open := len(dst)
	dst = member(dst, `,"id":`, w.ID, limit)
	dst = member(dst, `,"name":`, w.Name, limit)
	dst = member(dst, `,"method":`, w.Method, limit)
	if isKeyed(w.Accessor) {
		dst = member(dst, `,"accessor":`, w.Accessor, limit)
	}
	if len(w.Policies) > 0 {
		dst = append(dst, `,"policies":[`...)
		for i, p := range shorten(w.Policies, limit) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, p, limit)
		}
		dst = append(dst, ']')
	}
	dst = member(dst, `,"entity":`, w.Entity, limit)
	return closeObject(dst, at, open)
}

func (f *From) append(dst []byte, limit int) []byte {
	at := len(dst)
	dst = append(dst, `,"from":`...)
	open := len(dst)
	dst = member(dst, `,"addr":`, f.Addr, limit)
	dst = member(dst, `,"agent":`, f.UserAgent, min(limit, 512))
	dst = member(dst, `,"request":`, f.RequestID, limit)
	dst = member(dst, `,"dialect":`, f.Dialect, limit)
	return closeObject(dst, at, open)
}

func (w *What) append(dst []byte, limit int) []byte {
	open := len(dst)
	dst = member(dst, `,"ns":`, w.Namespace, limit)
	dst = member(dst, `,"space":`, w.Space, limit)
	dst = member(dst, `,"path":`, w.Path, limit)
	dst = member(dst, `,"uid":`, w.UID, limit)
	if w.Version > 0 {
		dst = append(dst, `,"version":`...)
		dst = strconv.AppendUint(dst, w.Version, 10)
	}
	dst = member(dst, `,"capability":`, w.Capability, limit)
	if len(dst) == open {
		return append(dst, '{', '}')
	}
	dst[open] = '{'
	return append(dst, '}')
}

func (d *Decision) append(dst []byte, limit int) []byte {
	if *d == (Decision{}) {
		return dst
	}
	dst = append(dst, `,"decision":{"allowed":`...)
	dst = strconv.AppendBool(dst, d.Allowed)
	dst = member(dst, `,"rule":`, d.Rule, limit)
	dst = member(dst, `,"reason":`, d.Reason, limit)
	return append(dst, '}')
}

func appendKeyedList(dst []byte, list []string, limit int) []byte {
	at := len(dst)
	for _, v := range shorten(list, limit) {
		if !isKeyed(v) {
			continue
		}
		if len(dst) == at {
			dst = append(dst, `,"values":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendText(dst, v, limit)
	}
	if len(dst) == at {
		return dst
	}
	return append(dst, ']')
}

func appendItems(dst []byte, items []What, limit int) []byte {
	if len(items) == 0 {
		return dst
	}
	dst = append(dst, `,"items":[`...)
	for i := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = items[i].append(dst, limit)
	}
	return append(dst, ']')
}

func appendLinks(dst []byte, links []Pair, limit int) []byte {
	if len(links) == 0 {
		return dst
	}
	dst = append(dst, `,"links":[`...)
	for i, p := range shorten(links, limit) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = appendText(dst, p.Name, limit)
		dst = member(dst, `,"value":`, p.Value, limit)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// closeObject ends an object whose first member was written with a comma at open; an empty one is taken back.
func closeObject(dst []byte, at, open int) []byte {
	if len(dst) == open {
		return dst[:at]
	}
	dst[open] = '{'
	return append(dst, '}')
}

func member(dst []byte, name, value string, limit int) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, name...)
	return appendText(dst, value, limit)
}

func shorten[T any](list []T, limit int) []T {
	if limit == tinyText && len(list) > maxList {
		return list[:maxList]
	}
	return list
}

// isKeyed reports whether s is the output of Log.HMAC. What is not could be the secret itself.
func isKeyed(s string) bool {
	if len(s) != keyedLen || !strings.HasPrefix(s, keyedPrefix) {
		return false
	}
	for _, c := range []byte(s[len(keyedPrefix):]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string, limit int) []byte {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for n := 1; n < utf8.UTFMax && n <= len(s); n++ { // do not leave a part of a rune
			if c := s[len(s)-n]; utf8.RuneStart(c) {
				if !utf8.FullRuneInString(s[len(s)-n:]) {
					s = s[:len(s)-n]
				}
				break
			}
		}
	}
	dst = append(dst, '"')
	if plain(s) {
		dst = append(dst, s...)
		if cut {
			dst = append(dst, "…"...)
		}
		return append(dst, '"')
	}
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c-0x20 < 0x5f && c != '"' && c != '\\' { // 0x20 to 0x7e
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			if r, n = utf8.DecodeRuneInString(s[i:]); (r != utf8.RuneError || n > 1) && r != '\u2028' && r != '\u2029' {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, r)
		i += n
		start = i
	}
	dst = append(dst, s[start:]...)
	if cut {
		dst = append(dst, "…"...)
	}
	return append(dst, '"')
}

// plain says that no byte of s needs a look: all of them are ASCII and stand for themselves. It takes eight at a time, as
// nearly every string of every record is like that.
func plain(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		quote, slash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
		// The high bit of a byte is set when the byte is over 0x7f, or wraps below zero: under 0x20, or equal.
		if (w|(w-ones*0x20)|(quote-ones)|(slash-ones)|(del-ones))&highs != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c-0x20 >= 0x5f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendFrames appends the event as one frame, or as several when its items do not fit into one. It returns
// the count of records. It never fails: what is too long is cut, because an act without a record is worse.
func (e *Event) appendFrames(dst []byte) ([]byte, int) {
	if size := e.itemsSize(); size > 0 {
		dst = slices.Grow(dst, size+1024)
		if size > segment.MaxRecord {
			return e.appendParts(dst)
		}
	}
	at := len(dst)
	dst = append(dst, 0, 0)
	dst = e.append(dst, e.Items, maxText)
	if n := len(dst) - at - segment.FrameHead; n <= segment.MaxRecord {
		dst[at], dst[at+1] = byte(n>>8), byte(n)
		return dst, 1
	}
	return e.appendParts(dst[:at])
}

// itemsSize is about how long the items are when they are written, where nothing in them is escaped.
func (e *Event) itemsSize() int {
	size := 0
	for i := range e.Items {
		w := &e.Items[i]
		size += len(`{"space":"","path":"","uid":"","version":1},`) + len(w.Space) + len(w.Path) + len(w.UID)
	}
	return size
}

// appendParts is the slow path of appendFrames.
func (e *Event) appendParts(dst []byte) ([]byte, int) {
	limit := maxText
	room := segment.MaxRecord - len(`"part":1000000,"parts":1000000,,"items":[]`)
	empty := len(e.append(nil, nil, limit))
	if empty > room/2 {
		limit = tinyText
		empty = len(e.append(nil, nil, limit))
	}
	var cuts []int // ends of the parts
	var item []byte
	used := empty
	for i := range e.Items {
		item = e.Items[i].append(item[:0], limit)
		if used+len(item)+1 > room {
			cuts = append(cuts, i)
			used = empty
		}
		used += len(item) + 1
	}
	cuts = append(cuts, len(e.Items))
	part := *e
	from := 0
	rec := make([]byte, 0, segment.MaxRecord)
	for i, to := range cuts {
		if len(cuts) > 1 {
			part.Part, part.Parts = i+1, len(cuts)
		}
		rec = part.append(rec[:0], e.Items[from:to], limit)
		dst = segment.AppendFrame(dst, rec)
		from = to
	}
	return dst, len(cuts)
}
