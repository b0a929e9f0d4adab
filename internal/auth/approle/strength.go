package approle

import "math"

// weak says that a custom id could be guessed: fewer than 128 bits by its length and the kinds of characters in it, or
// too few different ones.
func weak(id string) bool {
	var digits, hex, lower, upper, other bool
	seen := map[byte]bool{}
	n := 0
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c == '-' {
			continue // as in a UUID; it stands where it must and says nothing
		}
		n++
		seen[c] = true
		switch {
		case '0' <= c && c <= '9':
			digits = true
		case 'a' <= c && c <= 'f':
			hex = true
		case 'g' <= c && c <= 'z':
			lower = true
		case 'A' <= c && c <= 'Z':
			upper = true
		default:
			other = true
		}
	}
	size := 0.0
	if digits {
		size += 10
	}
	if lower {
		size += 26
	} else if hex {
		size += 6
	}
	if upper {
		size += 26
	}
	if other {
		size += 2
	}
	return len(seen) < 8 || float64(n)*math.Log2(size) < 128
}
