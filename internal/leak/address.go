package leak

import "bytes"

// address judges scheme://user:password@host, given where "://" is (RFC 3986, section 3.2.1). The password is the
// secret; a user without password is one when it looks like a token (https://TOKEN@host).
func (h *hunt) address(r *compiled, start, end int) {
	b := h.b
	limit := min(len(b), end+300)
	colon, at0, p := -1, -1, end
scan:
	for ; p < limit; p++ {
		switch c := b[p]; {
		case c == '@':
			at0 = p
			break scan
		case c == ':' && colon < 0:
			colon = p
		case c == '/' || c == '?' && colon < 0 || c <= ' ' || c == '"' || c == '\'' || c == '`' || c == '<' || c == '>' || c == ',' && colon < 0 || c == '\\' || c >= 0x7f || c == '(' || c == ')' && colon < 0:
			break scan
		}
	}
	if at0 < 0 || at0 == end || start == 0 || !alnum(b[start-1]) {
		return
	}
	// A password may itself hold an @: the last one before the path counts.
	for q := at0 + 1; q < limit && b[q] > ' ' && b[q] != '/' && b[q] != '"' && b[q] != '\'' && b[q] != ',' && b[q] != ';' && b[q] != '?'; q++ {
		if b[q] == '@' {
			at0 = q
		}
	}
	if colon < 0 { // a user that is a mail address
		if i := bytes.IndexByte(b[end:at0], ':'); i > 0 {
			colon = end + i
		}
	}
	lo := start
	for lo > 0 && start-lo < 24 && (alnum(b[lo-1]) || b[lo-1] == '+' || b[lo-1] == '.' || b[lo-1] == '-') {
		lo--
	}
	host := hostOf(b, at0+1)
	t := h.tally.reset()
	from := end
	if colon >= 0 && colon < at0 {
		from = colon + 1
	}
	user, v := b[end:max(end, from-1)], b[from:at0]
	if len(v) < 3 || !plausibleHost(host) {
		return
	}
	s := measure(v)
	if s.weak() || holds(v, hardFillerList) != "" || v[0] == '$' || v[0] == '<' || v[0] == '{' || v[0] == '%' && s.n < 6 || v[0] == '[' || v[0] == '*' {
		return
	}
	if colon < 0 {
		// A lone user name is a secret only if nothing else could look like it.
		if s.n < 20 || s.random() < 60 || s.digit == 0 {
			return
		}
		t.add(60, "a token as the user of an address")
	} else {
		t.add(60, "a password in an address")
		t.add(s.random()/4, "looks drawn by a machine")
	}
	t.add(addressDoubts(user, v, host, s), "stands for a user's own values")
	h.add(r, lo, at0+1+len(host), from, at0)
}

func hostOf(b []byte, i int) []byte {
	j := i
	for j < len(b) && j-i < 253 && (alnum(b[j]) || b[j] == '.' || b[j] == '-' || b[j] == '_' || b[j] == ':' || b[j] == '%' || b[j] == '[' || b[j] == '{' || b[j] == '$' || b[j] == '}' || b[j] == ']') {
		j++
	}
	return b[i:j]
}

func plausibleHost(h []byte) bool {
	return len(h) > 0 && (alnum(h[0]) || h[0] == '[' || h[0] == '{' || h[0] == '$')
}

// addressDoubts takes points from the addresses of manuals: user:password@localhost.
func addressDoubts(user, v, host []byte, s shape) int {
	doubts := 0
	example := bytes.Contains(host, []byte("example.")) || bytes.HasPrefix(host, []byte("localhost")) || bytes.HasPrefix(host, []byte("127.0.0.1")) || bytes.HasPrefix(host, []byte("host"))
	if trivial(v) || bytes.EqualFold(user, v) || equalName(v, "pass") || equalName(v, "password") || equalName(v, "pw") {
		doubts -= 40
	} else if example && s.digit == 0 && s.n < 10 {
		doubts -= 20
	}
	if f := holds(v, fillerList); f != "" {
		doubts -= 30
	}
	if bytes.Equal(host, []byte("host")) || bytes.HasPrefix(host, []byte("host:")) {
		doubts -= 15
	}
	return doubts
}

func equalName(v []byte, low string) bool { return len(v) == len(low) && equalFold(v, low) }
