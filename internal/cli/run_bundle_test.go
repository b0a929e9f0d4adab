package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBundlesKeepWhomOneTrusted: each client trusts whom it trusted before, by its own variable or by the one that it falls
// back to, and nobody else but ours.
func TestBundlesKeepWhomOneTrusted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"requests", "node"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"'s\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := newBundles([]byte("ours\n"))
	if err != nil {
		t.Fatal(err)
	}
	e := newEnviron([]string{"REQUESTS_CA_BUNDLE=" + filepath.Join(dir, "requests"), "NODE_EXTRA_CA_CERTS=" + filepath.Join(dir, "node")})
	if err := b.describe(e); err != nil {
		t.Fatal(err)
	}
	system := strings.TrimRight(string(systemBundle()), "\n") + "\nours\n"
	for name, want := range map[string]string{
		"REQUESTS_CA_BUNDLE": "requests's\nours\n", "AWS_CA_BUNDLE": "requests's\nours\n", "NODE_EXTRA_CA_CERTS": "node's\nours\n", "SSL_CERT_FILE": system, "CURL_CA_BUNDLE": "",
	} {
		got, err := os.ReadFile(e.get(name))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %.60q, %v, want %.60q", name, got, err, want)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(e.get("SSL_CERT_FILE")); err == nil {
		t.Error("the files outlive the program")
	}
}

func TestNoProxyLeadsNotAround(t *testing.T) {
	for before, want := range map[string]string{
		"": "", "*": "", "intern.example": ",intern.example", ".amazonaws.com, localhost,10.0.0.0/8": ",10.0.0.0/8", "googleapis.com,*.azure.net,login.microsoftonline.com:443": "",
		"my-vault.vault.azure.net,s3.amazonaws.com": ",s3.amazonaws.com",
	} {
		if got, want := noProxy(before), "localhost,127.0.0.1,::1"+want; got != want {
			t.Errorf("%q: got %q, want %q", before, got, want)
		}
	}
}
