package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"
)

var fingerprintsMade = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

func testFingerprints(t testing.TB, values ...Stored) (*Fingerprints, []Refusal) {
	t.Helper()
	f, refused, err := NewFingerprints(bytes.Repeat([]byte{7}, 32), fingerprintsMade, values)
	if err != nil {
		t.Fatal(err)
	}
	return f, refused
}

// TestFingerprints finds a value by its fingerprint after a trip through the file, in the forms in which it may be
// written, at every place in a text, and nothing else.
func TestFingerprints(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	value := letters(r, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789+/", 32)
	made, refused := testFingerprints(t, Stored{Name: "shop/production/STRIPE_KEY", Version: 3, Value: []byte(value)})
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), value) {
		t.Fatal("the file holds the value")
	}
	f, err := ReadFingerprints(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, written := range map[string]string{
		"plain": value, "glued": "abc" + value + "def", "base64": base64.StdEncoding.EncodeToString([]byte("user:" + value)),
		"hex": hex.EncodeToString([]byte(value)), "URL": url.QueryEscape(value), "far": strings.Repeat("x", 5000) + value + strings.Repeat("y", 100),
	} {
		found := 0
		for m := range f.Find([]byte(written)) {
			found++
			if got, want := f.Describe(m.Rule), "this is `shop/production/STRIPE_KEY`, version 3, current on 2026-11-30"; got != want || m.Confidence != Certain {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if found != 1 {
			t.Errorf("%s: found %d times", name, found)
		}
	}
	for range 200 {
		other := letters(r, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789+/", 200) + value[:31]
		for m := range f.Find([]byte(other)) {
			t.Fatalf("found %v", m)
		}
	}
}

// TestFingerprintsRefuse does not let a value go that could be guessed from its fingerprint.
func TestFingerprintsRefuse(t *testing.T) {
	for _, weak := range []string{"hunter2", "correct-horse-battery-staple", "postgres-production-password", "aaaaaaaaaaaaaaaaaaaaaaaa", "1234567890123456", "abababababababababababababab", ""} {
		f, refused := testFingerprints(t, Stored{Name: "A", Version: 1, Value: []byte(weak)})
		if len(refused) != 1 || f.Len() != 0 {
			t.Errorf("%q: refused %v, %d fingerprints", weak, refused, f.Len())
		}
	}
	if _, _, err := NewFingerprints([]byte("short"), fingerprintsMade, nil); err == nil {
		t.Error("a short key was taken")
	}
}

func TestReadFingerprintsBroken(t *testing.T) {
	f, _ := testFingerprints(t, Stored{Name: "A", Version: 1, Value: []byte("k9" + "Zq4mXw8vBn3cRt7yLp2s")})
	text, err := json.Marshal(f)
	if err != nil || f.Len() != 1 {
		t.Fatalf("%v, %d", err, f.Len())
	}
	for what, broken := range map[string]string{
		"empty": "", "half": string(text[:len(text)/2]), "format": strings.Replace(string(text), "prints-1", "prints-9", 1), "key": strings.Replace(string(text), `"key":"`, `"key":"!`, 1),
		"digest": strings.Replace(string(text), `"digest":"`, `"digest":"0`, 1), "length": strings.Replace(string(text), `"length":22`, `"length":2`, 1), "member": strings.Replace(string(text), `"made"`, `"mode"`, 1),
	} {
		if _, err := ReadFingerprints([]byte(broken)); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// TestJoin believes the first finder where both see something.
func TestJoin(t *testing.T) {
	value := "Zq4mXw8v" + "Bn3cRt7yLp2sKd6f"
	f, _ := testFingerprints(t, Stored{Name: "A", Version: 2, Value: []byte(value)})
	e, err := Compile(Rules())
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for m := range Join(f, e).Find([]byte("api_key = \"" + value + "\"\npassword = \"T7k" + "9x2Lq8w\"\n")) {
		rules = append(rules, m.Rule)
	}
	if got, want := strings.Join(rules, " "), "stored:A@2 generic-secret"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

func FuzzReadFingerprints(f *testing.F) {
	made, _ := testFingerprints(f, Stored{Name: "A", Version: 1, Value: []byte("k9" + "Zq4mXw8vBn3cRt7yLp2s")})
	text, err := json.Marshal(made)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":"keephold-fingerprints-1","key":"","entries":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadFingerprints(b)
		if err != nil {
			return
		}
		for range p.Find(b) { // must stay within its bounds
		}
	})
}

func BenchmarkFingerprints(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]Stored, 1000)
	for i := range values {
		values[i] = Stored{Name: "A", Version: 1, Value: []byte(letters(r, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", 32))}
	}
	f, _ := testFingerprints(b, values...)
	text := []byte(strings.Repeat("func (s *Server) handle(w http.ResponseWriter, r *http.Request) error {\n\tif err := s.check(r.Context(), r.URL.Path); err != nil {\n", 2000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for range f.Find(text) {
		}
	}
}

// TestFingerprintsOfVersions: what was replaced says so, a value that is current is not told as an older version's, and files
// under one key join.
func TestFingerprintsOfVersions(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	draw := func() []byte {
		return []byte(letters(r, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", 32))
	}
	now, before, other := draw(), draw(), draw()
	f, _ := testFingerprints(t, Stored{Name: "A", Version: 3, Value: now}, Stored{Name: "A", Version: 2, Value: before, Replaced: true}, Stored{Name: "A", Version: 1, Value: now, Replaced: true})
	more, _ := testFingerprints(t, Stored{Name: "B", Version: 1, Value: other})
	if err := f.Add(more); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = ReadFingerprints(text); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		string(now): "this is `A`, version 3, current on 2026-11-30", string(before): "this is `A`, version 2, replaced before 2026-11-30", string(other): "this is `B`, version 1, current on 2026-11-30",
	} {
		for m := range f.Find([]byte(value)) {
			if got := f.Describe(m.Rule); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			want = ""
		}
		if want != "" {
			t.Errorf("not found: %s", want)
		}
	}
	elsewhere, _, err := NewFingerprints(bytes.Repeat([]byte{8}, 32), fingerprintsMade, nil)
	if err != nil || f.Add(elsewhere) == nil {
		t.Errorf("fingerprints under another key join: %v", err)
	}
}
