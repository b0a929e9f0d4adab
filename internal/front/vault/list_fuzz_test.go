package vault

import (
	"encoding/json"
	"testing"
)

// A list says what encoding/json would.
func FuzzNames(f *testing.F) {
	f.Add("a", "b/")
	f.Add("<&>\"\\", "\u2028\x00\x7f\xff é")
	f.Fuzz(func(t *testing.T, one, two string) {
		want, err := json.Marshal(map[string][]string{"keys": {one, two}})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := keys([]string{one, two}); err != nil || string(a.data) != string(want) {
			t.Fatalf("got %s, %v, want %s", a.data, err, want)
		}
	})
}
