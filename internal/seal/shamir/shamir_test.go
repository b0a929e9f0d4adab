package shamir_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/shamir"
)

// Long multiplication and reduction by 0x11b, the slow way.
func longMultiply(a, b byte) byte {
	var product uint16
	for i := range 8 {
		if b&(1<<i) != 0 {
			product ^= uint16(a) << i
		}
	}
	for bit := 15; bit >= 8; bit-- {
		if product&(1<<bit) != 0 {
			product ^= 0x11b << (bit - 8)
		}
	}
	return byte(product)
}

func TestField(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			if got, want := shamir.Multiply(byte(a), byte(b)), longMultiply(byte(a), byte(b)); got != want {
				t.Fatalf("%#x * %#x: got %#x, want %#x", a, b, got, want)
			}
		}
		if a > 0 && shamir.Multiply(byte(a), shamir.Invert(byte(a))) != 1 {
			t.Fatalf("inverse of %#x", a)
		}
	}
	// FIPS 197, 4.2: {57} * {83} = {c1}.
	if got := shamir.Multiply(0x57, 0x83); got != 0xc1 {
		t.Errorf("got %#x, want 0xc1", got)
	}
}

// testdata/shares.json was made by a separate program with logarithm tables
// of generator 0xe5, as the vendor's first implementation had them.
func TestGoldenShares(t *testing.T) {
	b, err := os.ReadFile("testdata/shares.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Threshold int
		Secret    string
		Shares    []string
	}
	if err := json.Unmarshal(b, &rows); err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		var shares [][]byte
		for _, s := range row.Shares {
			share, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			shares = append(shares, share)
		}
		for from := 0; from+row.Threshold <= len(shares); from++ {
			got, err := shamir.Combine(shares[from : from+row.Threshold])
			if err != nil || hex.EncodeToString(got) != row.Secret {
				t.Errorf("%d of %d from %d: got %x, %v", row.Threshold, len(shares), from, got, err)
			}
		}
		if got, _ := shamir.Combine(shares[:row.Threshold-1]); hex.EncodeToString(got) == row.Secret {
			t.Errorf("%d of %d shares were enough", row.Threshold-1, row.Threshold)
		}
	}
}

func TestSplitCombine(t *testing.T) {
	secret := seal.NewKey()
	for _, tt := range []struct{ shares, threshold int }{{1, 1}, {2, 2}, {5, 3}, {10, 10}, {255, 2}} {
		parts, err := shamir.Split(secret, tt.shares, tt.threshold)
		if err != nil || len(parts) != tt.shares {
			t.Fatalf("%d shares, %v", len(parts), err)
		}
		last := parts[len(parts)-tt.threshold:]
		if got, err := shamir.Combine(last); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d of %d: %v", tt.threshold, tt.shares, err)
		}
		if tt.threshold > 1 {
			if got, _ := shamir.Combine(parts[:tt.threshold-1]); bytes.Equal(got, secret) {
				t.Errorf("%d of %d shares were enough", tt.threshold-1, tt.threshold)
			}
		}
	}
	for _, tt := range []struct{ shares, threshold int }{{0, 0}, {2, 3}, {256, 2}, {3, 1}, {3, 0}, {-1, -1}} {
		if _, err := shamir.Split(secret, tt.shares, tt.threshold); err == nil {
			t.Errorf("split into %d of %d", tt.threshold, tt.shares)
		}
	}
	if _, err := shamir.Split(nil, 3, 2); err == nil {
		t.Error("split nothing")
	}
}

func TestCombineRefuses(t *testing.T) {
	for name, shares := range map[string][][]byte{
		"none":            nil,
		"too short":       {{1}, {2}},
		"unequal lengths": {{1, 1}, {1, 1, 2}},
		"twice":           {{1, 7}, {2, 7}},
		"number zero":     {{1, 0}, {2, 1}},
		"too many":        make([][]byte, 256),
	} {
		if _, err := shamir.Combine(shares); !errors.Is(err, shamir.ErrBadShare) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParse(t *testing.T) {
	share := append(seal.NewKey(), 3)
	for _, text := range []string{
		hex.EncodeToString(share), base64.StdEncoding.EncodeToString(share), base64.RawStdEncoding.EncodeToString(share[:32]),
	} {
		got, err := shamir.Parse(text)
		if err != nil || !bytes.HasPrefix(share, got) {
			t.Errorf("%d characters: %v", len(text), err)
		}
	}
	// Base64 whose characters are all hexadecimal digits.
	if got, err := shamir.Parse("abcdef0123456789abcdef0123456789abcdef012345"); err != nil || len(got) != 33 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	for _, text := range []string{"", "zz", "aabb", hex.EncodeToString(append(share, 1))} {
		if _, err := shamir.Parse(text); !errors.Is(err, shamir.ErrBadShare) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzCombine(f *testing.F) {
	f.Add([]byte("abcdef"), 3)
	f.Add([]byte{}, 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 1 || n > 64 {
			return
		}
		var shares [][]byte
		for len(b) >= n {
			shares, b = append(shares, b[:n]), b[n:]
		}
		if got, err := shamir.Combine(shares); err == nil && len(shares) > 1 && len(got) != n-1 {
			t.Errorf("%d bytes from shares of %d", len(got), n)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("abcdef0123456789abcdef0123456789abcdef012345")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := shamir.Parse(s); err == nil && len(b) != 32 && len(b) != 33 {
			t.Errorf("%d bytes", len(b))
		}
	})
}
