package detectsecrets

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // the format's fingerprint, not a proof of anything
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	errUnreadable      = errors.New("Unable to read baseline.") //nolint:staticcheck // the peer's words
	errInvalidBaseline = errors.New("Invalid baseline.")        //nolint:staticcheck // the peer's words
)

// secret is one entry. Its identity is file, hash and kind; the line is where it was last seen.
type secret struct {
	kind, file, hash string
	verified         bool
	line             int
	label            *bool  // whether a person said that it is one
	value            string // when it was found now; never written
}

type identity struct{ kind, file, hash string }

func (s *secret) id() identity { return identity{s.kind, s.file, s.hash} }

func hash(value string) string {
	sum := sha1.Sum([]byte(value)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// collection is a set of secrets.
type collection map[identity]*secret

func (c collection) add(s *secret) {
	if _, ok := c[s.id()]; !ok {
		c[s.id()] = s
	}
}

// sorted is in the order of files, lines, hashes and kinds.
func (c collection) sorted() []*secret {
	out := make([]*secret, 0, len(c))
	for _, s := range c {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *secret) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.hash, b.hash), cmp.Compare(a.kind, b.kind))
	})
	return out
}

func (c collection) files() map[string]bool {
	out := map[string]bool{}
	for id := range c {
		out[id.file] = true
	}
	return out
}

func (c collection) minus(o collection) collection {
	out := collection{}
	for id, s := range c {
		if o[id] == nil {
			out[id] = s
		}
	}
	return out
}

// keep takes over what people and vendors said about secrets that are still there.
func (c collection) keep(old collection) {
	for id, o := range old {
		s := c[id]
		if s == nil {
			continue
		}
		if s.label == nil {
			s.label = o.label
		}
		s.verified = s.verified || o.verified
	}
}

// trim drops what is no longer there: of the files that were scanned, what the scan did not find. Lines are brought up
// to date when the baseline has any. It reports whether something changed.
func (c collection) trim(found collection, scanned []string) bool {
	looked, hasFound := map[string]bool{}, found.files()
	for _, f := range scanned {
		looked[f] = true
	}
	kept := map[string]bool{}
	for id := range found {
		kept[id.file] = kept[id.file] || c[id] != nil
	}
	changed := false
	for id, s := range c {
		now := found[id]
		switch {
		case now != nil:
			if s.line != 0 && s.line != now.line && now.line != 0 {
				s.line, changed = now.line, true
			}
		case hasFound[id.file] && kept[id.file], looked[id.file]:
			delete(c, id)
			changed = true
		}
	}
	return changed
}

// trimMissing drops the files that are not there any more.
func (c collection) trimMissing(exists func(string) bool) {
	for id := range c {
		if !exists(id.file) {
			delete(c, id)
		}
	}
}

func (c collection) json(slim bool) object {
	out := object{}
	byFile := map[string]int{}
	for _, s := range c.sorted() {
		o := object{{"type", s.kind}, {"filename", s.file}, {"hashed_secret", s.hash}, {"is_verified", s.verified}}
		if s.line != 0 && !slim {
			o = append(o, member{"line_number", s.line})
		}
		if s.label != nil {
			o = append(o, member{"is_secret", *s.label})
		}
		i, ok := byFile[s.file]
		if !ok {
			i = len(out)
			byFile[s.file] = i
			out = append(out, member{s.file, list{}})
		}
		out[i].value = append(asList(out[i].value), o)
	}
	return out
}

// format is a whole baseline.
func format(s *settings, c collection, slim bool, now time.Time) object {
	out := append(object{{"version", Version}}, s.json()...)
	out = append(out, member{"results", c.json(slim)})
	if !slim {
		out = append(out, member{"generated_at", now.UTC().Format("2006-01-02T15:04:05Z")})
	}
	return out
}

// save replaces a baseline whole: a reader never sees half of one.
func save(name string, o object) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".baseline-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	_, err = tmp.WriteString(encode(o, 2) + "\n")
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// readBaseline reads a baseline and brings it to the present form. version is the one it was written by.
func readBaseline(name string) (b object, version string, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, "", errUnreadable
	}
	if b, err = parseObject(text); err != nil {
		return nil, "", fmt.Errorf("%w %s: %w", errUnreadable, name, err)
	}
	version = b.text("version")
	if version == "" {
		return nil, "", errInvalidBaseline
	}
	return upgrade(b, version), version, nil
}

// secretsOf reads the results of a baseline.
func secretsOf(b object) (collection, error) {
	results, ok := b.get("results")
	files, isObject := results.(object)
	if !ok || !isObject {
		return nil, errInvalidBaseline
	}
	out := collection{}
	for _, f := range files {
		for _, x := range asList(f.value) {
			o, ok := x.(object)
			if !ok || o.text("type") == "" || o.text("hashed_secret") == "" {
				return nil, errInvalidBaseline
			}
			s := &secret{kind: o.text("type"), file: strings.ReplaceAll(f.key, `\`, "/"), hash: o.text("hashed_secret")}
			if v, ok := o.get("line_number"); ok {
				n, _ := v.(number)
				s.line, _ = strconv.Atoi(string(n))
			}
			if v, ok := o.get("is_verified"); ok {
				s.verified, _ = v.(bool)
			}
			if v, ok := o.get("is_secret"); ok {
				if is, ok := v.(bool); ok {
					s.label = &is
				}
			}
			out.add(s)
		}
	}
	return out, nil
}

// older reports that a version comes before another, by major and minor number.
func older(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(second)
	return a < major || a == major && b < minor
}

// current reports a version that is this one or a later one.
func current(version string) bool {
	patch := func(v string) int {
		n, _ := strconv.Atoi(v[strings.LastIndexByte(v, '.')+1:])
		return n
	}
	const major, minor = 1, 5
	return !older(version, major, minor) && (!older(version, major, minor+1) || patch(version) >= patch(Version))
}

// upgrade brings a baseline of an earlier release to the present form.
func upgrade(b object, version string) object {
	if current(version) {
		return b
	}
	b = slices.Clone(b)
	if older(version, 0, 12) {
		if v, ok := b.get("exclude_regex"); ok {
			b = b.without("exclude_regex").set("exclude", object{{"files", v}, {"lines", nil}})
		}
		b = b.set("word_list", object{{"file", nil}, {"hash", nil}})
	}
	if older(version, 1, 0) {
		b = upgradeFilters(b)
		plugins, _ := b.get("plugins_used")
		for i, p := range asList(plugins) {
			o, _ := p.(object)
			for old, name := range map[string]string{"base64_limit": "Base64HighEntropyString", "hex_limit": "HexHighEntropyString"} {
				if v, ok := o.get(old); ok && o.text("name") == name {
					o = o.without(old).set("limit", v)
				}
			}
			asList(plugins)[i] = o
		}
	}
	if older(version, 1, 1) {
		used, _ := b.get("filters_used")
		l := slices.Clone(asList(used))
		for _, name := range []string{"is_lock_file", "is_not_alphanumeric_string", "is_swagger_file"} {
			l = append(l, object{{"path", filterRoot + "heuristic." + name}})
		}
		b = b.set("filters_used", l)
	}
	return b.set("version", Version)
}

// upgradeFilters turns the settings before 1.0 into filters.
func upgradeFilters(b object) object {
	l := list{object{{"path", filterAllowed}}}
	for _, name := range []string{"is_sequential_string", "is_potential_uuid", "is_likely_id_string", "is_templated_secret", "is_prefixed_with_dollar_sign", "is_indirect_reference"} {
		l = append(l, object{{"path", filterRoot + "heuristic." + name}})
	}
	l = append(l, object{{"path", filterVerified}, {"min_level", number("2")}})
	exclude, _ := b.get("exclude")
	if o, ok := exclude.(object); ok {
		for _, x := range []struct{ key, filter string }{{"files", filterFiles}, {"lines", filterLines}} {
			if v := o.text(x.key); v != "" {
				l = append(l, object{{"path", x.filter}, {"pattern", list{v}}})
			}
		}
	}
	words, _ := b.get("word_list")
	if o, ok := words.(object); ok && o.text("file") != "" {
		l = append(l, object{{"path", filterWords}, {"min_length", number("3")}, {"file_name", o.text("file")}, {"file_hash", o.text("hash")}})
	}
	return b.without("exclude").without("word_list").set("filters_used", l)
}
