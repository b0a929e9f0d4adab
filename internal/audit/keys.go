package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
)

// Keys are what the log needs beyond plain records; they exist while the keep is unsealed.
type Keys struct {
	SigningSeed []byte                // 32 bytes, Ed25519 (RFC 8032)
	Earlier     [][]byte              // seeds that SigningSeed succeeds, oldest first
	HMAC        func([]byte) [32]byte // HMAC-SHA-256 under the audit-hmac key; safe for concurrent use
}

type keyring struct {
	signer note.Signer
	public string
	hmac   func([]byte) [32]byte
}

// checkOrigin: a checkpoint's first line and a key's name (https://c2sp.org/signed-note).
func checkOrigin(origin string) error {
	if origin == "" || len(origin) > 200 || strings.ContainsFunc(origin, func(r rune) bool {
		return r == '+' || r == unicode.ReplacementChar || unicode.IsSpace(r) || unicode.IsControl(r)
	}) {
		return fmt.Errorf("audit: origin %q: 1 to 200 bytes without spaces and plus signs are wanted", origin)
	}
	return nil
}

func makeKeyring(origin string, seed []byte, hmac func([]byte) [32]byte) (*keyring, error) {
	if len(seed) != ed25519.SeedSize || hmac == nil {
		return nil, errors.New("audit: a signing seed of 32 bytes and an HMAC are wanted")
	}
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return &keyring{signer: &signer{verifier, private}, public: vkey, hmac: hmac}, nil
}

// signer signs checkpoints. note.NewSigner would derive the key once more, from a text that holds it.
type signer struct {
	note.Verifier // its name and number
	key           ed25519.PrivateKey
}

func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// readyEd25519 has the tables made that the first signature and the first verification in a process need; they take
// milliseconds.
func readyEd25519() {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	_ = ed25519.Verify(private.Public().(ed25519.PublicKey), nil, ed25519.Sign(private, nil)) // it is true
}

// Unlock gives the log its keys after unseal, and again after they changed: checkpoints are signed again, and HMAC answers.
// A key that succeeds an earlier one is announced in a record, over which the earlier key signs its last checkpoint; from then
// on the new one signs. So whoever trusts the first key can trust them all. What a crash left half done is done again.
func (l *Log) Unlock(k Keys) error {
	ring, err := makeKeyring(l.cfg.Origin, k.SigningSeed, k.HMAC)
	if err != nil {
		return err
	}
	last, err := l.tree.signedBy(l, ring.public)
	if err != nil {
		l.fail(err)
		return l.Err()
	}
	for _, seed := range k.Earlier {
		before, err := makeKeyring(l.cfg.Origin, seed, k.HMAC)
		if err != nil {
			return err
		}
		if last == foreignKey {
			if last, err = l.tree.signedBy(l, before.public); err != nil {
				l.fail(err)
				return l.Err()
			}
		}
		if last == "" || last == before.public { // also where nothing was signed yet: the first key may have been given away
			if err := l.succeed(before, ring); err != nil {
				return err
			}
			last = before.public
			break
		}
	}
	l.tree.resign(last)
	l.keys.Store(ring)
	poke(l.tree.due)
	return nil
}

// foreignKey stands for a key that is not known.
const foreignKey = "?"

// signingKey is the action of the record that announces a key.
const signingKey = "signing-key"

// succeed announces the key of next and lets before sign over that.
func (l *Log) succeed(before, next *keyring) error {
	l.keys.Store(before)
	e := Event{Time: l.cfg.Now(), Kind: SystemEvent, Action: signingKey, Links: []Pair{{"key", next.public}, {"before", before.public}}}
	ctx := context.Background()
	if err := l.AppendSync(ctx, &e); err != nil {
		return err
	}
	_, err := l.Checkpoint(ctx)
	return err
}

// Lock takes the keys away at seal. What was appended so far is signed first.
func (l *Log) Lock() error {
	if l.keys.Load() == nil {
		return nil
	}
	err := l.Err()
	if err == nil {
		if err = l.syncOnce(); err == nil {
			if err = l.tree.advance(l, l.dur.synced.Load()); err == nil {
				err = l.tree.seal(l, true)
			}
		}
	}
	l.keys.Store(nil)
	return err
}

// PublicKey is the note verifier key that Verify wants; empty while locked.
func (l *Log) PublicKey() string {
	if k := l.keys.Load(); k != nil {
		return k.public
	}
	return ""
}

// HMAC turns a string that may be secret into what may stand in a record: "hmac-sha256:" and 64 hex digits.
// While locked it returns "", and the field stays away.
func (l *Log) HMAC(s string) string {
	k := l.keys.Load()
	if k == nil || s == "" {
		return ""
	}
	return Keyed(k.hmac([]byte(s)))
}

// Keyed is how an HMAC-SHA-256 stands in a record.
func Keyed(sum [32]byte) string {
	var out [keyedLen]byte
	copy(out[:], keyedPrefix)
	hex.Encode(out[len(keyedPrefix):], sum[:])
	return string(out[:])
}
