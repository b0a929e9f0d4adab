package leak

import (
	"slices"
	"strings"
)

// prefixes returns the words with which a match can begin, in lower case: literals, with small classes and choices
// written out. It returns nil when some of them would be too short to look for.
func (p *program) prefixes() []string {
	const enough, most = 6, 32
	var words []string
	ok := true
	var walk func(pc int, prefix string)
	walk = func(pc int, prefix string) {
		if !ok || len(words) > most {
			ok = false
			return
		}
		c := p.code[pc]
		if len(prefix) < enough {
			switch c.op {
			case opLit:
				walk(pc+1, prefix+c.lit[:min(len(c.lit), enough+3-len(prefix))])
				return
			case opOpen, opClose:
				walk(pc+1, prefix)
				return
			case opEdge:
				walk(pc+1, prefix)
				return
			case opAlt:
				walk(c.x, prefix)
				walk(c.y, prefix)
				return
			case opJump:
				walk(c.x, prefix)
				return
			case opSet:
				if c.min == 1 && c.max == 1 {
					if members := c.set.members(6); members != "" {
						for i := range len(members) {
							walk(pc+1, prefix+members[i:i+1])
						}
						return
					}
				}
			}
		}
		if len(prefix) < 3 {
			ok = false
			return
		}
		words = append(words, strings.ToLower(prefix))
	}
	walk(0, "")
	if !ok {
		return nil
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// shortest returns the fewest bytes that can match.
func (p *program) shortest() int {
	least := make([]int, len(p.code)+1)
	for pc := len(p.code) - 1; pc >= 0; pc-- {
		switch c := p.code[pc]; c.op {
		case opDone:
		case opLit:
			least[pc] = len(c.lit) + least[pc+1]
		case opSet:
			least[pc] = c.min + least[pc+1]
		case opAlt:
			least[pc] = min(least[c.x], least[c.y])
		case opJump:
			least[pc] = least[c.x]
		default:
			least[pc] = least[pc+1]
		}
	}
	return least[0]
}

// startsWith reports that every match that holds the word near its start begins with it: a choice of words at the top.
func (p *program) startsWith(word string) bool {
	for _, k := range p.prefixes() {
		if strings.HasPrefix(word, k) || strings.HasPrefix(k, word) {
			return true
		}
	}
	return false
}

// members lists the bytes of s if there are at most n.
func (s *set) members(n int) string {
	var out []byte
	for c := range 256 {
		if s.has(byte(c)) {
			if out = append(out, byte(c)); len(out) > n {
				return ""
			}
		}
	}
	return string(out)
}

// literals returns the longest literal at the top of the pattern, as the keyword.
func (p *program) literals() []string {
	best := ""
	for _, c := range p.code {
		if c.op == opAlt || c.op == opJump {
			break
		}
		if c.op == opLit && len(c.lit) > len(best) {
			best = c.lit
		}
	}
	if len(best) < 3 {
		return nil
	}
	return []string{strings.ToLower(best)}
}

// almost reports that n bytes are nearly as many as some way through the program takes: what is as long and yet does
// not match was cut, mistyped or made up, while a value of quite another length is a key of another kind.
func (p *program) almost(n int) bool {
	const mostSteps = 2000
	near, steps := false, 0
	var walk func(pc, least, longest int)
	walk = func(pc, least, longest int) {
		for steps++; steps < mostSteps && !near; pc++ {
			switch c := p.code[pc]; c.op {
			case opSet:
				least, longest = least+c.min, longest+c.max
			case opLit:
				least, longest = least+len(c.lit), longest+len(c.lit)
			case opAlt:
				walk(c.x, least, longest)
				pc = c.y - 1
			case opJump:
				pc = c.x - 1
			case opDone:
				near = least/2 <= n && n <= longest+longest/2
				return
			}
		}
	}
	walk(0, 0, 0)
	return near
}

// follow returns the bytes that may stand behind the word, which is in lower case, in a match that begins with it; nil
// when anything may, or nothing has to.
func (p *program) follow(word string) *set {
	const mostSteps = 5000
	var s set
	any, steps := false, 0
	var walk func(pc, i int)
	walk = func(pc, i int) {
		if steps++; any || steps > mostSteps {
			any = true
			return
		}
		switch c := &p.code[pc]; c.op {
		case opDone:
			any = true
		case opLit:
			for j := range len(c.lit) {
				if i == len(word) {
					s.addLetter(c.lit[j], p.fold)
					return
				}
				if fold(c.lit[j]) != word[i] {
					return
				}
				i++
			}
			walk(pc+1, i)
		case opSet:
			for n := 0; ; n++ {
				if n >= c.min {
					walk(pc+1, i)
				}
				if n == c.max {
					return
				}
				if i == len(word) {
					s.addAll(&c.set)
					return
				}
				if !c.set.has(word[i]) && !c.set.has(upper(word[i])) {
					return
				}
				i++
			}
		case opAlt:
			walk(c.x, i)
			walk(c.y, i)
		case opJump:
			walk(c.x, i)
		default:
			walk(pc+1, i)
		}
	}
	walk(0, 0)
	if any {
		return nil
	}
	return &s
}

// addLetter adds c, in both cases when case does not matter.
func (s *set) addLetter(c byte, anyCase bool) {
	s.add(c)
	if anyCase {
		s.add(fold(c))
		s.add(upper(c))
	}
}

func (s *set) addAll(o *set) {
	for i := range s {
		s[i] |= o[i]
	}
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
