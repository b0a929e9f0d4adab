package toml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/settings/toml"
)

// BenchmarkRead reads a project of 1,000 settings, as every command does that is about a project.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	text.WriteString(shop)
	for i := range 1000 {
		fmt.Fprintf(&text, "\n[settings.SETTING_%04d]\ntype = \"string\"\nrequired = true\nsecret = true\n", i)
	}
	src := []byte(text.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := toml.Read("keephold.toml", src); err != nil {
			b.Fatal(err)
		}
	}
}
