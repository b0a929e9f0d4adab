package client

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/keephold/keephold/internal/settings"
)

// Bind fills the struct that dst points to with the settings of the Space. A field is bound by its tags:
//
//	keephold:"NAME"            the setting's name; a field without the tag is left alone
//	keephold:"NAME,required"   it must have a value that is not empty
//	keephold:",prefix=DB_"     of a struct: its fields' names begin with DB_
//	default:"8080"             used when there is no value
//	type:"email"               judged as keephold.toml's type of that name judges: url email port ip duration path json list pem …
//	choices:"debug,info"       the only values there may be
//	pattern:"[a-z]+"           what the whole value matches
//
// Fields are strings, bools (in the words of decouple and pydantic: true, yes, on, 1 …), whole numbers, floats,
// [time.Duration] ("15m", or a number of seconds), [net/url.URL], [net/netip.Addr], lists of these (JSON, or commas between),
// []byte, [Value], maps and structs (JSON), pointers to any of them (nil without a value), and whatever implements
// [encoding.TextUnmarshaler].
//
// All problems are reported together, in a [*BindError] without a value in it; dst is then unchanged.
func (s *Space) Bind(ctx context.Context, dst any) error {
	v, err := s.Values(ctx)
	if err != nil {
		return err
	}
	return v.Bind(dst)
}

// A BindError lists what is wrong with the settings that a struct asks for.
type BindError struct{ Problems []Problem }

// A Problem is one of them. It holds no value.
type Problem struct {
	Name string // of the setting
	Text string
}

func (e *BindError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Name + ": " + p.Text
	}
	return strings.Join(texts, "; ")
}

// Unwrap is ErrInvalid.
func (e *BindError) Unwrap() error { return ErrInvalid }

// Bind fills the struct that dst points to, as [Space.Bind] does.
func (v *Values) Bind(dst any) error {
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.IsNil() || p.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("client: bind to %T: want a pointer to a struct: %w", dst, ErrInvalid)
	}
	b := binder{values: v, seen: map[string]bool{}}
	made := reflect.New(p.Elem().Type()).Elem()
	made.Set(p.Elem())
	b.structure(made, "")
	if b.wrong != nil {
		return fmt.Errorf("client: bind to %T: %w: %w", dst, b.wrong, ErrInvalid)
	}
	if len(b.problems) > 0 {
		return &BindError{b.problems}
	}
	p.Elem().Set(made)
	return nil
}

// binder goes through a struct once.
type binder struct {
	values   *Values
	seen     map[string]bool
	problems []Problem // of values
	wrong    error     // of the struct itself: the program's mistake
}

func (b *binder) structure(to reflect.Value, prefix string) {
	t := to.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("keephold")
		if !tagged || tag == "-" {
			continue
		}
		if !f.IsExported() {
			b.wrong = fmt.Errorf("field %s has a tag and is not exported", f.Name)
			return
		}
		w, err := parseTag(&f, tag)
		if err != nil {
			b.wrong = fmt.Errorf("field %s: %w", f.Name, err)
			return
		}
		if w.nested {
			b.structure(to.Field(i), prefix+w.prefix)
			continue
		}
		w.setting.Name = prefix + w.setting.Name
		b.field(to.Field(i), w)
	}
}

// want is what a field's tags ask for.
type want struct {
	setting  settings.Setting
	required bool
	nested   bool
	prefix   string
}

func parseTag(f *reflect.StructField, tag string) (want, error) {
	name, rest, _ := strings.Cut(tag, ",")
	w := want{setting: settings.Setting{Name: name, Type: settings.Type(f.Tag.Get("type")), Pattern: f.Tag.Get("pattern")}}
	if text, ok := f.Tag.Lookup("default"); ok {
		w.setting.Default = &text
	}
	if list := f.Tag.Get("choices"); list != "" {
		w.setting.Choices = strings.Split(list, ",")
	}
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, ",")
		prefix, isPrefix := strings.CutPrefix(word, "prefix=")
		switch {
		case word == "required":
			w.required = true
		case isPrefix && name == "" && f.Type.Kind() == reflect.Struct:
			w.nested, w.prefix = true, prefix
		default:
			return w, fmt.Errorf("the tag has %q; it knows required, and prefix= of a struct without a name", word)
		}
	}
	if w.nested {
		return w, nil
	}
	return w, w.setting.Validate()
}

func (b *binder) field(to reflect.Value, w want) {
	name := w.setting.Name
	if b.seen[name] {
		b.wrong = fmt.Errorf("two fields are bound to %s", name)
		return
	}
	b.seen[name] = true
	v, ok := b.values.Lookup(name)
	text := v.Text()
	if !ok && w.setting.Default != nil {
		text, ok = *w.setting.Default, true
	}
	switch {
	case w.required && text == "":
		b.problem(name, "is required and has no value")
		return
	case !ok:
		return
	case text == "" && !isText(to.Type()):
		return // an empty value is none, but for text
	}
	if text != "" {
		if err := w.setting.Check(text, settings.AnyWords); err != nil {
			b.problem(name, err.Error())
			return
		}
	}
	if err := assign(to, text); err != nil {
		b.problem(name, err.Error())
	}
}

func (b *binder) problem(name, text string) { b.problems = append(b.problems, Problem{name, text}) }
