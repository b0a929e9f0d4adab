package cli

import (
	"context"
	"net/http"
	"strings"

	"github.com/keephold/keephold/internal/settings/toml"
)

// unread is where an environment and those it inherits from ceased to be readable for this caller.
//
// The nearest value of a name wins, so nobody may pass by what they cannot see: where an environment was read in part, it may
// have a name of its own that this caller may not read, and where it was refused, it may have any. What lies behind it would
// then win over what should. Therefore nothing is inherited through either.
type unread struct {
	env     string   // whose values are asked for
	at      toml.Env // the first that was not read whole
	depth   int      // how many are nearer than it
	refused bool     // nothing of it may be read; else single settings of it were
	behind  []string // what it inherits from, which was not asked
}

func (e environment) unreadFrom(depth int, refused bool) *unread {
	u := &unread{env: e.name, at: e.chain[depth], depth: depth, refused: refused}
	for _, link := range e.chain[depth+1:] {
		u.behind = append(u.behind, link.Name)
	}
	return u
}

// names are the environments that were not read, or not whole, nearest first.
func (u *unread) names() []string {
	if u == nil {
		return []string{}
	}
	return append([]string{u.at.Name}, u.behind...)
}

// reaches compares how far two readings of one environment came.
func (u *unread) reaches(other *unread) bool {
	switch {
	case u == nil:
		return true
	case other == nil:
		return false
	case u.depth != other.depth:
		return u.depth > other.depth
	}
	return !u.refused || other.refused
}

// inheritance says that something which might have been inherited was not; "" where nothing was to be.
func (u *unread) inheritance() string {
	switch {
	case u == nil:
		return ""
	case u.refused:
		return u.at.Name + " may not be read, so " + u.env + " inherits nothing from " + strings.Join(u.names(), ", ")
	case len(u.behind) == 0:
		return ""
	}
	return "only single settings of " + u.at.Name + " may be read, so nothing is inherited from " + strings.Join(u.behind, ", ")
}

func (env Env) tellUnread(o *options, u *unread) {
	if text := u.inheritance(); text != "" && !o.quiet {
		env.talk("keephold: warning: %s", text)
	}
}

// layers reads an environment and what it inherits from, nearest first, as far as this caller may. A refusal of the environment
// itself is an error; one of those it inherits from ends the inheritance.
func (a *api) layers(ctx context.Context, e environment) ([]envAnswer, *unread, error) {
	var all []envAnswer
	for i, link := range e.chain {
		got, err := a.envOf(ctx, link.Space)
		if i > 0 && status(err) == http.StatusForbidden {
			a.leases.behind(ctx, link.Space, &all[0])
			return all, e.unreadFrom(i, true), nil
		}
		if err != nil {
			return nil, nil, err
		}
		all = append(all, got)
		if got.Partial {
			return all, e.unreadFrom(i, false), nil
		}
	}
	return all, nil, nil
}

// wholeOf is envOf for who needs all that is there: a part is refused.
func (a *api) wholeOf(ctx context.Context, space string) (envAnswer, error) {
	got, err := a.envOf(ctx, space)
	if err == nil && got.Partial {
		err = failf(exitDenied, "cannot read all of %s: permission denied", space).withHint("who am I: keephold whoami; why: keephold policy explain")
	}
	return got, err
}

// holds says whether a Space has a text of this name. What was read of it answers that, unless it was read in part: then
// the keep is asked, and a refusal is an error.
func (a *api) holds(ctx context.Context, space string, got *envAnswer, name string) (string, bool, error) {
	text, ok := got.Values[name]
	if ok || !got.Partial {
		return text, ok, nil
	}
	v, err := a.textOf(ctx, space, name)
	if status(err) == http.StatusNotFound || err == nil && v == nil {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return v.text, true, nil
}

// textOf asks for one setting alone; nil is a secret that is no text.
func (a *api) textOf(ctx context.Context, space, name string) (*value, error) {
	var out struct {
		Text    *string `json:"text"`
		Version uint64  `json:"version"`
	}
	err := a.call(ctx, http.MethodGet, "keephold/value/"+escapePath(space+"/"+name), nil, &out)
	if err != nil || out.Text == nil {
		return nil, explain(err, "cannot read "+space+"/"+name)
	}
	return &value{text: *out.Text, version: out.Version}, nil
}

// search looks for a setting from the first environment on that could not be read whole: each is asked for this one name, and
// the first that has it wins, as it would if all could be read. A refusal ends the search, because nobody knows what stands
// there. nil: it is set nowhere.
func (env Env) search(ctx context.Context, o *options, a *api, s *setting, from int) (*value, error) {
	known := s.project.Settings.Lookup(s.name)
	for i, link := range s.env.chain[from:] {
		if i > 0 && len(link.Sources) > 0 { // those of the first were read with it
			merged := map[string]value{}
			if err := env.addSources(ctx, o, s.env, link.Sources, merged); err != nil {
				return nil, err
			}
			if v, ok := merged[s.name]; ok {
				return &v, nil
			}
		}
		v, err := a.textOf(ctx, link.Space, s.name)
		switch {
		case err == nil && v != nil:
			v.from = link.Name
			return v, nil
		case err != nil && status(err) != http.StatusNotFound:
			return nil, err
		case link.Protected && (known == nil || known.Secret):
			return nil, nil
		}
	}
	return nil, nil
}
