package settings

// Placeholder is a value of a setting's type that means nothing, for a program that must start without the real one.
// It passes the setting's own check wherever the schema gives enough to go by.
func Placeholder(s *Setting) string {
	if len(s.Choices) > 0 {
		return s.Choices[0]
	}
	if s.Example != "" && s.Check(s.Example, AnyWords) == nil {
		return s.Example
	}
	switch s.TypeOrString() {
	case Int, Port:
		return "1"
	case Float:
		return "1.0"
	case Bool:
		return "false"
	case URL:
		return "https://placeholder.invalid/"
	case Email:
		return "placeholder@example.invalid"
	case IP:
		return "192.0.2.1" // TEST-NET-1, RFC 5737
	case Duration:
		return "PT1S"
	case JSON:
		return "{}"
	case List:
		return "[]"
	case PEM:
		if key, err := (&generator{kind: "ed25519"}).make(); err == nil {
			return string(key)
		}
	}
	return "placeholder"
}
