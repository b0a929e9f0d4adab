package leak

import (
	"bufio"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"hash/crc32"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// family is an entry of testdata/families.txt.
type family struct {
	name           string
	match, nomatch []string
}

func readFamilies(t *testing.T) []family {
	f, err := os.Open("testdata/families.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []family
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch {
		case lines.Text() == "" || word[0] == '#':
			continue
		case word == "family":
			list = append(list, family{name: rest})
			continue
		case len(list) == 0:
			t.Fatalf("line %q stands before any family", lines.Text())
		}
		switch last := &list[len(list)-1]; word {
		case "from":
		case "match":
			last.match = append(last.match, rest)
		case "nomatch":
			last.nomatch = append(last.nomatch, rest)
		default:
			t.Fatalf("line %q is none of ours", lines.Text())
		}
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return list
}

// TestFamilies holds what the head of testdata/families.txt promises.
func TestFamilies(t *testing.T) {
	families := readFamilies(t)
	listed, ruled := map[string]bool{}, map[string]string{}
	for _, r := range Rules() {
		ruled[r.ID] = r.Family
	}
	all, err := CompileOptions(Rules(), Options{DecodeDepth: DefaultDecodeDepth, All: true})
	if err != nil {
		t.Fatal(err)
	}
	settled, err := Compile(Rules())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if listed[f.name] {
			t.Errorf("family %s is listed twice", f.name)
		}
		listed[f.name] = true
		distinct := slices.Compact(slices.Sorted(slices.Values(slices.Concat(f.match, f.nomatch))))
		if len(f.match) < 3 || len(f.nomatch) < 3 || len(distinct) < 5 {
			t.Errorf("family %s has %d matches and %d near misses, want three of each", f.name, len(f.match), len(f.nomatch))
		}
		r := rand.New(rand.NewPCG(seed(f.name), 1))
		for _, text := range f.match {
			text = expand(t, r, text)
			if got := ruleFound(settled, text); ruled[got] != f.name {
				t.Errorf("family %s: %q is found by %q of family %q", f.name, text, got, ruled[got])
			}
			for m := range all.Find([]byte(text)) {
				if other := ruled[m.Rule]; other != f.name && other != "generic" && other != "http-auth" {
					t.Errorf("family %s: %q is also found by %s of family %s", f.name, text, m.Rule, other)
				}
			}
		}
		for _, text := range f.nomatch {
			text = expand(t, r, text)
			for m := range all.Find([]byte(text)) {
				t.Errorf("family %s: %q is found by %s: %v", f.name, text, m.Rule, m.Explain)
			}
		}
	}
	for id, name := range ruled {
		if !listed[name] {
			t.Errorf("rule %s is of family %q, which is not listed", id, name)
		}
	}
	names := map[string]bool{}
	for _, name := range ruled {
		names[name] = true
	}
	for _, f := range families {
		if !names[f.name] {
			t.Errorf("family %s has no rule", f.name)
		}
	}
}

func seed(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// expand draws what stands between << and >>.
func expand(t *testing.T, r *rand.Rand, text string) string {
	t.Helper()
	var out strings.Builder
	text = strings.ReplaceAll(text, `\n`, "\n")
	for {
		head, rest, ok := strings.Cut(text, "<<")
		out.WriteString(head)
		if !ok {
			return out.String()
		}
		pattern, tail, ok := strings.Cut(rest, ">>")
		if !ok {
			t.Fatalf("<< without >> in %q", text)
		}
		if maker, ok := strings.CutPrefix(pattern, "!"); ok {
			out.WriteString(make1(t, r, maker))
		} else {
			p, err := compilePattern(pattern, false)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(p.generate(r))
		}
		text = tail
	}
}

// make1 makes what has a structure to be proved.
func make1(t *testing.T, r *rand.Rand, name string) string {
	t.Helper()
	const alnums = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(r.IntN(256))
	}
	name, arg, _ := strings.Cut(name, ":")
	switch name {
	case "age":
		return strings.ToUpper(bech32Of("age-secret-key-", raw))
	case "basic":
		return base64.StdEncoding.EncodeToString([]byte("deploy:" + letters(r, alnums, 18)))
	case "crc": // GitHub's form: the last six digits are a checksum
		body := letters(r, alnums, 30)
		sum, tail := crc32.ChecksumIEEE([]byte(body)), make([]byte, 6)
		for i := 5; i >= 0; i-- {
			tail[i] = digits62[sum%62]
			sum /= 62
		}
		return arg + body + string(tail)
	case "jwt":
		enc := base64.RawURLEncoding
		return enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(`{"sub":"made-up","n":`+letters(r, "123456789", 8)+`}`)) + "." + enc.EncodeToString(raw)
	case "nkey":
		head := map[string]byte{"user": 20 << 3, "account": 0, "operator": 14 << 3}[arg]
		b := append([]byte{18<<3 | head>>5, head & 31 << 3}, raw...)
		var crc uint16
		for _, c := range b {
			crc ^= uint16(c) << 8
			for range 8 {
				if crc&0x8000 != 0 {
					crc = crc<<1 ^ 0x1021
				} else {
					crc <<= 1
				}
			}
		}
		return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(binary.LittleEndian.AppendUint16(b, crc))
	case "pem":
		der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(raw))
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: arg + "PRIVATE KEY", Bytes: der}))
	case "pgp":
		body := letters(r, alnums+"+/", 64) + "\n" + letters(r, alnums+"+/", 64)
		return "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\n\n" + body + "\n-----END PGP " + "PRIVATE KEY BLOCK-----"
	}
	t.Fatalf("no maker %q", name)
	return ""
}

// bech32Of encodes as BIP 173 does.
func bech32Of(human string, data []byte) string {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	var groups []byte
	acc, bits := 0, 0
	for _, c := range data {
		acc, bits = acc<<8|int(c), bits+8
		for bits >= 5 {
			bits -= 5
			groups = append(groups, byte(acc>>bits&31))
		}
	}
	if bits > 0 {
		groups = append(groups, byte(acc<<(5-bits)&31))
	}
	sum := uint32(1)
	feed := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 != 0 {
				sum ^= g
			}
		}
	}
	for i := range len(human) {
		feed(human[i] >> 5)
	}
	feed(0)
	for i := range len(human) {
		feed(human[i] & 31)
	}
	for _, g := range groups {
		feed(g)
	}
	for range 6 {
		feed(0)
	}
	sum ^= 1
	out := human + "1"
	for _, g := range groups {
		out += string(charset[g])
	}
	for i := range 6 {
		out += string(charset[sum>>(5*(5-i))&31])
	}
	return out
}
