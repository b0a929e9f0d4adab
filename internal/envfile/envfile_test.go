package envfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/dotenv"
	"github.com/keephold/keephold/internal/envfile"
	"github.com/keephold/keephold/internal/secret"
)

const composeFile = `
x-common: &common
  LEVEL: info
services:
  web:
    env_file:
      - web.env
      - path: missing.env
        required: false
    environment:
      <<: *common
      URL: postgres://${DB_USER:-shop}@db/shop
      PRICE: "5$$"
      INHERITED:
      COUNT: 3
  worker:
    env_file: raw.env
    environment:
      - LEVEL=info
      - QUEUE=a=b
`

const kubernetesFile = `
apiVersion: v1
kind: Secret
metadata: {name: shop}
data:
  password: aHVudGVyMg==
  binary: /w==
stringData:
  user: shop
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          envFrom:
            - prefix: DB_
              secretRef: {name: shop}
            - configMapRef: {name: elsewhere}
          env:
            - {name: MODE, value: fast}
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: shop, key: password}}
            - name: OTHER
              valueFrom: {secretKeyRef: {name: vault, key: x}}
            - name: POD
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
`

func open(name string) ([]byte, error) {
	files := map[string]string{"web.env": "LEVEL=debug\nFROM_FILE=\"a b\"\n", "raw.env": "RAW='x'\n"}
	if text, ok := files[name]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func env(name string) (string, bool) {
	v, ok := map[string]string{"DB_USER": "u"}[name]
	return v, ok
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		file, src string
		format    envfile.Format
		want      string // NAME=value, sorted
		omitted   string
	}{
		{".env", "A=1\nexport B=\"x\\ny\" # c\nC\n", envfile.Dotenv, "A=1 B=x\ny", "C"},
		{"settings.ini", "[settings]\nDebug=on\nX=%(Debug)s\n", envfile.INI, "Debug=on X=on", ""},
		{"a.json", `{"A":"1","N":12345678901234567890,"F":1.50,"T":true,"Z":null,"db":{"host":"h"},"L":["a",1]}`, envfile.JSON,
			`A=1 F=1.50 L=["a",1] N=12345678901234567890 T=true db__host=h`, "Z"},
		{"a.yaml", "A: 1\nB: 'yes'\nV: 1.10\nO: 010\ndb: {host: h}\nN: ~\nL: [a, b]\n", envfile.YAML,
			`A=1 B=yes L=["a","b"] O=010 V=1.10 db__host=h`, "N"},
		{"a.toml", "A = 'x'\nB = 3\nD = 2026-01-02\n[db]\nhost = 'h'\n", envfile.TOML, "A=x B=3 D=2026-01-02 db__host=h", ""},
		{"compose.yml", composeFile, envfile.Compose, "COUNT=3 FROM_FILE=a b LEVEL=info PRICE=5$ QUEUE=a=b RAW=x URL=postgres://u@db/shop", "INHERITED"},
		{"deploy.yaml", kubernetesFile, envfile.Kubernetes, "DB_password=hunter2 DB_user=shop MODE=fast PASSWORD=hunter2",
			"ConfigMap/elsewhere OTHER POD binary"},
		{"secret.yaml", strings.Split(kubernetesFile, "---")[0], envfile.Kubernetes, "password=hunter2 user=shop", "binary"},
	} {
		t.Run(c.file, func(t *testing.T) {
			r, err := envfile.Read(c.file, []byte(c.src), envfile.Reading{Env: env, Open: open})
			if err != nil {
				t.Fatal(err)
			}
			var got, omitted []string
			for _, e := range r.Entries {
				got = append(got, e.Name+"="+e.Value)
			}
			for _, o := range r.Omitted {
				omitted = append(omitted, o.Name)
			}
			slices.Sort(got)
			slices.Sort(omitted)
			if r.Format != c.format || strings.Join(got, " ") != c.want || strings.Join(omitted, " ") != c.omitted {
				t.Errorf("got %s %q without %q\nwant %s %q without %q", r.Format, got, omitted, c.format, c.want, c.omitted)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ file, src, want string }{
		{".env", "A=1\nB=\"hunter2\n", ".env:2:3: "},
		{"a.json", "{\"A\":\n\"hunter2\" x}", "a.json:2:11: not JSON"},
		{"a.json", "{\"A\": \"hunter2\"} {}", "a.json:1:19: something follows"},
		{"a.json", "{\"A\": \"hunter2\",\n  \"B\": {},\n  \"\\u0041\": \"hunter3\"}", "a.json:3:3: A is there twice, first on line 1"},
		{"a.json", "{\"db\": {\"host\": 1, \"host\": 2}}", "a.json:1:20: host is there twice"},
		{"a.json", "{\"L\": [{\"x\": 1}, {\"x\": 1, \"x\": 2}]}", "a.json:1:27: x is there twice"},
		{"a.json", "{\"db\": {\"host\": 1}, \"db__host\": 2}", "two values for db__host"},
		{"a.toml", "db__host = 1\n[db]\nhost = 2\n", "two values for db__host"},
		{"a.json", "[1]", "a JSON object"},
		{"a.json", `{"A":"hunter2\u0000"}`, "A holds a NUL"},
		{"a.json", `{"A=B":"hunter2"}`, "cannot be the name"},
		{"a.toml", "A = 1\nB = hunter2\n", "a.toml:2:5: not TOML"},
		{"a.yaml", "A: 1\n\tB: hunter2\n", "a.yaml:2: not YAML"},
		{"c.yaml", "services:\n  a:\n    environment: {X: hunter2}\n  b:\n    environment: {X: other}\n", "X has one value in a and another in b"},
		{"c.yaml", "services:\n  a:\n    environment: {X: \"${Y:?hunter2}\"}\n", "c.yaml:3: X: "},
		{"c.yaml", "services:\n  a:\n    env_file: nowhere.env\n", "c.yaml:3: env_file nowhere.env cannot be read"},
		{"s.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  p: hunter2!\n", "s.yaml:4: p is not base64"},
	} {
		r, err := envfile.Read(c.file, []byte(c.src), envfile.Reading{Open: open})
		if r != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v; want %s", c.file, r, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

// TestAliasesDoNotExplode: a small file that stands for a very large one is refused soon.
func TestAliasesDoNotExplode(t *testing.T) {
	src := "a0: &a0 {x: 1}\n"
	for i := 1; i < 12; i++ {
		src += fmt.Sprintf("a%d: &a%d {", i, i)
		for j := range 9 {
			src += fmt.Sprintf("k%d: *a%d, ", j, i-1)
		}
		src += "}\n"
	}
	if _, err := envfile.Read("a.yaml", []byte(src), envfile.Reading{}); !errors.Is(err, secret.ErrInvalid) {
		t.Errorf("got %v, want a refusal", err)
	}
	for _, src := range []string{"a: &a {<<: *a}\n", "services:\n  x: {environment: &e {<<: *e, A: b}}\n", "a: &a [*a]\n"} {
		_, _ = envfile.Read("a.yaml", []byte(src), envfile.Reading{}) // it comes back
	}
}

// awkward holds what formats stumble over.
func awkward() []envfile.Entry {
	var out []envfile.Entry
	for i, v := range []string{"plain", "", " spaces ", "it's \"quoted\"", "back\\slash\\", "a\nb\r\n", "${NAME} %{x} $(id) `id`", "yes", "012", "~",
		"#hash: x", "tab\there", "é日\u2028", "‘typographic’", "\x01\x7f", "{{ x }}", "<<END"} {
		out = append(out, envfile.Entry{Name: fmt.Sprintf("KEY_%02d", i), Value: v})
	}
	return out
}

// TestWriteReadsBack writes each format that Read takes and reads it again.
func TestWriteReadsBack(t *testing.T) {
	for _, c := range []struct {
		format envfile.Format
		file   string
	}{{envfile.JSON, "a.json"}, {envfile.YAML, "a.yaml"}, {envfile.TOML, "a.toml"}, {envfile.Kubernetes, "s.yaml"}} {
		text, err := envfile.Write(awkward(), envfile.Writing{Format: c.format})
		if err != nil {
			t.Fatal(err)
		}
		r, err := envfile.Read(c.file, text, envfile.Reading{})
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.format, err, text)
		}
		want := awkward()
		if len(r.Entries) != len(want) {
			t.Fatalf("%s: got %d entries, want %d", c.format, len(r.Entries), len(want))
		}
		for i, e := range r.Entries {
			if e.Name != want[i].Name || e.Value != want[i].Value {
				t.Errorf("%s: %s: got %q, want %q", c.format, e.Name, e.Value, want[i].Value)
			}
		}
	}
}

func TestWriteShellIsReadByAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	text, err := envfile.Write(awkward(), envfile.Writing{Format: envfile.Shell})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sh, "-c", string(text)+"exec env -0")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(string(out), "\x00")
	for _, e := range awkward() {
		if !slices.Contains(got, e.Name+"="+e.Value) {
			t.Errorf("%s did not come through", e.Name)
		}
	}
}

func TestWriteForms(t *testing.T) {
	entries := []envfile.Entry{{Name: "B", Value: "a'b"}, {Name: "A", Value: "${x}\n\"%{"}}
	for format, want := range map[envfile.Format]string{
		envfile.PowerShell: "${env:A} = '${x}\n\"%{'\n${env:B} = 'a''b'\n",
		envfile.TFVars:     "A = \"$${x}\\n\\\"%%{\"\nB = \"a'b\"\n",
		envfile.Shell:      "export A='${x}\n\"%{'\nexport B='a'\\''b'\n",
	} {
		got, err := envfile.Write(entries, envfile.Writing{Format: format})
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", format, got, err, want)
		}
	}
	got, err := envfile.Write(entries, envfile.Writing{Format: envfile.GitHub})
	parts := strings.Split(string(got), "\n")
	if err != nil || len(parts) != 8 || !strings.HasPrefix(parts[0], "A<<end_") || parts[3] != parts[0][3:] || parts[5] != "a'b" {
		t.Errorf("github: got %q, %v", got, err)
	}
	if again, _ := envfile.Write(entries, envfile.Writing{Format: envfile.GitHub}); string(again) == string(got) {
		t.Error("the end of the heredoc can be guessed")
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		format envfile.Format
		entry  envfile.Entry
	}{
		{envfile.Docker, envfile.Entry{Name: "A", Value: "a\nb"}},
		{envfile.Dotenv, envfile.Entry{Name: "A", Value: "${x}"}},
		{envfile.Shell, envfile.Entry{Name: "A.B", Value: "x"}},
		{envfile.TFVars, envfile.Entry{Name: "A B", Value: "x"}},
		{envfile.Kubernetes, envfile.Entry{Name: "A B", Value: "x"}},
		{envfile.JSON, envfile.Entry{Name: "A", Value: "\xff"}},
		{envfile.JSON, envfile.Entry{Name: "A", Value: "\x00"}},
	} {
		got, err := envfile.Write([]envfile.Entry{c.entry}, envfile.Writing{Format: c.format})
		var refused *dotenv.RefusedError
		if err == nil || !errors.Is(err, secret.ErrInvalid) && !errors.As(err, &refused) || !strings.Contains(err.Error(), c.entry.Name) {
			t.Errorf("%s: got %q, %v; want a refusal that names %s", c.format, got, err, c.entry.Name)
		}
	}
	if _, err := envfile.Write(nil, envfile.Writing{Format: envfile.Compose}); !errors.Is(err, secret.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a.yaml", composeFile)
	f.Add("a.yaml", kubernetesFile)
	f.Add("a.yaml", "a: &a [*a]\n")
	f.Add("a.yaml", "services: &a\n  <<: *a\n  x: {environment: &e {<<: *e}}\n")
	f.Add("a.yaml", "a: &a {<<: *a}\n")
	f.Add("a.yaml", "services: {a: {environment: [x, 1=2], env_file: {path: y}}}\n")
	f.Add("a.json", `{"a":{"b":[1]}}`)
	f.Add("a.toml", "a.b = [1, {c = 2}]\n")
	f.Fuzz(func(t *testing.T, name, src string) {
		r, err := envfile.Read(name, []byte(src), envfile.Reading{Env: env, Open: open})
		if err != nil {
			return
		}
		for _, e := range r.Entries {
			if e.Name == "" || strings.Contains(e.Value, "\x00") {
				t.Fatalf("got %q", e.Name)
			}
		}
	})
}
