package inspect_test

import (
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/inspect"
)

// TestNeeded: what the code round a look says about doing without a value.
func TestNeeded(t *testing.T) {
	for _, c := range []struct {
		name, src string
		need      bool
	}{
		{"nothing said", `x = os.getenv("X")`, true},
		{"hard", `x = os.environ["X"]`, true},
		{"default", `x = os.getenv("X", "d")`, false},
		{"default None", `x = os.getenv("X", None)`, false},
		{"asked in place", "if os.getenv('X'):\n    pass", false},
		{"compared in place", `on = os.getenv("X") == "yes"`, false},
		{"or", `x = os.getenv("X") or make()`, false},
		{"asked later", "x = os.getenv('X')\ndef f():\n    if x:\n        pass", false},
		{"asked as an attribute of another", "MAIL = os.getenv('X')\ndef f(conf):\n    return conf.MAIL and send()", false},
		{"asked by name", "MAIL = os.getenv('X')\ndef f(conf):\n    return getattr(conf, 'MAIL', None)", false},
		{"walrus", "if v := os.getenv('X'):\n    pass", false},
		{"raises", "x = os.getenv('X')\nif not x:\n    raise RuntimeError('X')", true},
		{"raises though there is None", "x = os.getenv('X', None)\nif x is None:\n    raise RuntimeError('X')", true},
		{"exits", "x = os.getenv('X')\nif x is None or not y:\n    print('no')\n    sys.exit(1)", true},
		{"asserted", "x = os.getenv('X')\nassert x", true},
		{"raises when there is one", "x = os.getenv('X')\nif x is not None:\n    raise RuntimeError('X')", false},
		{"used at once", "import json\ny = os.environ['Y']\nx = os.getenv('X').encode()", true},
		{"converted at once", "y = os.environ['Y']\nx = int(os.getenv('X'))", true},
		{"in a try", "try:\n    x = int(os.environ['X'])\nexcept KeyError:\n    x = 5", false},
		{"in a try that gives up", "try:\n    x = int(os.environ['X'])\nexcept KeyError:\n    raise SystemExit", true},
		{"in a try without except", "try:\n    x = os.environ['X']\nfinally:\n    done()", true},
		{"behind a question", "if 'X' in os.environ:\n    x = os.environ['X']", false},
		{"behind a question for another", "if 'Y' in os.environ:\n    x = os.environ['X']", true},
		{"beside what is needed", "y = os.environ['Y']\nx = os.getenv('X')", false},
		{"wrapper", "def env(n):\n    return os.environ[n]\nx = env('X')", true},
		{"wrapper with a default", "def env(n, default):\n    return os.getenv(n, default)\nx = env('X', '1')", false},
		{"wrapper that may have none", "def env(n, default=None):\n    return os.getenv(n, default)\nx = env('X')", false},
		{"wrapper that makes one", "def env(n, default_factory=None):\n    v = os.getenv(n)\n    if v is None:\n        return default_factory()\n    return v\nx = env('X')", true},
		{"wrapper of a wrapper", "def a(n):\n    return os.environ[n]\ndef b(m):\n    return a(m)\nx = b('X')", true},
		{"part of a name", "def env(n):\n    return os.environ['SHOP_' + n]\nx = env('X')", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := inspect.Files([]inspect.Source{{Name: "a.py", Text: []byte("import os, sys\n" + c.src + "\n")}})
			found, need := false, false
			for _, s := range r.Settings {
				if s.Name == "X" || s.Name == "SHOP_X" {
					found, need = true, need || s.Required
				}
			}
			if !found || need != c.need {
				t.Errorf("found %v, needed %v, want %v:\n%s", found, need, c.need, strings.TrimSpace(c.src))
			}
			if len(r.Unread) != 0 {
				t.Errorf("unread: %v", r.Unread)
			}
		})
	}
}

// TestHandedOver: what the program itself gives to its settings object need not be set; a prefix of a name and one round
// a name are followed.
func TestHandedOver(t *testing.T) {
	r := inspect.Files([]inspect.Source{{Name: "a.py", Text: []byte(`
from pydantic_settings import BaseSettings
class S(BaseSettings):
    key: str
    salt: str
    left: str
def make():
    given = {"salt": 1}
    return S(key="k", **given)
def env(n):
    return os.getenv(f"SHOP_{n}_FILE")
import os
env("MAIL")
`)}})
	want := map[string]bool{"KEY": false, "SALT": false, "LEFT": true, "SHOP_MAIL_FILE": true}
	for _, s := range r.Settings {
		if need, ok := want[s.Name]; !ok || need != s.Required {
			t.Errorf("%s: needed %v", s.Name, s.Required)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}
