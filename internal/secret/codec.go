package secret

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The stored form of a Head, before it is sealed. All numbers are unsigned varints, strings and byte strings carry
// their length before them, times are nanoseconds since 1970 (0: none):
//
//	format(1) | uid | name | created | updated | data key | max | current | description | owner
//	n custom × (key | value) | max versions | flags | delete after | expires at
//	n versions × (number | state | kind | content type | created | deleted | not before | expires | writer | aws | azure | n × label)
//	tombstone?(0|1) | by | at | purge at
//
// Format 2 says more, and is written only of a secret of which there is more to say: each version goes on with
//
//	destroyed | changed | n facts × (key | value)
//
// and the head, behind the tombstone, with
//
//	revision | destroy delay | n facts × (key | value)
//
// A newer format begins with another number and is refused, never guessed.
const (
	headFormat     = 1
	headFormatMore = 2
)

// more says that format 1 has no room for h.
func (h *Head) more() bool {
	if h.Revision != 0 || h.Settings.DestroyDelay != 0 || len(h.Facts) > 0 {
		return true
	}
	for i := range h.Versions {
		v := &h.Versions[i]
		if !v.Destroyed.IsZero() || !v.Changed.IsZero() || len(v.Facts) > 0 {
			return true
		}
	}
	return false
}

const flagCASRequired = 1

// AppendHead appends the stored form of h to dst.
func AppendHead(dst []byte, h *Head) []byte {
	format := byte(headFormat)
	if h.more() {
		format = headFormatMore
	}
	dst = append(dst, format)
	dst = appendString(dst, string(h.UID))
	dst = appendString(dst, h.Name)
	dst = appendTime(dst, h.Created)
	dst = appendTime(dst, h.Updated)
	dst = appendString(dst, string(h.DataKey))
	dst = binary.AppendUvarint(dst, h.Max)
	dst = binary.AppendUvarint(dst, h.Current)
	dst = appendString(dst, h.About.Description)
	dst = appendString(dst, h.About.Owner)
	dst = appendPairs(dst, h.Custom)
	dst = binary.AppendUvarint(dst, h.Settings.MaxVersions)
	var flags uint64
	if h.Settings.CASRequired {
		flags |= flagCASRequired
	}
	dst = binary.AppendUvarint(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(h.Settings.DeleteAfter))
	dst = appendTime(dst, h.Settings.ExpiresAt)
	dst = binary.AppendUvarint(dst, uint64(len(h.Versions)))
	for i := range h.Versions {
		v := &h.Versions[i]
		dst = appendVersion(dst, v)
		if format == headFormatMore {
			dst = appendPairs(appendTime(appendTime(dst, v.Destroyed), v.Changed), v.Facts)
		}
	}
	if h.Tombstone == nil {
		dst = append(dst, 0)
	} else {
		dst = appendString(append(dst, 1), h.Tombstone.By)
		dst = appendTime(appendTime(dst, h.Tombstone.At), h.Tombstone.PurgeAt)
	}
	if format == headFormatMore {
		dst = binary.AppendUvarint(dst, h.Revision)
		dst = binary.AppendUvarint(dst, uint64(h.Settings.DestroyDelay))
		dst = appendPairs(dst, h.Facts)
	}
	return dst
}

func appendPairs(dst []byte, pairs []Pair) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(pairs)))
	for _, p := range pairs {
		dst = appendString(appendString(dst, p.Key), p.Value)
	}
	return dst
}

func appendVersion(dst []byte, v *Version) []byte {
	dst = binary.AppendUvarint(dst, v.Number)
	dst = append(dst, byte(v.State), byte(v.Kind))
	dst = appendString(dst, v.ContentType)
	dst = appendTime(dst, v.Created)
	dst = appendTime(dst, v.Deleted)
	dst = appendTime(dst, v.NotBefore)
	dst = appendTime(dst, v.Expires)
	dst = appendString(dst, v.Writer)
	dst = appendString(dst, v.AWSID)
	dst = appendString(dst, v.AzureID)
	dst = binary.AppendUvarint(dst, uint64(len(v.Labels)))
	for _, l := range v.Labels {
		dst = appendString(dst, l)
	}
	return dst
}

// DecodeHead reads what AppendHead wrote. Anything else is ErrDamaged, never a panic.
func DecodeHead(b []byte) (*Head, error) {
	r := reader{b: b}
	format := r.byte()
	if format != headFormat && format != headFormatMore && r.err == nil {
		return nil, fmt.Errorf("%w: head of format %d, this program reads %d and %d", ErrDamaged, format, headFormat, headFormatMore)
	}
	h := &Head{UID: UID(r.string()), Name: r.string(), Created: r.time(), Updated: r.time(), DataKey: []byte(r.string()), Max: r.uvarint(), Current: r.uvarint()}
	h.About = About{Description: r.string(), Owner: r.string()}
	h.Custom = r.pairs()
	h.Settings.MaxVersions = r.uvarint()
	h.Settings.CASRequired = r.uvarint()&flagCASRequired != 0
	h.Settings.DeleteAfter = time.Duration(r.uvarint())
	h.Settings.ExpiresAt = r.time()
	if n := r.count(12); n > 0 {
		h.Versions = make([]Version, n)
		for i := range h.Versions {
			r.version(&h.Versions[i])
			if v := &h.Versions[i]; format == headFormatMore {
				v.Destroyed, v.Changed, v.Facts = r.time(), r.time(), r.pairs()
			}
			if i > 0 && h.Versions[i].Number <= h.Versions[i-1].Number {
				r.fail("version numbers do not grow")
			}
		}
	}
	if r.byte() == 1 {
		h.Tombstone = &Tombstone{By: r.string(), At: r.time(), PurgeAt: r.time()}
	}
	if format == headFormatMore {
		h.Revision, h.Settings.DestroyDelay, h.Facts = r.uvarint(), time.Duration(r.uvarint()), r.pairs()
	}
	if len(r.b) != 0 {
		r.fail("bytes after the end")
	}
	if r.err != nil {
		return nil, r.err
	}
	return h, nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(t.UnixNano()))
}

// reader consumes a stored record; after the first fault every further read answers zero and err stays.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("cut short")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail("cut short")
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail("cut short")
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// count reads how many items of at least size bytes each follow, and refuses more than could be there.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail("cut short")
		return 0
	}
	return int(n)
}

func (r *reader) pairs() []Pair {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	pairs := make([]Pair, n)
	for i := range pairs {
		pairs[i] = Pair{r.string(), r.string()}
	}
	return pairs
}

func (r *reader) time() time.Time {
	n := r.uvarint()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n)).UTC()
}

func (r *reader) version(v *Version) {
	v.Number = r.uvarint()
	v.State, v.Kind = State(r.byte()), Kind(r.byte())
	if v.State > Destroyed || v.Kind > Map {
		r.fail("unknown state or kind")
	}
	v.ContentType = r.string()
	v.Created, v.Deleted, v.NotBefore, v.Expires = r.time(), r.time(), r.time(), r.time()
	v.Writer, v.AWSID, v.AzureID = r.string(), r.string(), r.string()
	if n := r.count(1); n > 0 {
		v.Labels = make([]string, n)
		for i := range v.Labels {
			v.Labels[i] = r.string()
		}
	}
}
