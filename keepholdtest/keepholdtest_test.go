package keepholdtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"errors"

	"github.com/keephold/keephold/keepholdtest"
)

func ExampleOpen() {
	keep, err := keepholdtest.Open(keepholdtest.Options{
		Secrets: map[string]map[string]any{"secret/shop/db": {"password": "correct horse"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keep.Close()
	secret, err := keep.Get("secret/shop/db")
	fmt.Println(secret["password"], err)
	// Output: correct horse <nil>
}

func ExampleKeep_TokenFor() {
	keep, err := keepholdtest.Open(keepholdtest.Options{Secrets: map[string]map[string]any{"secret/shop/db": {"password": "correct horse"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keep.Close()
	token, err := keep.TokenFor(`path "secret/data/other" { capabilities = ["read"] }`)
	if err != nil {
		fmt.Println(err)
		return
	}
	rq, _ := http.NewRequest(http.MethodGet, keep.Addr+"/v1/secret/data/shop/db", nil)
	rq.Header.Set("X-Vault-Token", token)
	resp, err := http.DefaultClient.Do(rq)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 403 Forbidden
}

func TestStart(t *testing.T) {
	var addr, ca string
	t.Run("inside", func(t *testing.T) {
		a := keepholdtest.Start(t, keepholdtest.Options{Secrets: map[string]map[string]any{"team/a b/c": {"x": "1"}}})
		b := keepholdtest.Start(t, keepholdtest.Options{})
		if a.Addr == b.Addr || a.Token == b.Token {
			t.Errorf("two keeps are one: %s", a.Addr)
		}
		if got, err := a.Get("team/a b/c"); err != nil || got["x"] != "1" {
			t.Errorf("got %v, %v", got, err)
		}
		if _, err := b.Get("team/a b/c"); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("the other keep: %v", err)
		}
		if err := a.Put("nowhere", nil); err == nil {
			t.Error("a name without a Space was taken")
		}
		a.Setenv(t)
		if os.Getenv("VAULT_ADDR") != a.Addr || os.Getenv("KEEPHOLD_TOKEN") != a.Token {
			t.Error("the environment does not name the keep")
		}
		overTLS(t, a)
		addr, ca = a.Addr, a.CAFile
	})
	if resp, err := http.Get(addr + "/v1/sys/health"); err == nil {
		_ = resp.Body.Close()
		t.Error("the keep outlives its test")
	}
	if _, err := os.Stat(ca); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its CA is left behind: %v", err)
	}
}

func overTLS(t *testing.T, k *keepholdtest.Keep) {
	t.Helper()
	pem, err := os.ReadFile(k.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(k.TLSAddr + "/v1/sys/health")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("health over TLS: %s", resp.Status)
	}
}
