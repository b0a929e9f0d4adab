package inspect_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/inspect"
	"github.com/keephold/keephold/internal/settings"
)

func shop(t testing.TB) *inspect.Report {
	t.Helper()
	r, err := inspect.Tree(context.Background(), os.DirFS("testdata/shop"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func line(s inspect.Setting) string {
	out := fmt.Sprintf("%s %s %s", s.Place, s.Name, s.Type)
	if len(s.Aliases) > 0 {
		out += " or " + strings.Join(s.Aliases, ",")
	}
	for word, is := range map[string]bool{" required": s.Required, " secret": s.Secret} {
		if is && word == " required" {
			out += word
		}
	}
	if s.Secret {
		out += " secret"
	}
	if s.Masked {
		out += " masked"
	}
	if s.Default != nil {
		out += " =" + *s.Default
	}
	if len(s.Choices) > 0 {
		out += " of " + strings.Join(s.Choices, ",")
	}
	return out
}

func TestSettingsOfAProject(t *testing.T) {
	var got []string
	for _, s := range shop(t).Settings {
		got = append(got, line(s))
	}
	want := []string{
		"app/config.py:25 SHOP_DEBUG bool =False", // as a field of Common
		"app/config.py:25 SHOP_DEBUG bool =False", // and of Settings
		"app/config.py:32 SHOP_DATABASE_URL url required secret",
		"app/config.py:33 STRIPE_KEY string or STRIPE_API_KEY required secret masked",
		"app/config.py:34 ADMIN_EMAIL email",
		"app/config.py:35 SHOP_LEVEL enum =info of debug,info",
		"app/config.py:36 SHOP_MODE enum of fast,safe",
		"app/config.py:37 SHOP_HOSTS list",
		"app/config.py:18 SHOP_DB__HOST string =localhost",
		"app/config.py:19 SHOP_DB__PORT port required",
		"app/config.py:20 SHOP_DB__PASSWORD string required secret masked",
		"app/config.py:18 SHOP_CACHE__HOST string =localhost",
		"app/config.py:19 SHOP_CACHE__PORT port",
		"app/config.py:20 SHOP_CACHE__PASSWORD string secret masked",
		"app/config.py:40 SHOP_PORT port =8_000",
		"app/config.py:41 SHOP_JWT_SECRET string secret =change-me-please",
		"app/mail.py:7 SMTP_PASSWORD string required secret",
		"app/mail.py:8 SMTP_PORT port =25",
		"app/mail.py:9 SMTP_TLS bool =True",
		"app/mail.py:10 ALLOWED list required",
		"app/mail.py:11 KIND enum =a of a,b",
		"app/mail.py:12 SESSION string required secret masked",
		"app/main.py:15 API_TOKEN string required secret",
		"app/main.py:16 WORKERS int =4",
		"app/main.py:17 ORIGINS list =",
		"app/main.py:18 FEATURE string =off",
		"app/main.py:42 SECURE_COOKIES bool =false",
		"app/wrap.py:10 BY_ALIAS string required",
		"app/wrap.py:11 BY_METHOD string =x",
		"web/index.ts:3 A_NAME string required",
		"web/index.ts:3 WITH_DEFAULT string =d",
		"web/index.ts:5 HOST_NAME string required",
		"web/index.ts:6 PORT port =3000",
		"web/index.ts:7 API_KEY string secret =",
		"web/index.ts:9 DEBUG bool",
		"web/index.ts:10 VITE_TITLE string required",
		"web/main.go:8 GO_TOKEN string required secret",
		"web/main.go:9 GO_SIZE int =3",
		"web/main.go:13 GO_CONST string",
		"web/main.go:14 GO_LOOKED string",
		"worker/tasks.py:9 SENTRY_DSN url secret", // its file says os.environ[…] of what it needs
		"worker/tasks.py:16 VAULT_ADDR string required",
		"worker/tasks.py:29 LAST string =end",
	}
	compare(t, got, want)
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for _, w := range want {
		i := slices.Index(got, w)
		if i < 0 {
			t.Errorf("missing: %s", w)
			continue
		}
		got = slices.Delete(slices.Clone(got), i, i+1)
	}
	for _, g := range got {
		t.Errorf("too much: %s", g)
	}
}

func TestDangers(t *testing.T) {
	var got []string
	for _, d := range shop(t).Dangers {
		got = append(got, fmt.Sprintf("%s %s %s", d.Place, d.Code, d.Name))
		if d.Message == "" || d.Fix == "" {
			t.Errorf("%s has no message or no fix", d.Place)
		}
		if strings.Contains(d.Message+d.Fix, "abc123") || strings.Contains(d.Message+d.Fix, "change-me") {
			t.Errorf("%s shows a value: %s", d.Place, d.Message)
		}
	}
	compare(t, got, []string{
		"app/config.py:41 secret-default SHOP_JWT_SECRET",
		"app/config.py:49 cached-for-life ",
		"app/config.py:53 cached-for-life ",
		"app/mail.py:7 cached-for-life SMTP_PASSWORD",
		"app/main.py:11 load-dotenv-override ",
		"app/main.py:14 literal-in-environ TOKEN_FOR_TESTS",
		"app/main.py:15 cached-for-life API_TOKEN",
		"app/main.py:23 setting-returned SHOP_JWT_SECRET",
		"app/main.py:35 setting-returned ",
		"app/main.py:40 setting-logged STRIPE_KEY",
		"app/main.py:41 setting-logged API_TOKEN",
		"web/index.ts:8 literal-in-environ WRITTEN",
		"worker/tasks.py:9 cached-for-life SENTRY_DSN",
	})
}

func TestClassesCloudsAndFiles(t *testing.T) {
	r := shop(t)
	var got []string
	for _, c := range r.Classes {
		got = append(got, fmt.Sprintf("class %s %s %s %d %d %v %s", c.Place, c.Name, c.Prefix, c.Fields, c.Hidden, c.EnvFiles, c.Secrets))
	}
	for _, c := range r.Clouds {
		got = append(got, fmt.Sprintf("cloud %s %s %s", c.Place, c.Kind, c.Name))
	}
	for _, d := range r.Dotenv {
		got = append(got, fmt.Sprintf("dotenv %s %s %s %v", d.Place, d.Loader, d.Path, d.Override))
	}
	for _, u := range r.Unread {
		got = append(got, "unread "+u.Place.String())
	}
	compare(t, got, []string{
		"class app/config.py:23 Common SHOP_ 1 0 [.env .env.local] ",
		"class app/config.py:29 Settings SHOP_ 11 3 [.env .env.local] /run/secrets",
		"cloud worker/tasks.py:14 aws ",
		"cloud worker/tasks.py:15 aws prod/shop/db",
		"cloud worker/tasks.py:16 hvac ",
		"cloud worker/tasks.py:17 hvac kv/shop",
		"cloud worker/tasks.py:18 gcp ",
		"cloud worker/tasks.py:19 gcp projects/p/secrets/{which()}/versions/latest",
		"cloud worker/tasks.py:20 azure ",
		"cloud worker/tasks.py:20 azure db-password",
		"dotenv app/config.py:23 pydantic-settings .env false",
		"dotenv app/config.py:23 pydantic-settings .env.local false",
		"dotenv app/config.py:29 pydantic-settings .env false",
		"dotenv app/config.py:29 pydantic-settings .env.local false",
		"dotenv app/main.py:11 python-dotenv .env true",
		"dotenv web/index.ts:2 dotenv  false",
		"unread web/main.go:17",
		"unread worker/tasks.py:25",
		"unread worker/tasks.py:28",
	})
	if r.Files != 7 {
		t.Errorf("read %d files, want 7: those of node_modules are not the project's", r.Files)
	}
}

func TestSchema(t *testing.T) {
	s := shop(t).Schema()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if jwt := s.Lookup("SHOP_JWT_SECRET"); jwt == nil || !jwt.Secret || jwt.Default != nil {
		t.Errorf("a secret's default went into the schema: %+v", jwt)
	}
	if db := s.Lookup("SHOP_DB__PORT"); db == nil || db.Type != settings.Port || !db.Required.Always || !strings.Contains(db.Description, "Settings.db.port") {
		t.Errorf("got %+v", db)
	}
}

// twoHundredFiles is a service of usual size: four files of the shop, each five times as long, under fifty names.
func twoHundredFiles(tb testing.TB) (sources []inspect.Source) {
	for _, name := range []string{"app/config.py", "app/main.py", "app/mail.py", "worker/tasks.py"} {
		text, err := os.ReadFile("testdata/shop/" + name)
		if err != nil {
			tb.Fatal(err)
		}
		for i := range 50 {
			sources = append(sources, inspect.Source{Name: fmt.Sprintf("p%d/%s", i, name), Text: []byte(strings.Repeat(string(text), 5))})
		}
	}
	return sources
}

func TestTwoHundredFiles(t *testing.T) {
	if r := inspect.Files(twoHundredFiles(t)); r.Files != 200 {
		t.Errorf("read %d files of 200", r.Files)
	}
}

// BenchmarkTwoHundredFiles: the promise is less than a second an iteration.
func BenchmarkTwoHundredFiles(b *testing.B) {
	sources := twoHundredFiles(b)
	for b.Loop() {
		inspect.Files(sources)
	}
}

func BenchmarkTree(b *testing.B) {
	for b.Loop() {
		shop(b)
	}
}

func FuzzFiles(f *testing.F) {
	for _, name := range []string{"app/config.py", "app/main.py", "app/mail.py", "worker/tasks.py", "web/index.ts", "web/main.go"} {
		text, err := os.ReadFile("testdata/shop/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, src string) {
		var sources []inspect.Source
		for _, name := range []string{"a.py", "b.ts", "c.go"} {
			sources = append(sources, inspect.Source{Name: name, Text: []byte(src)})
		}
		if err := inspect.Files(sources).Schema().Validate(); err != nil && !strings.Contains(src, "=") && !strings.Contains(src, "\x00") {
			t.Logf("a name that no environment can carry: %v", err)
		}
	})
}
