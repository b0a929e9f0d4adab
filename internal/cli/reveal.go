package cli

import "github.com/keephold/keephold/internal/secret"

// reveal is the one place of this package where a value becomes text, for output that somebody asked for.
func reveal(v secret.Value) string { return string(v.Reveal()) }
