package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/server"
)

func TestParse(t *testing.T) {
	f, err := server.Parse("x.toml", []byte("[storage]\npath = \"/data\"\ncache = \"1GiB\"\n[limits]\nsign_in_rate = \"5/s\"\nrequest_time = \"1m\"\n"), []string{"KEEPHOLD_SERVER_LOG_LEVEL=debug", "OTHER=1"})
	if err != nil {
		t.Fatal(err)
	}
	if f.Storage.Path != "/data" || f.Storage.Cache != 1<<30 || f.Limits.SignInRate != 5 || time.Duration(f.Limits.RequestTime) != time.Minute || f.Log.Level != "debug" {
		t.Errorf("got %+v", f)
	}
	if len(f.Listener) != 1 || f.Listener[0].Address != "127.0.0.1:8200" {
		t.Errorf("default listener: got %+v", f.Listener)
	}
}

func TestParseNamesTheFault(t *testing.T) {
	for name, c := range map[string]struct{ text, env, want string }{
		"unknown key":      {text: "[storage]\npaht = \"/x\"\n", want: `x.toml:2: unknown key "storage.paht" (did you mean "storage.path"?)`},
		"unknown table":    {text: "[sotrage]\n", want: `x.toml:1`},
		"no toml":          {text: "[storage\n", want: "x.toml:1"},
		"bad size":         {text: "[storage]\ncache = \"much\"\n", want: `no size such as`},
		"bad duration":     {text: "[limits]\nrequest_time = \"soon\"\n", want: `no duration such as`},
		"bad seal":         {text: "[seal]\nkind = \"wax\"\n", want: `[seal] kind "wax" is none of`},
		"open plaintext":   {text: "[[listener]]\naddress = \"0.0.0.0:8200\"\nplaintext = true\n", want: "not a loopback address"},
		"half a pair":      {text: "[[listener]]\naddress = \"0.0.0.0:8200\"\ntls_cert_file = \"c\"\n", want: "go together"},
		"unknown variable": {env: "KEEPHOLD_SERVER_STORAGE_PAHT=/x", want: "no such key of the configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := server.Parse("x.toml", []byte(c.text), []string{c.env})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[storage]\nkind=\"memory\"\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = server.Parse("f", b, nil) })
}
