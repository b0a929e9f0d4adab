package custody_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/keephold/keephold/internal/auth"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/secret"
)

// TestLimitedUses: one request spends one use of a token that has so many, also where the request reads, checks or changes at
// more than one place.
func TestLimitedUses(t *testing.T) {
	k, _ := furnished(t)
	if _, err := k.desk.Write(t.Context(), k.local(), ref(t, "texts/one"), custody.Put{Value: secret.NewValue([]byte("1")), Kind: secret.Text}); err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]func(auth.Caller) error{
		"read": func(c auth.Caller) error { _, err := k.desk.Read(t.Context(), c, ref(t, "app/001")); return err },
		"folder": func(c auth.Caller) error {
			_, err := k.desk.ReadFolder(t.Context(), c, ref(t, "texts"), custody.MaxFolder)
			return err
		},
		"folder where no secret is": func(c auth.Caller) error {
			if _, err := k.desk.Read(t.Context(), c, ref(t, "texts")); !errors.Is(err, secret.ErrNotFound) {
				return fmt.Errorf("read: %w", err)
			}
			_, err := k.desk.ReadFolderInstead(t.Context(), c, ref(t, "texts"), custody.MaxFolder)
			return err
		},
		"copy of one": func(c auth.Caller) error {
			_, err := k.desk.Copy(t.Context(), c, ref(t, "app/002"), ref(t, "copied/one"))
			return err
		},
		"copy of a folder": func(c auth.Caller) error {
			_, err := k.desk.Copy(t.Context(), c, ref(t, "app"), ref(t, "copied/all"))
			return err
		},
		"batch": func(c auth.Caller) error {
			_, _, err := k.desk.ReadBatch(t.Context(), c, custody.Batch{Space: ref(t, "app"), Wanted: []custody.Wanted{{Ref: ref(t, "app/001")}, {Ref: ref(t, "app/004")}}})
			return err
		},
		"move": func(c auth.Caller) error { return k.move(c, "app/003", "moved") },
	} {
		t.Run(name, func(t *testing.T) {
			issued, err := custody.Do(t.Context(), k.desk, k.local(), auth.Create{OrphanPath: true, Policies: []string{"root"}, Uses: 5, DisplayName: "t"})
			if err != nil {
				t.Fatal(err)
			}
			if err := act(k.known(issued)); err != nil {
				t.Fatal(err)
			}
			found, err := custody.Do(t.Context(), k.desk, k.local(), auth.Lookup{Which: auth.ByAccessor(issued.Accessor)})
			if err != nil || found.Token.Uses != 4 {
				t.Errorf("after one request %d uses are left of 5, %v", found.Token.Uses, err)
			}
		})
	}
}

func (k *keep) move(c auth.Caller, from, to string) error {
	a, b := ref(k.t, from), ref(k.t, to)
	return k.desk.Move(k.t.Context(), c, a, b)
}
