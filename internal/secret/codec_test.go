package secret_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/keephold/keephold/internal/secret"
)

func at(s int64) time.Time { return time.Unix(s, 0).UTC() }

// plain is a head that format 1 has room for, rich one that it has not.
func heads() (plain, rich *secret.Head) {
	plain = &secret.Head{
		UID: "u1", Name: "Name", Created: at(1), Updated: at(2), DataKey: []byte("key"), Max: 3, Current: 2,
		Versions: []secret.Version{
			{Number: 2, State: secret.Disabled, Kind: secret.Binary, ContentType: "a/b", Created: at(3), Writer: "w", AWSID: "a", AzureID: "z", Labels: []string{"current"}},
			{Number: 3, State: secret.Destroyed, Created: at(4)},
		},
		Custom: []secret.Pair{{Key: "k", Value: "v"}}, About: secret.About{Description: "d", Owner: "o"},
		Settings:  secret.Settings{MaxVersions: 4, CASRequired: true, DeleteAfter: time.Hour, ExpiresAt: at(9)},
		Tombstone: &secret.Tombstone{By: "me", At: at(5), PurgeAt: at(6)},
	}
	rich = plain.Clone()
	rich.Revision, rich.Settings.DestroyDelay, rich.Facts = 7, 24*time.Hour, []secret.Pair{{Key: "gcp.x", Value: "y"}}
	rich.Versions[1].Destroyed, rich.Versions[1].Changed, rich.Versions[1].Facts = at(7), at(8), []secret.Pair{{Key: "gcp.a", Value: "b"}}
	return plain, rich
}

func TestHeadRoundTrip(t *testing.T) {
	plain, rich := heads()
	for name, test := range map[string]struct {
		head   *secret.Head
		format byte
	}{"format 1": {plain, 1}, "format 2": {rich, 2}, "empty": {&secret.Head{DataKey: []byte{}}, 1}} {
		b := secret.AppendHead(nil, test.head)
		if b[0] != test.format {
			t.Errorf("%s: written as format %d", name, b[0])
		}
		got, err := secret.DecodeHead(b)
		if err != nil || !reflect.DeepEqual(got, test.head) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, test.head)
		}
		for cut := range b {
			if _, err := secret.DecodeHead(b[:cut]); !errors.Is(err, secret.ErrDamaged) {
				t.Fatalf("%s cut to %d bytes: %v", name, cut, err)
			}
		}
	}
}

func TestVersionDestroyedByItsTime(t *testing.T) {
	v := secret.Version{State: secret.Disabled, Destroyed: at(10)}
	if got := v.StateAt(at(9)); got != secret.Disabled {
		t.Errorf("before: %s", got)
	}
	if got := v.StateAt(at(10)); got != secret.Destroyed {
		t.Errorf("at the time: %s", got)
	}
}

func FuzzDecodeHead(f *testing.F) {
	plain, rich := heads()
	f.Add(secret.AppendHead(nil, plain))
	f.Add(secret.AppendHead(nil, rich))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := secret.DecodeHead(b)
		if err != nil {
			if !errors.Is(err, secret.ErrDamaged) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		again := secret.AppendHead(nil, h)
		h2, err := secret.DecodeHead(again)
		if err != nil || !bytes.Equal(secret.AppendHead(nil, h2), again) {
			t.Fatalf("a head that was read does not survive: %v", err)
		}
	})
}
