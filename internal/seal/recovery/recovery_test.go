package recovery_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/recovery"
)

func TestRoundTrip(t *testing.T) {
	for range 50 {
		key := seal.NewKey()
		text := recovery.Format(key)
		for name, form := range map[string]string{
			"as printed": text, "lower case": strings.ToLower(text), "typed in lines": "# mine\n" + text[:30] + "\n  " + text[30:] + " \n",
			"without hyphens": text[:20] + strings.ReplaceAll(text[20:], "-", " "),
		} {
			if got, err := recovery.Parse([]byte(form)); err != nil || !bytes.Equal(got, key) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// The golden text is what was printed once; it has to be read for ever.
func TestGolden(t *testing.T) {
	key := make([]byte, seal.KeySize)
	for i := range key {
		key[i] = byte(i)
	}
	const golden = "KEEPHOLD-RECOVERY-1-AAAQE-AYEAU-DAOCA-JBIFQ-YDIOB-4IBCE-QTCQK-RMFYY-DENBW-HA5DY-PWCSL-BNE"
	if got := recovery.Format(key); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	if got, err := recovery.Parse([]byte(golden)); err != nil || !bytes.Equal(got, key) {
		t.Errorf("the golden text does not read back: %v", err)
	}
}

// Every single wrong letter is noticed.
func TestMistakes(t *testing.T) {
	text := recovery.Format(seal.NewKey())
	for i := range text {
		bad := []byte(text)
		if bad[i]++; bad[i] > 'Z' {
			bad[i] = '2'
		}
		if string(bad) == text || text[i] == '-' && i >= 20 {
			continue
		}
		if _, err := recovery.Parse(bad); !errors.Is(err, recovery.ErrMalformed) {
			// The last letter carries three bits that are not part of the key.
			if i < len(text)-1 {
				t.Errorf("letter %d changed: %v", i, err)
			}
		}
		if _, err := recovery.Parse([]byte(text[:i])); !errors.Is(err, recovery.ErrMalformed) {
			t.Errorf("cut to %d letters: %v", i, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(recovery.Format(make([]byte, seal.KeySize))))
	f.Add([]byte("KEEPHOLD-RECOVERY-1-"))
	f.Add([]byte("# only a comment"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := recovery.Parse(text)
		if err != nil {
			if !errors.Is(err, recovery.ErrMalformed) {
				t.Errorf("got %v", err)
			}
			return
		}
		if again, err := recovery.Parse([]byte(recovery.Format(key))); err != nil || !bytes.Equal(again, key) {
			t.Errorf("what was read does not survive being written: %v", err)
		}
	})
}
