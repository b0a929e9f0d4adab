package leak

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"hash/crc32"
	"strings"
)

// Check names a structural proof.
type Check uint8

// The proofs. A failed proof drops the match, except where it says so.
const (
	NoCheck     Check = iota
	CheckCRC62        // last six characters are the CRC-32 of the others in base 62 (GitHub, npm, PyPI-like); a miss only costs points
	CheckJWT          // header and payload are JSON, header names an algorithm
	CheckPEM          // body is base64 of at least a small key
	CheckNKey         // base32 with a CRC-16, as NATS writes seeds
	CheckAge          // bech32 with its checksum
	CheckAWSKey       // not one of the vendor's documented examples
	CheckBase64       // decodes
	CheckBasic        // decodes to user:password
)

// proof is what a check found.
type proof int8

const (
	refuted  proof = -1
	unproved proof = 0
	proved   proof = 1
)

func (c Check) prove(secret []byte) proof {
	switch c {
	case CheckCRC62:
		return crc62(secret)
	case CheckJWT:
		return jwt(secret)
	case CheckPEM:
		return pemKey(secret)
	case CheckNKey:
		return nkey(secret)
	case CheckAge:
		return bech32(secret)
	case CheckAWSKey:
		if bytes.HasSuffix(secret, []byte("EXAMPLE")) || bytes.HasSuffix(secret, []byte("EXAMPLEKEY")) {
			return refuted
		}
		return unproved
	case CheckBasic:
		return basic(secret)
	case CheckBase64:
		if _, err := decode64(secret); err != nil {
			return refuted
		}
		return unproved
	}
	return unproved
}

const digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// crc62 checks the form GitHub documented in "Behind GitHub's new authentication token formats": a prefix, an
// underscore, random characters, and six base-62 digits of the CRC-32 of the random part.
func crc62(secret []byte) proof {
	i := bytes.LastIndexByte(secret, '_')
	body := secret[i+1:]
	if len(body) < 12 {
		return refuted
	}
	sum := crc32.ChecksumIEEE(body[:len(body)-6])
	var want [6]byte
	for k := 5; k >= 0; k-- {
		want[k] = digits62[sum%62]
		sum /= 62
	}
	if bytes.Equal(want[:], body[len(body)-6:]) {
		return proved
	}
	return unproved
}

func decode64(v []byte) ([]byte, error) {
	s := strings.TrimRight(string(v), "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// jwt checks RFC 7519, section 3: base64url of a JSON object that names an algorithm, then a payload.
func jwt(secret []byte) proof {
	head, rest, ok := bytes.Cut(secret, []byte("."))
	if !ok {
		return refuted
	}
	raw, err := decode64(head)
	if err != nil {
		return refuted
	}
	var h struct {
		Alg *json.RawMessage `json:"alg"`
		Enc *json.RawMessage `json:"enc"`
	}
	if json.Unmarshal(raw, &h) != nil || h.Alg == nil && h.Enc == nil {
		return refuted
	}
	payload, _, _ := bytes.Cut(rest, []byte("."))
	if body, err := decode64(payload); err == nil && json.Valid(body) {
		return proved
	}
	return unproved
}

// pemKey checks that a private key block has a body that could be a key (RFC 7468); whether it is complete decides
// between certain and likely, for pasted keys are often cut or indented.
func pemKey(block []byte) proof {
	text := bytes.ReplaceAll(block, []byte(`\n`), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte(`\r`), nil)
	if b, _ := pem.Decode(text); b != nil && len(b.Bytes) >= 32 {
		return proved
	}
	i := bytes.Index(text, []byte("KEY"))
	body := text[max(0, i):]
	if i := bytes.Index(body, []byte("-----")); i >= 0 {
		body = body[i+5:]
	}
	body, _, _ = bytes.Cut(body, []byte("-----"))
	n, distinct := 0, [256]bool{}
	kinds := 0
	for _, c := range body {
		if alnum(c) || c == '+' || c == '/' || c == '=' {
			n++
			if !distinct[c] {
				distinct[c] = true
				kinds++
			}
		}
	}
	if n < 40 || kinds < 12 {
		return refuted
	}
	return unproved
}

// nkey checks a NATS seed: base32 without padding, two prefix bytes, 32 random ones, CRC-16/XMODEM.
func nkey(secret []byte) proof {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(string(secret))
	if err != nil || len(raw) != 36 {
		return refuted
	}
	var crc uint16
	for _, c := range raw[:34] {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	if crc == binary.LittleEndian.Uint16(raw[34:]) {
		return proved
	}
	return unproved
}

// bech32 checks BIP 173's checksum, with which age writes its keys.
func bech32(secret []byte) proof {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	s := strings.ToLower(string(secret))
	cut := strings.LastIndexByte(s, '1')
	if cut < 1 || len(s)-cut < 7 {
		return refuted
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
	for i := range cut {
		feed(s[i] >> 5)
	}
	feed(0)
	for i := range cut {
		feed(s[i] & 31)
	}
	for i := cut + 1; i < len(s); i++ {
		v := strings.IndexByte(charset, s[i])
		if v < 0 {
			return refuted
		}
		feed(byte(v))
	}
	if sum == 1 {
		return proved
	}
	return unproved
}

// basic checks RFC 7617: base64 of user, colon, password.
func basic(secret []byte) proof {
	plain, err := decode64(secret)
	i := bytes.IndexByte(plain, ':')
	if err != nil || i < 1 || i == len(plain)-1 || !text(append(plain, 'a')) || human(plain[i+1:]) < 0 && equalName(plain[:i], "username") {
		return refuted
	}
	return proved
}

// documented reports a value that manuals and test suites print in public and that opens nothing. The first eight bytes
// of the SHA-256 are kept rather than the values, so that the list is no find itself.
func documented(secret []byte) bool {
	sum := sha256.Sum256(secret)
	switch binary.BigEndian.Uint64(sum[:8]) {
	case 0x37f8f09bdf12c2f2,
		0xdc0fcf046c61640c,
		0xf56e323494a6ffc2,
		0x0b476bdf9acf2123:
		return true
	}
	return false
}
