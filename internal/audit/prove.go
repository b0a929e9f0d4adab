package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keephold/keephold/internal/audit/tile"
)

// Bundle proves, without the log, that a record is in it. It marshals to JSON.
type Bundle struct {
	Seq        uint64   `json:"seq"`
	Record     string   `json:"record"`
	Proof      []string `json:"proof"` // RFC 6962, section 2.1.1; base64
	Checkpoint string   `json:"checkpoint"`
}

// Prove makes the bundle of one record under the log's last checkpoint.
func (l *Log) Prove(seq uint64) (Bundle, error) { return Prove(l.cfg.Dir, seq) }

// Prove makes the bundle of one record under the last checkpoint in dir.
func Prove(dir string, seq uint64) (Bundle, error) {
	c, signed, err := readCheckpoint(filepath.Join(dir, checkpointName))
	if err != nil {
		return Bundle{}, err
	}
	if seq >= c.size {
		return Bundle{}, fmt.Errorf("audit record %d: %w: the last one covers %d records", seq, ErrNotCovered, c.size)
	}
	rec, err := readRecord(dir, seq)
	if err != nil {
		return Bundle{}, err
	}
	hashes := tile.NewHashes(dir)
	defer hashes.Close()
	proof, err := tlog.ProveRecord(int64(c.size), int64(seq), hashes)
	if err != nil {
		return Bundle{}, fmt.Errorf("prove audit record %d: %w", seq, err)
	}
	if err := tlog.CheckRecord(proof, int64(c.size), c.root, int64(seq), tile.RecordHash(rec)); err != nil {
		return Bundle{}, fmt.Errorf("%w: record %d does not prove under the checkpoint; verify the log", ErrTampered, seq)
	}
	b := Bundle{Seq: seq, Record: string(rec), Checkpoint: string(signed)}
	for _, h := range proof {
		b.Proof = append(b.Proof, base64.StdEncoding.EncodeToString(h[:]))
	}
	return b, nil
}

// VerifyBundle checks a bundle against the log's public keys and returns its event.
func VerifyBundle(b Bundle, publicKeys ...string) (Event, error) {
	c, err := openCheckpoint([]byte(b.Checkpoint), publicKeys)
	if err != nil {
		return Event{}, err
	}
	if b.Seq >= c.size || len(b.Proof) > 64 {
		return Event{}, fmt.Errorf("%w: record %d under a checkpoint over %d", ErrTampered, b.Seq, c.size)
	}
	var proof tlog.RecordProof
	for _, text := range b.Proof {
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(raw) != tlog.HashSize {
			return Event{}, errors.New("audit proof: 32 bytes in base64 are wanted")
		}
		proof = append(proof, tlog.Hash(raw))
	}
	if err := tlog.CheckRecord(proof, int64(c.size), c.root, int64(b.Seq), tile.RecordHash([]byte(b.Record))); err != nil {
		return Event{}, fmt.Errorf("%w: the record is not the one that the checkpoint covers", ErrTampered)
	}
	return DecodeEvent([]byte(b.Record))
}

func readRecord(dir string, seq uint64) ([]byte, error) {
	r, err := readerAt(dir, seq)
	if err != nil {
		return nil, fmt.Errorf("audit record %d: %w", seq, err)
	}
	defer r.Close()
	for {
		at := r.Pos().Seq
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("audit record %d: %w", seq, err)
		}
		if at == seq {
			return append([]byte(nil), rec...), nil
		}
	}
}
