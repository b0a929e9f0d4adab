package detectsecrets

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// yamlLines turns a YAML document into lines of the form key: "value", one for each string that is the value of a key.
func yamlLines(text string) (lines []string, err error) {
	defer func() {
		if recover() != nil { // the library panics on a few broken documents
			lines, err = nil, errNotParsed
		}
	}()
	d := yaml.NewDecoder(strings.NewReader(text))
	var doc, more yaml.Node
	if d.Decode(&doc) != nil || d.Decode(&more) == nil {
		return nil, errNotParsed // nothing, broken, or several documents
	}
	w := &yamlWalk{raw: splitLines(text)}
	if err := w.walk(&doc); err != nil {
		return nil, err
	}
	slices.SortStableFunc(w.found, func(a, b yamlValue) int { return cmp.Compare(a.line, b.line) })
	seen := map[yamlValue]bool{}
	for _, v := range w.found {
		if seen[v] {
			continue
		}
		seen[v] = true
		for len(lines) < v.line-1 {
			lines = append(lines, "")
		}
		lines = append(lines, v.key+`: "`+strings.ReplaceAll(v.value, `"`, `\"`)+`"`+v.comment)
	}
	return lines, nil
}

type yamlValue struct {
	key, value, comment string
	line                int
}

type yamlWalk struct {
	raw   []string
	found []yamlValue
}

// most bounds the nodes, for aliases can make a small document a huge one.
const mostNodes = 1_000_000

var yamlComment = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\s+#[\S ]*`)
})

// walk goes through the document level by level.
func (w *yamlWalk) walk(doc *yaml.Node) error {
	queue := []*yaml.Node{doc}
	for n := 0; len(queue) > 0; n++ {
		if n > mostNodes {
			return errNotParsed
		}
		node := queue[0]
		queue = queue[1:]
		if !knownTag(node) {
			return errNotParsed
		}
		switch node.Kind {
		case yaml.DocumentNode, yaml.SequenceNode:
			queue = append(queue, node.Content...)
		case yaml.AliasNode:
			queue = append(queue, node.Alias)
		case yaml.MappingNode:
			pairs, err := mapping(node, 0)
			if err != nil {
				return err
			}
			for _, p := range pairs {
				if !knownTag(p.value) {
					return errNotParsed
				}
				if v, ok := textOf(p.value); ok {
					w.add(node, p, v)
					continue
				}
				queue = append(queue, p.value)
			}
		}
	}
	return nil
}

type yamlPair struct{ key, value *yaml.Node }

// mapping is the pairs of a mapping, what it merges first; of a key that is there twice the last value counts.
func mapping(node *yaml.Node, depth int) ([]yamlPair, error) {
	if depth > maxNesting {
		return nil, errNotParsed
	}
	var merged, own []yamlPair
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], node.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return nil, errNotParsed
		}
		if k.Tag != "!!merge" {
			own = append(own, yamlPair{k, v})
			continue
		}
		sources := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			sources = v.Content
		}
		for _, s := range sources {
			if s.Kind == yaml.AliasNode {
				s = s.Alias
			}
			if s.Kind != yaml.MappingNode {
				return nil, errNotParsed
			}
			pairs, err := mapping(s, depth+1)
			if err != nil {
				return nil, err
			}
			merged = append(merged, pairs...)
		}
	}
	var out []yamlPair
	at := map[string]int{}
	for _, p := range append(merged, own...) {
		if i, ok := at[p.key.Value]; ok {
			out[i].value, out[i].key = p.value, p.key
			continue
		}
		at[p.key.Value] = len(out)
		out = append(out, p)
	}
	return out, nil
}

func (w *yamlWalk) add(in *yaml.Node, p yamlPair, value string) {
	line := p.key.Line
	if in.Style&yaml.FlowStyle != 0 && line == in.Line {
		line = in.Line
	}
	v := yamlValue{key: p.key.Value, value: value, line: line}
	if line > 0 && line <= len(w.raw) {
		v.comment = yamlComment().FindString(strings.TrimSpace(w.raw[line-1]))
	}
	w.found = append(w.found, v)
}

// knownTag reports that the peer's loader would take the node: it refuses tags of applications, such as !Ref.
func knownTag(n *yaml.Node) bool {
	return !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!")
}

// textOf returns the text of a string or of binary data, directly or through an alias.
func textOf(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	switch {
	case n.Tag == "!!binary":
		return strings.Join(strings.Fields(n.Value), ""), true
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return n.Value, true
	case n.Style&yaml.TaggedStyle != 0:
		return n.Value, n.Tag == "!!str"
	}
	return n.Value, !plainType().MatchString(n.Value)
}

// plainType matches what YAML 1.1 takes for something else than a string: null, booleans, numbers, dates (its types
// repository, 2005).
var plainType = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:|~|null|Null|NULL|=|<<` +
		`|[Yy]es|YES|[Nn]o|NO|[Tt]rue|TRUE|[Ff]alse|FALSE|[Oo]n|ON|[Oo]ff|OFF` + //nolint:misspell // a class of letters
		`|[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+` +
		`|[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)` +
		`|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)
})
