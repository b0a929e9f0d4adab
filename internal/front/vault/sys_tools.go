package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
)

// toolRoutes are random bytes and hashes, https://openbao.org/api-docs/system/tools/, and what a client asks about the
// server itself.
func toolRoutes() []route {
	return []route{
		{write, "tools/random", "vault.sys.tools.random", randomBytes},
		{write, "tools/random/{a}", "vault.sys.tools.random", randomBytes},
		{write, "tools/random/{a}/{b}", "vault.sys.tools.random", randomBytes},
		{write, "tools/hash", "vault.sys.tools.hash", hashInput},
		{write, "tools/hash/{algorithm}", "vault.sys.tools.hash", hashInput},
		{read, "metrics", "vault.sys.metrics", metrics},
		{read, "replication/status", "vault.sys.replication-status", func(*request) (answer, error) {
			off := map[string]string{"mode": "disabled"}
			return say(map[string]any{"dr": off, "performance": off})
		}},
	}
}

const maxRandom = 128 << 10

func randomBytes(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.tools.random"); err != nil {
		return answer{}, err
	}
	source, count := rq.fields.text("source"), rq.fields.text("bytes")
	for _, a := range []string{rq.args["a"], rq.args["b"]} {
		if _, err := strconv.Atoi(a); err == nil {
			count = a
		} else if a != "" {
			source = a
		}
	}
	switch source {
	case "", "platform", "seal", "all": // there is one source, the system's
	default:
		return answer{}, bad("unsupported entropy source %q; must be \"platform\", \"seal\" or \"all\"", source)
	}
	n := 32
	if count != "" {
		var err error
		if n, err = strconv.Atoi(count); err != nil || n < 1 {
			return answer{}, bad("\"bytes\" cannot be less than 1")
		}
	}
	if n > maxRandom {
		return answer{}, bad("\"bytes\" should be less than %d", maxRandom)
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	switch format := rq.fields.text("format"); format {
	case "", "base64":
		return say(map[string]string{"random_bytes": base64.StdEncoding.EncodeToString(b)})
	case "hex":
		return say(map[string]string{"random_bytes": hex.EncodeToString(b)})
	default:
		return answer{}, bad("unsupported encoding format %q; must be \"hex\" or \"base64\"", format)
	}
}

// newHash answers nil for an algorithm that there is none of.
func newHash(name string) hash.Hash {
	switch name {
	case "sha2-224":
		return sha256.New224()
	case "", "sha2-256":
		return sha256.New()
	case "sha2-384":
		return sha512.New384()
	case "sha2-512":
		return sha512.New()
	case "sha3-224":
		return sha3.New224()
	case "sha3-256":
		return sha3.New256()
	case "sha3-384":
		return sha3.New384()
	case "sha3-512":
		return sha3.New512()
	}
	return nil
}

func hashInput(rq *request) (answer, error) {
	if err := rq.ask("vault.sys.tools.hash"); err != nil {
		return answer{}, err
	}
	name := rq.args["algorithm"]
	if name == "" {
		name = rq.fields.text("algorithm")
	}
	h := newHash(name)
	if h == nil {
		return answer{}, bad("unsupported algorithm %q", name)
	}
	input, err := base64.StdEncoding.DecodeString(rq.fields.text("input"))
	if err != nil {
		return answer{}, bad("unable to decode input as base64")
	}
	h.Write(input)
	switch format := rq.fields.text("format"); format {
	case "", "hex":
		return say(map[string]string{"sum": hex.EncodeToString(h.Sum(nil))})
	case "base64":
		return say(map[string]string{"sum": base64.StdEncoding.EncodeToString(h.Sum(nil))})
	default:
		return answer{}, bad("unsupported encoding format %q; must be \"hex\" or \"base64\"", format)
	}
}

// metrics are the server's, in the text form of Prometheus, whatever form was asked for.
func metrics(rq *request) (answer, error) {
	if rq.front.cfg.Metrics == nil {
		return answer{}, rq.refused(errUnsupportedPath)
	}
	if err := rq.ask("vault.sys.metrics"); err != nil {
		return answer{}, err
	}
	if f := rq.http.URL.Query().Get("format"); f != "" && f != "prometheus" {
		return answer{}, bad("metrics are to be had with format=prometheus")
	}
	var b bytes.Buffer
	w := &plainWriter{header: http.Header{}, body: &b}
	rq.front.cfg.Metrics.ServeHTTP(w, rq.http)
	return answer{data: b.Bytes(), raw: true, kind: w.header.Get("Content-Type")}, nil
}

// plainWriter keeps what a handler answers.
type plainWriter struct {
	header http.Header
	body   *bytes.Buffer
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *plainWriter) WriteHeader(int)             {}
