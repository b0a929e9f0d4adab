package custody

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/keephold/keephold/internal/seal"
	"github.com/keephold/keephold/internal/seal/recipient"
	"github.com/keephold/keephold/internal/secret"
)

// Split says into how many shares a key is split, how many of them bring it back, and whom each is encrypted to.
type Split struct {
	Shares, Threshold int
	Recipients        []*recipient.Recipient // one a share; none: shares are answered as they are
}

// Parts are shares as they are handed out, once.
type Parts struct {
	Shares       []secret.Value // plain; none when they are encrypted
	Messages     [][]byte       // encrypted to the keys that Fingerprints name
	Fingerprints []string
	Armored      []string // the messages as text, for age and SSH recipients; "" for OpenPGP
}

func (s Split) check(optional bool) error {
	if optional && s.Shares == 0 && s.Threshold == 0 && len(s.Recipients) == 0 {
		return nil
	}
	if err := seal.CheckSplit(s.Shares, s.Threshold); err != nil {
		return fmt.Errorf("%w: %w", secret.ErrInvalid, err)
	}
	if n := len(s.Recipients); n != 0 && n != s.Shares {
		return fmt.Errorf("%w: %d public keys for %d shares", secret.ErrInvalid, n, s.Shares)
	}
	return nil
}

// fingerprints name the recipients.
func (s Split) fingerprints() []string {
	var out []string
	for _, r := range s.Recipients {
		out = append(out, r.Fingerprint())
	}
	return out
}

// hand takes the plain shares over and makes of them what is handed out. As the vendor does, what is encrypted is the
// share in hexadecimal, so that the holder can paste what the decryption prints.
func (s Split) hand(parts [][]byte, now time.Time) (Parts, error) {
	var out Parts
	for i, p := range parts {
		if len(s.Recipients) == 0 {
			out.Shares = append(out.Shares, secret.NewValue(p))
			continue
		}
		r := s.Recipients[i]
		text := hex.AppendEncode(nil, p)
		clear(p)
		message, err := r.Encrypt(text, now)
		clear(text)
		if err != nil {
			return Parts{}, err
		}
		armored := ""
		if !r.IsPGP() {
			if armored, err = r.Armor(message); err != nil {
				return Parts{}, err
			}
		}
		out.Armored = append(out.Armored, armored)
		out.Messages = append(out.Messages, message)
	}
	out.Fingerprints = s.fingerprints()
	return out, nil
}
