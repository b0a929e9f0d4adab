package barrier_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

// The format is readable for ever: testdata/format-1.json is what the first
// release wrote, and only a new format gets a new file (-write-golden FILE).
var writeGolden = flag.String("write-golden", "", "write new golden vectors to this file under testdata")

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type golden struct {
	Root         hexBytes        `json:"root_key"`
	Installation string          `json:"installation"`
	Keyring      hexBytes        `json:"sealed_keyring"`
	HMACInput    string          `json:"hmac_input"`
	IndexHMAC    hexBytes        `json:"index_hmac"`
	SigningSeed  hexBytes        `json:"signing_seed"`
	Context      barrier.Context `json:"context"`
	Encoding     hexBytes        `json:"context_encoding"`
	Plaintext    string          `json:"plaintext"`
	Sealed       []goldenSealed  `json:"sealed"`
	KEKLabel     string          `json:"wrapped_key_label"`
	WrappedKey   hexBytes        `json:"wrapped_key"` // the root key, wrapped by itself
}

type goldenSealed struct {
	Term    uint32   `json:"term"`
	Record  hexBytes `json:"record"`
	DataKey hexBytes `json:"wrapped_data_key"`
	Value   hexBytes `json:"value"`
}

func makeGolden(t *testing.T) golden {
	g := golden{
		Root: bytes.Repeat([]byte{0x42}, 32), Installation: "inst-golden",
		HMACInput: "a token", Context: place, Encoding: place.Encoding(), Plaintext: "golden value", KEKLabel: "root",
	}
	k := newRing(t, barrier.XAES)
	for term := uint32(1); ; term++ {
		dk, wrapped, err := k.NewDataKey(place)
		if err != nil {
			t.Fatal(err)
		}
		g.Sealed = append(g.Sealed, goldenSealed{
			Term:    term,
			Record:  must(k.Seal(place, []byte(g.Plaintext)))(t),
			DataKey: wrapped,
			Value:   must(dk.Seal(place, []byte(g.Plaintext)))(t),
		})
		if term == 2 {
			break
		}
		k, _, _ = k.AddPendingAs(barrier.GCM, nil, noon)
		k = must(k.Activate(2))(t)
	}
	sum, seed := k.HMAC(barrier.PurposeIndex, []byte(g.HMACInput)), k.SigningSeed()
	g.IndexHMAC, g.SigningSeed = sum[:], seed[:]
	g.Keyring = must(barrier.SealKeyring(g.Root, g.Installation, k))(t)
	g.WrappedKey = must(barrier.WrapKey(barrier.XAES, g.Root, g.KEKLabel, g.Root))(t)
	return g
}

func TestGoldenFormats(t *testing.T) {
	if *writeGolden != "" {
		b, err := json.MarshalIndent(makeGolden(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/"+*writeGolden, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"format-1.json"} {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			g.check(t)
		})
	}
}

func readGolden(t testing.TB, name string) (g golden) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *golden) check(t *testing.T) {
	k := must(barrier.OpenKeyring(g.Root, g.Installation, g.Keyring))(t)
	if sum := k.HMAC(barrier.PurposeIndex, []byte(g.HMACInput)); !bytes.Equal(sum[:], g.IndexHMAC) {
		t.Error("index HMAC differs")
	}
	if seed := k.SigningSeed(); !bytes.Equal(seed[:], g.SigningSeed) {
		t.Error("signing seed differs")
	}
	if !bytes.Equal(g.Context.Encoding(), g.Encoding) {
		t.Error("context encoding differs")
	}
	if len(g.Sealed) != 2 {
		t.Fatalf("%d sealed rows, want 2", len(g.Sealed))
	}
	for _, s := range g.Sealed {
		if term, ok := k.SealedUnder(s.Record); !ok || term != s.Term {
			t.Errorf("record under term %d, want %d", term, s.Term)
		}
		if got := must(k.Open(g.Context, s.Record))(t); string(got) != g.Plaintext {
			t.Errorf("term %d: record opened to %q", s.Term, got)
		}
		dk := must(k.OpenDataKey(g.Context, s.DataKey))(t)
		if got := must(dk.Open(g.Context, s.Value))(t); string(got) != g.Plaintext {
			t.Errorf("term %d: value opened to %q", s.Term, got)
		}
	}
	if key := must(barrier.UnwrapKey(g.Root, g.KEKLabel, g.WrappedKey))(t); !bytes.Equal(key, g.Root) {
		t.Error("wrapped key differs")
	}
}
