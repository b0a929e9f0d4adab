package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/segment"
)

// checkpoint is the body of a C2SP tlog-checkpoint: origin, size, root, a line each.
type checkpoint struct {
	origin string
	size   uint64
	root   tlog.Hash
}

func (c checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.origin, c.size, base64.StdEncoding.EncodeToString(c.root[:]))
}

func (c checkpoint) sign(signer note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign audit checkpoint: %w", err)
	}
	return signed, nil
}

// parseCheckpoint reads the body of a note; it does not look at signatures. Lines after the third are extensions.
func parseCheckpoint(text []byte) (checkpoint, error) {
	bad := errors.New("not an audit checkpoint")
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return checkpoint{}, bad
	}
	size, err := strconv.ParseUint(lines[1], 10, 62)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return checkpoint{}, bad
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return checkpoint{}, bad
	}
	return checkpoint{lines[0], size, tlog.Hash(root)}, nil
}

// openCheckpoint checks a signed note against verifier keys, of which one must have signed it.
func openCheckpoint(signed []byte, publicKeys []string) (checkpoint, error) {
	var verifiers []note.Verifier
	for _, k := range publicKeys {
		v, err := note.NewVerifier(strings.TrimSpace(k))
		if err != nil {
			return checkpoint{}, fmt.Errorf("audit public key: %w", err)
		}
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return checkpoint{}, fmt.Errorf("%w: checkpoint signature: %w", ErrTampered, err)
	}
	c, err := parseCheckpoint([]byte(n.Text))
	if err == nil && c.origin != n.Sigs[0].Name {
		return checkpoint{}, fmt.Errorf("%w: checkpoint of %q signed by %q", ErrTampered, c.origin, n.Sigs[0].Name)
	}
	return c, err
}

// Checkpoint signs the tree over all records so far. Keep it somewhere else: a log that does not contain what
// it covers, in the same order, will not verify against it.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	if l.keys.Load() == nil {
		return nil, ErrLocked
	}
	if err := l.catchUp(ctx); err != nil {
		return nil, err
	}
	if err := l.tree.seal(l, true); err != nil {
		return nil, err
	}
	return readSmall(l.path(checkpointName), segment.MaxRecord)
}

// readCheckpoint reads the last checkpoint of a directory without checking its signature; none is not an error.
func readCheckpoint(name string) (checkpoint, []byte, error) {
	signed, err := readSmall(name, segment.MaxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint{}, nil, nil
	}
	if err != nil {
		return checkpoint{}, nil, err
	}
	c, err := parseCheckpoint(signed)
	if err != nil {
		return checkpoint{}, nil, fmt.Errorf("%w: %s: %w", ErrTampered, checkpointName, err)
	}
	return c, signed, nil
}
