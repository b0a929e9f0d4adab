package barrier_test

import (
	"bytes"
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/keephold/keephold/internal/barrier"
)

// The FIPS profile works where nothing but approved algorithms is let run.
func TestFIPSProfile(t *testing.T) {
	if !fips140.Enabled() {
		t.Run("in FIPS 140-only mode", func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFIPSProfile$", "-test.v")
			cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("FIPS mode is on")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	} else {
		t.Log("FIPS mode is on")
	}
	k := newRing(t, barrier.GCM)
	dk, wrapped, err := k.NewDataKey(place)
	if err != nil {
		t.Fatal(err)
	}
	value := must(dk.Seal(place, []byte("value")))(t)
	root := bytes.Repeat([]byte{9}, 32)
	blob := must(barrier.SealKeyring(root, "inst-1", k))(t)
	again := must(barrier.OpenKeyring(root, "inst-1", blob))(t)
	opened := must(again.OpenDataKey(place, wrapped))(t)
	if got := must(opened.Open(place, value))(t); string(got) != "value" {
		t.Errorf("got %q", got)
	}
	if again.HMAC(barrier.PurposeIndex, nil) != k.HMAC(barrier.PurposeIndex, nil) {
		t.Error("purpose keys differ")
	}
}
