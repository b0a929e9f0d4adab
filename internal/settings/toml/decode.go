package toml

import (
	"bytes"
	"maps"

	gotoml "github.com/pelletier/go-toml/v2"
)

// apart is how many settings are decoded together.
const apart = 32

// decode decodes the file. The library looks for repeated keys by comparing each table with all its siblings, which
// takes longer than everything else where a project has hundreds of settings: so they are decoded a few at a time.
// Whatever is unusual or wrong is left to the library, with the file whole: its errors know their places.
func decode(src []byte, ix index) (projectFile, error) {
	if raw, ok := decodeApart(src, ix); ok {
		return raw, nil
	}
	var raw projectFile
	err := decodeStrictly(src, &raw)
	return raw, err
}

func decodeStrictly(src []byte, into *projectFile) error {
	return gotoml.NewDecoder(bytes.NewReader(src)).DisallowUnknownFields().Decode(into)
}

// decodeApart decodes the tables of settings in parts, and then the rest of the file; ok is false if it has to be done
// whole.
func decodeApart(src []byte, ix index) (raw projectFile, ok bool) {
	if ix.broken {
		return raw, false
	}
	all, rest := make(map[string]settingFile, len(ix.entries)/4), make([]byte, 0, 1024)
	begin, tables := 0, 0 // the part that is being looked at: so many settings; none: it belongs to the rest
	finish := func(end int) bool {
		defer func() { begin, tables = end, 0 }()
		if tables == 0 {
			rest = append(rest, src[begin:end]...)
			return true
		}
		var part projectFile
		before := len(all)
		if decodeStrictly(src[begin:end], &part) != nil {
			return false
		}
		maps.Copy(all, part.Settings)
		return len(all) == before+tables // none is there twice
	}
	for _, e := range ix.entries {
		setting := e.path[0] == "settings"
		switch {
		case !e.table && setting && tables == 0: // settings.NAME.type = …
			return raw, false
		case !e.table:
			continue
		case setting && (len(e.path) != 2 || e.array):
			return raw, false
		case setting == (tables > 0) && tables < apart:
		default:
			if !finish(bytes.LastIndexByte(src[:e.start], '\n') + 1) {
				return raw, false
			}
		}
		if setting {
			tables++
		}
	}
	if !finish(len(src)) || decodeStrictly(rest, &raw) != nil {
		return raw, false
	}
	raw.Settings = all
	return raw, true
}
