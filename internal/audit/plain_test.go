package audit_test

import (
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/audit"
)

// Every byte at every place of strings of every length up to three words.
func TestPlain(t *testing.T) {
	for size := 1; size <= 24; size++ {
		clean := strings.Repeat("~", size)
		if !audit.Plain(clean) {
			t.Fatalf("%q is not plain", clean)
		}
		for at := range size {
			for c := range 256 {
				s := clean[:at] + string([]byte{byte(c)}) + clean[at+1:]
				if got, want := audit.Plain(s), c >= 0x20 && c <= 0x7e && c != '"' && c != '\\'; got != want {
					t.Fatalf("%q: plain %v, want %v", s, got, want)
				}
				if two := strings.ReplaceAll(s, "~", " "); audit.Plain(two) != (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\') {
					t.Fatalf("%q among the lowest: plain %v", two, audit.Plain(two))
				}
			}
		}
	}
}
