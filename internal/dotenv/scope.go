package dotenv

// scope is what a value can refer to while a file is read from top to bottom.
type scope struct {
	reading Reading
	file    map[string]*string // of the lines before; nil for a name without a value
	literal map[string]string  // node-expand: every name of the file before expansion
}

func (s *scope) set(v Variable) {
	if v.Null {
		s.file[v.Name] = nil
		return
	}
	s.file[v.Name] = &v.Value
}

// fileFirst looks a name up in the lines before, then in the environment. A name without a value is there, and empty.
func (s *scope) fileFirst(name string) (string, bool) {
	if v, ok := s.file[name]; ok {
		if v == nil {
			return "", true
		}
		return *v, true
	}
	return s.reading.Env.lookup(name)
}

func (s *scope) envFirst(name string) (string, bool) {
	if v, ok := s.reading.Env.lookup(name); ok {
		return v, true
	}
	return s.fileFirst(name)
}

// value gives what a binding means here; ok is false where the parser would leave the name out.
func (s *scope) value(d Dialect, b *binding) (v Variable, ok bool, err error) {
	if b.inherit {
		v.Value, ok = s.reading.Env.lookup(b.key)
		return v, ok, nil
	}
	v = Variable{Value: b.text, Null: b.null}
	if b.null {
		return v, true, nil
	}
	if s.reading.Literal && d != POSIX {
		return v, true, nil
	}
	switch d {
	case PythonDotenv:
		look := s.fileFirst
		if s.reading.EnvFirst {
			look = s.envFirst
		}
		v.Value = expandPython(b.text, look)
	case Compose:
		if b.quote != '\'' {
			v.Value, err = expandCompose(b.text, s.envFirst)
		}
	case Godotenv:
		if b.quote != '\'' {
			v.Value = expandGodotenv(b.text, s.fileFirst)
		}
	case NodeExpand:
		v.Value, err = s.expandNode(b)
	case POSIX:
		v.Value, err = expandPOSIX(b.text, s)
	}
	return v, true, err
}

// lastOfEach keeps one binding per name, the last, in the place of the first: dotenv has parsed the whole file into an
// object before dotenv-expand looks at it.
func (s *scope) lastOfEach(all []binding) []binding {
	s.literal = map[string]string{}
	at := map[string]int{}
	var out []binding
	for _, b := range all {
		s.literal[b.key] = b.text
		if i, seen := at[b.key]; seen {
			out[i] = b
			continue
		}
		at[b.key] = len(out)
		out = append(out, b)
	}
	return out
}
