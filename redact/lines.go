package redact

import (
	"bytes"
)

// lineLane masks unknown tokens by the leak rules. They need the whole token and often the name before it, so text is
// held back to the end of its line, or to maxLine, or, for a private key, to its end.
type lineLane struct {
	r    *Redactor
	held []byte
	out  []byte
}

const maxLine = 1 << 16

func (l *lineLane) pass(p []byte, last bool) []byte {
	l.out = l.out[:0]
	l.held = append(l.held, p...)
	cut := bytes.LastIndexByte(l.held, '\n') + 1
	if begin := bytes.LastIndex(l.held[:cut], []byte("-----BEGIN ")); begin >= 0 && !bytes.Contains(l.held[begin:cut], []byte("-----END ")) {
		cut = begin
	}
	if last || len(l.held)-cut > maxLine {
		cut = len(l.held)
	}
	b, end := l.own(l.held[:cut]), 0
	if l.r.rules != nil {
		for m := range l.r.rules.Find(b) {
			if m.SecretStart < end {
				continue
			}
			l.out = append(l.out, b[end:m.SecretStart]...)
			l.out = append(l.out, l.r.mask(m.Rule)...)
			end = m.SecretEnd
		}
	}
	l.out = append(l.out, b[end:]...)
	l.held = append(l.held[:0], l.held[cut:]...)
	return l.out
}

// own applies the rules of the caller's own, one after the other. What it answers may be b itself.
func (l *lineLane) own(b []byte) []byte {
	for _, rule := range l.r.opts.Rules {
		var out []byte
		end := 0
		for _, m := range rule.Match.FindAllSubmatchIndex(b, -1) {
			if m[0] == m[1] {
				continue // nothing to hide
			}
			out = append(out, b[end:m[0]]...)
			mask := l.r.mask("pattern")
			if rule.Replace == "" {
				out = append(out, mask...)
			} else {
				out = rule.Match.Expand(out, []byte(rule.Replace), b, m)
			}
			end = m[1]
		}
		if end > 0 {
			b = append(out, b[end:]...)
		}
	}
	return b
}
