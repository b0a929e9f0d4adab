package inspect

import "github.com/keephold/keephold/internal/inspect/python"

// making is one call that makes a settings object: the names of the fields that it hands over itself.
type making map[string]bool

// findMakings finds Settings(key=…) and Settings(**given) where given = {"key": …} stands above it.
func (w *world) findMakings(f *pyFile) {
	dicts := map[string]*python.Dict{}
	python.Walk(f.module.Body, func(n any) bool {
		switch n := n.(type) {
		case *python.Assign:
			if d, ok := n.Value.(*python.Dict); ok && len(n.Targets) == 1 {
				dicts[lastName(n.Targets[0])] = d
			}
		case *python.Call:
			c := w.settingsClass(last(f.qualified(n.Func)))
			if c == nil {
				return true
			}
			given := making{}
			for _, k := range n.Keywords {
				if k.Name != "" {
					given[k.Name] = true
					continue
				}
				d, _ := k.Value.(*python.Dict)
				if d == nil {
					d = dicts[lastName(k.Value)]
				}
				if d == nil {
					continue
				}
				for _, key := range d.Keys {
					if key != nil {
						text, _ := f.text(key)
						given[text] = true
					}
				}
			}
			w.makings[c.def.Name] = append(w.makings[c.def.Name], given)
		}
		return true
	})
}

// given says whether every call that makes an object of a class hands the field over, so that nobody has to set it.
func (w *world) given(class, field string) bool {
	for _, m := range w.makings[class] {
		if !m[field] {
			return false
		}
	}
	return len(w.makings[class]) > 0
}
