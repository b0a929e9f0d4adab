package toml

import (
	"bytes"
	"strconv"

	gotoml "github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// decoded is a file with the names of its environments and settings in their order.
type decoded struct {
	projectFile
	envs, settings []string
}

// decode decodes the file. Nearly all of a project of hundreds of settings is tables [settings.NAME] with plain texts and bools
// in them. Those are taken as the parser passes them; the library, which goes by reflection and compares each table with all its
// siblings, gets the rest. Whatever is wrong or stands in an unusual place is left to the library with the file whole: its
// errors know their places.
func decode(src []byte) (decoded, error) {
	if d, ok := decodePlain(src); ok {
		return d, nil
	}
	var d decoded
	err := decodeStrictly(src, &d.projectFile)
	if err == nil {
		ix := indexOf(src)
		d.envs, d.settings = ix.order("env", d.Env), ix.order("settings", d.Settings)
	}
	return d, err
}

func decodeStrictly(src []byte, into *projectFile) error {
	return gotoml.NewDecoder(bytes.NewReader(src)).DisallowUnknownFields().Decode(into)
}

// decodePlain is decode without the file whole; ok is false if that is needed.
func decodePlain(src []byte) (d decoded, ok bool) {
	t := taking{src: src, plain: make(map[string]settingFile, bytes.Count(src, []byte("\n[settings.")))}
	if !t.takeAll() || decodeStrictly(t.rest, &d.projectFile) != nil {
		return d, false
	}
	for name := range d.Settings {
		if _, twice := t.plain[name]; twice {
			return d, false
		}
		t.plain[name] = d.Settings[name]
	}
	rest := indexOf(t.rest)
	d.Settings, d.settings, d.envs = t.plain, t.names, rest.order("env", d.Env)
	return d, len(t.names) == len(t.plain)
}

// taking walks over a file and takes the plain tables of settings out of it.
type taking struct {
	src   []byte
	names []string // of all tables of settings
	plain map[string]settingFile
	rest  []byte

	// The table that is being looked at.
	begin int
	name  string // of a setting; "" if the table is about something else
	usual bool   // nothing in it needs the library
	has   fields
	table settingFile
}

// fields are the keys that a table has: a key that is there twice is not taken.
type fields uint16

func (t *taking) takeAll() bool {
	p := &unstable.Parser{}
	p.Reset(t.src)
	top := true
	for p.NextExpression() {
		x := p.Expression()
		switch {
		case x.Kind == unstable.Table, x.Kind == unstable.ArrayTable:
			top = false
			if !t.finish(t.lineOf(x)) || !t.open(x) {
				return false
			}
		case x.Kind != unstable.KeyValue:
		case t.name != "":
			t.usual = t.usual && t.set(x)
		case top:
			if it := x.Key(); it.Next() && string(it.Node().Data) == "settings" { // settings.NAME.type = …, or all in one line
				return false
			}
		}
	}
	return p.Error() == nil && t.finish(len(t.src))
}

// lineOf is where the line of a header begins.
func (t *taking) lineOf(header *unstable.Node) int {
	it := header.Key()
	it.Next()
	return bytes.LastIndexByte(t.src[:it.Node().Raw.Offset], '\n') + 1
}

// open looks at a header; it is false for one that says something of settings in another way than [settings.NAME].
func (t *taking) open(header *unstable.Node) bool {
	it := header.Key()
	it.Next()
	t.name = ""
	if string(it.Node().Data) != "settings" {
		return true
	}
	if header.Kind == unstable.ArrayTable || !it.Next() || len(it.Node().Data) == 0 {
		return false
	}
	t.name, t.usual, t.has, t.table = string(it.Node().Data), true, 0, settingFile{}
	t.names = append(t.names, t.name)
	return !it.Next()
}

// finish puts the table that ends here where it belongs; it is false for one that is there already.
func (t *taking) finish(end int) bool {
	if t.name == "" || !t.usual {
		t.rest = append(t.rest, t.src[t.begin:end]...)
	} else if _, twice := t.plain[t.name]; twice {
		return false
	} else {
		t.plain[t.name] = t.table
	}
	t.begin = end
	return true
}

// set takes a key and its value; false is for what the library has to judge.
func (t *taking) set(x *unstable.Node) bool {
	it := x.Key()
	it.Next()
	key, v := it.Node().Data, x.Value()
	if it.Next() {
		return false
	}
	switch string(key) {
	case "type":
		return t.text(1, &t.table.Type, v)
	case "description":
		return t.text(2, &t.table.Description, v)
	case "example":
		return t.text(4, &t.table.Example, v)
	case "pattern":
		return t.text(8, &t.table.Pattern, v)
	case "generate":
		return t.text(16, &t.table.Generate, v)
	case "secret":
		t.table.Secret = isTrue(v)
		return t.first(32) && v.Kind == unstable.Bool
	case "choices":
		var ok bool
		t.table.Choices, ok = texts(v)
		return t.first(64) && ok
	case "required":
		return t.first(128) && t.required(v)
	case "default":
		return t.first(256) && t.fallback(v)
	}
	return false
}

func (t *taking) first(f fields) bool {
	twice := t.has&f != 0
	t.has |= f
	return !twice
}

func (t *taking) text(f fields, into *string, v *unstable.Node) bool {
	*into = string(v.Data)
	return t.first(f) && v.Kind == unstable.String
}

func (t *taking) required(v *unstable.Node) bool {
	if v.Kind == unstable.Bool {
		t.table.Required = isTrue(v)
		return true
	}
	all, ok := texts(v)
	envs := make([]any, len(all))
	for i := range all {
		envs[i] = all[i]
	}
	t.table.Required = envs
	return ok
}

// fallback takes a default. Of numbers only those are taken that everybody writes alike.
func (t *taking) fallback(v *unstable.Node) bool {
	switch v.Kind {
	case unstable.String:
		t.table.Default = string(v.Data)
		return true
	case unstable.Bool:
		t.table.Default = isTrue(v)
		return true
	case unstable.Integer:
		text := string(v.Data)
		n, err := strconv.ParseInt(text, 10, 64)
		t.table.Default = n
		return err == nil && strconv.FormatInt(n, 10) == text
	}
	return false
}

func isTrue(v *unstable.Node) bool { return len(v.Data) > 0 && v.Data[0] == 't' }

func texts(v *unstable.Node) ([]string, bool) {
	if v.Kind != unstable.Array {
		return nil, false
	}
	all := []string{}
	for it := v.Children(); it.Next(); {
		if it.Node().Kind != unstable.String {
			return nil, false
		}
		all = append(all, string(it.Node().Data))
	}
	return all, true
}
