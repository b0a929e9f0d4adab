package auth

import (
	"strings"
	"sync"
)

// interned keeps one copy of what many tokens say alike: which policies they have, and where and how they were made. Without it
// most of the memory of a hundred thousand tokens is a few words, over and over.
type interned struct {
	mu    sync.Mutex
	texts map[string]string   // guarded by mu
	lists map[string][]string // guarded by mu; by their texts joined
}

// maxInterned bounds the texts and the lists. When there are more, they are not alike, and all are forgotten: who holds a
// copy keeps it.
const maxInterned = 4096

// share replaces what t says by the one copy of it. t is not shared with anybody yet.
func (x *interned) share(t *Token) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.texts) > maxInterned || x.texts == nil {
		x.texts = map[string]string{}
	}
	if len(x.lists) > maxInterned || x.lists == nil {
		x.lists = map[string][]string{}
	}
	for _, s := range []*string{&t.Path, &t.Method, &t.Mount, &t.Role, &t.Display, &t.Entity} {
		*s = x.text(*s)
	}
	if len(t.Policies) == 0 {
		return
	}
	key := strings.Join(t.Policies, "\x00")
	list, ok := x.lists[key]
	if !ok {
		list = t.Policies[:len(t.Policies):len(t.Policies)]
		x.lists[key] = list
	}
	t.Policies = list
}

func (x *interned) text(s string) string {
	if one, ok := x.texts[s]; ok {
		return one
	}
	x.texts[s] = s
	return s
}
