package leak

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// A Stored is a value that is kept somewhere, with the version under which it is kept.
type Stored struct {
	Name     string
	Version  uint64
	Value    []byte
	Replaced bool // another version is the current one
}

// Fingerprints recognise stored values without holding them: of each form of each value there is its length, a keyed hash
// of its first bytes that finds candidates, and 128 bits of an HMAC-SHA-256 that confirm one. It implements [Finder]; its
// matches are certain, and their Rule is "stored:" with the name and version.
//
// The key is kept beside the hashes, for whoever scans needs it. So a thief of them learns names, versions and lengths,
// and can try values one by one. That is hopeless for what a machine drew and quick for what a person chose: values that
// could be guessed are refused, see [NewFingerprints].
type Fingerprints struct {
	key     []byte
	made    time.Time
	entries []fingerprint

	base, top, mix uint64
	filter         [1 << 15]uint64
	at             map[uint32][]int32
}

var _ Finder = (*Fingerprints)(nil)

type fingerprint struct {
	name     string
	version  uint64
	replaced bool
	length   int
	anchor   uint32
	digest   [16]byte
}

const (
	// anchorSize is how many bytes of a value are hashed while rolling over a text, and so the fewest that a value has.
	anchorSize = 16
	// fingerprintFormat is the first member of the file.
	fingerprintFormat = "keephold-fingerprints-1"
	maxFingerprint    = 1 << 20 // longest value
)

// NewFingerprints makes fingerprints under a key of 32 random bytes. Values that could be guessed from theirs are refused.
// Of values that are the same the one that comes first is told.
func NewFingerprints(key []byte, made time.Time, values []Stored) (*Fingerprints, []Refusal, error) {
	f := &Fingerprints{key: bytes.Clone(key), made: made.UTC().Truncate(time.Second)}
	if len(key) != sha256.Size {
		return nil, nil, fmt.Errorf("a key of fingerprints has %d bytes, not %d", sha256.Size, len(key))
	}
	f.prepare()
	var refused []Refusal
	for _, v := range values {
		if why := guessable(v.Value); why != "" {
			refused = append(refused, Refusal{v.Name, why})
			continue
		}
		for _, form := range Forms(v.Value) {
			if guessable(form) != "" {
				continue
			}
			e := fingerprint{name: v.Name, version: v.Version, replaced: v.Replaced, length: len(form), anchor: f.anchor(form[:anchorSize])}
			copy(e.digest[:], f.sum(form))
			f.entries = append(f.entries, e)
		}
	}
	f.index()
	return f, refused, nil
}

// guessable says why a value could be found by trying, or is empty.
func guessable(v []byte) string {
	if v = bytes.TrimSpace(v); len(v) < anchorSize || len(v) > maxFingerprint {
		return fmt.Sprintf("has not %d to %d bytes", anchorSize, maxFingerprint)
	}
	s := measure(v)
	switch {
	case s.entropy()*float64(min(s.n, 64)) < 48 || s.distinct < 8:
		return "repeats itself"
	case s.random() < 50 && (s.digit == 0 || s.n < 32):
		return "looks like words, which could be guessed"
	}
	return ""
}

// prepare derives what the rolling hash needs. It is polynomial modulo 2^64 with a secret odd base; it only has to spread
// well, for the HMAC decides.
func (f *Fingerprints) prepare() {
	d := hmac.New(sha256.New, f.key)
	d.Write([]byte("rolling hash"))
	sum := d.Sum(nil)
	f.base, f.mix = binary.LittleEndian.Uint64(sum)|1, binary.LittleEndian.Uint64(sum[8:])|1
	f.top = 1
	for range anchorSize {
		f.top *= f.base
	}
}

func (f *Fingerprints) finish(h uint64) uint32 {
	h ^= h >> 29
	return uint32(h * f.mix >> 32)
}

func (f *Fingerprints) anchor(b []byte) uint32 {
	h := uint64(0)
	for _, c := range b[:anchorSize] {
		h = h*f.base + uint64(c) + 1
	}
	return f.finish(h)
}

func (f *Fingerprints) sum(v []byte) []byte {
	d := hmac.New(sha256.New, f.key)
	d.Write([]byte("value\x00"))
	d.Write(v)
	return d.Sum(nil)[:16]
}

func (f *Fingerprints) index() {
	f.at = make(map[uint32][]int32, len(f.entries))
	for i, e := range f.entries {
		f.at[e.anchor] = append(f.at[e.anchor], int32(i))
		f.filter[e.anchor>>17] |= 1 << (e.anchor >> 11 & 63)
	}
}

// Find implements [Finder].
func (f *Fingerprints) Find(b []byte) iter.Seq[Match] {
	return func(yield func(Match) bool) {
		if len(b) < anchorSize || len(f.entries) == 0 {
			return
		}
		h, past := uint64(0), 0
		for _, c := range b[:anchorSize-1] {
			h = h*f.base + uint64(c) + 1
		}
		for i := anchorSize - 1; i < len(b); i++ {
			h = h*f.base + uint64(b[i]) + 1
			if i >= anchorSize {
				h -= f.top * (uint64(b[i-anchorSize]) + 1)
			}
			a := f.finish(h)
			if f.filter[a>>17]>>(a>>11&63)&1 == 0 {
				continue
			}
			start := i - anchorSize + 1
			if start < past {
				continue
			}
			if e := f.confirm(b[start:], a); e != nil {
				past = start + e.length
				if !yield(e.match(start)) {
					return
				}
			}
		}
	}
}

// confirm returns the longest entry that b begins with.
func (f *Fingerprints) confirm(b []byte, anchor uint32) *fingerprint {
	var best *fingerprint
	for _, i := range f.at[anchor] {
		e := &f.entries[i]
		if e.length > len(b) || best != nil && e.length <= best.length {
			continue
		}
		if hmac.Equal(f.sum(b[:e.length]), e.digest[:]) {
			best = e
		}
	}
	return best
}

func (e *fingerprint) match(start int) Match {
	return Match{
		Rule: e.rule(), Start: start, End: start + e.length, SecretStart: start, SecretEnd: start + e.length, Score: 100, Confidence: Certain,
		Explain: []Reason{{100, "its fingerprint is that of a stored value"}},
	}
}

func (e *fingerprint) rule() string { return fmt.Sprintf("stored:%s@%d", e.name, e.version) }

// Describe says what a rule of a match stands for, or is empty when the match is not one of these fingerprints.
func (f *Fingerprints) Describe(rule string) string {
	name, ok := strings.CutPrefix(rule, "stored:")
	if !ok {
		return ""
	}
	state := "current on"
	if slices.ContainsFunc(f.entries, func(e fingerprint) bool { return e.replaced && e.rule() == rule }) {
		state = "replaced before"
	}
	name, version, _ := strings.Cut(name, "@")
	return fmt.Sprintf("this is `%s`, version %s, %s %s", name, version, state, f.made.Format(time.DateOnly))
}

// Join looks with both finders. Where they see the same bytes, the first is believed.
func Join(first, second Finder) Finder { return joined{first, second} }

type joined struct{ first, second Finder }

func (j joined) Find(b []byte) iter.Seq[Match] {
	return func(yield func(Match) bool) {
		sure := slices.Collect(j.first.Find(b))
		all := slices.Clone(sure)
		for m := range j.second.Find(b) {
			if !slices.ContainsFunc(sure, func(s Match) bool { return s.SecretStart < m.SecretEnd && m.SecretStart < s.SecretEnd }) {
				all = append(all, m)
			}
		}
		slices.SortStableFunc(all, func(a, b Match) int { return a.SecretStart - b.SecretStart })
		for _, m := range all {
			if !yield(m) {
				return
			}
		}
	}
}

// fingerprintFile is what is written: docs/guard.md describes it.
type fingerprintFile struct {
	Format  string             `json:"format"`
	Made    time.Time          `json:"made"`
	Key     string             `json:"key"` // base64
	Entries []fingerprintEntry `json:"entries"`
}

type fingerprintEntry struct {
	Name     string `json:"name"`
	Version  uint64 `json:"version"`
	Replaced bool   `json:"replaced,omitempty"`
	Length   int    `json:"length"`
	Anchor   uint32 `json:"anchor"`
	Digest   string `json:"digest"` // hex
}

// MarshalJSON writes the fingerprints. They are read again by [ReadFingerprints].
func (f *Fingerprints) MarshalJSON() ([]byte, error) {
	out := fingerprintFile{Format: fingerprintFormat, Made: f.made, Key: base64.StdEncoding.EncodeToString(f.key), Entries: []fingerprintEntry{}}
	for _, e := range f.entries {
		out.Entries = append(out.Entries, fingerprintEntry{e.name, e.version, e.replaced, e.length, e.anchor, hex.EncodeToString(e.digest[:])})
	}
	return json.Marshal(out)
}

// ReadFingerprints reads what MarshalJSON wrote. A file with one bad entry is refused as a whole: a scan that knows half
// of the values would look clean.
func ReadFingerprints(text []byte) (*Fingerprints, error) {
	var in fingerprintFile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("no file of fingerprints: %w", err)
	}
	if in.Format != fingerprintFormat {
		return nil, fmt.Errorf("the format is %q, not %q", in.Format, fingerprintFormat)
	}
	key, err := base64.StdEncoding.DecodeString(in.Key)
	if err != nil || len(key) != sha256.Size {
		return nil, fmt.Errorf("the key is not %d bytes in base64", sha256.Size)
	}
	f := &Fingerprints{key: key, made: in.Made}
	for i, e := range in.Entries {
		p := fingerprint{name: e.Name, version: e.Version, replaced: e.Replaced, length: e.Length, anchor: e.Anchor}
		d, err := hex.DecodeString(e.Digest)
		if err != nil || len(d) != len(p.digest) || e.Length < anchorSize || e.Length > maxFingerprint+maxFingerprint*2 || e.Name == "" {
			return nil, fmt.Errorf("entry %d (%s) is broken", i+1, e.Name)
		}
		copy(p.digest[:], d)
		f.entries = append(f.entries, p)
	}
	f.prepare()
	f.index()
	return f, nil
}

// Add takes over what others know under the same key.
func (f *Fingerprints) Add(others *Fingerprints) error {
	if !hmac.Equal(f.key, others.key) {
		return errors.New("fingerprints under another key")
	}
	f.entries = append(f.entries, others.entries...)
	f.index()
	return nil
}

// Len is the number of values, whatever their forms.
func (f *Fingerprints) Len() int {
	seen := map[string]bool{}
	for i := range f.entries {
		seen[f.entries[i].rule()] = true
	}
	return len(seen)
}
