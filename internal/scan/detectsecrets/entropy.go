package detectsecrets

import (
	"math"
	"strings"
)

// The alphabets in which the two entropy detectors look for strings.
const (
	base64Set = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\-_=`
	hexSet    = "0123456789abcdefABCDEF"
)

// quoted finds the strings between equal quotes that hold nothing but the alphabet.
func quoted(charset string) func(string, seen) []string {
	return func(line string, _ seen) []string {
		var out []string
		for i := 0; i < len(line); {
			q := line[i]
			if q != '\'' && q != '"' {
				i++
				continue
			}
			end := i + 1
			for end < len(line) && strings.IndexByte(charset, line[end]) >= 0 {
				end++
			}
			if end > i+1 && end < len(line) && line[end] == q {
				out = append(out, line[i+1:end])
				i = end + 1
				continue
			}
			i++
		}
		return out
	}
}

// runs finds the longest strings of the alphabet, quoted or not.
func runs(line, charset string) []string {
	var out []string
	for i := 0; i < len(line); {
		end := i
		for end < len(line) && strings.IndexByte(charset, line[end]) >= 0 {
			end++
		}
		if end > i {
			out = append(out, line[i:end])
		}
		i = end + 1
	}
	return out
}

// entropy is Shannon's over the alphabet; bytes outside of it count for the length only.
func entropy(s, charset string) float64 {
	var counts [256]int
	n := 0
	for i := range len(s) {
		counts[s[i]]++
		if s[i]&0xc0 != 0x80 {
			n++ // characters, not bytes
		}
	}
	e := 0.0
	for i := range len(charset) {
		if c := counts[charset[i]]; c > 0 {
			p := float64(c) / float64(n)
			e -= p * math.Log2(p)
		}
	}
	return e
}

// hexEntropy makes numbers less likely: they are often not random. The longer one is, the less it loses.
func hexEntropy(s string) float64 {
	e := entropy(s, hexSet)
	if len(s) == 1 || strings.Trim(s, "0123456789") != "" {
		return e
	}
	return e - 1.2/math.Log2(float64(len(s)))
}
