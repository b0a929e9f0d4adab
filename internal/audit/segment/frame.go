// Package segment keeps audit records in append-only files.
//
// A segment is a plain run of frames, each a big-endian 16-bit length and that many bytes of record:
//
//	+--------+--------+----------------------+
//	|  length (16 bit) | record … '}' '\n'   |  next frame …
//	+--------+--------+----------------------+
//
// That is exactly the framing of a C2SP tlog-tiles entry bundle, so that the bundle of records 256·N to
// 256·N+255 is a slice of the segments and is never stored twice. A file is named by the number of its
// first record and by the count of bytes before it, NNNNNNNNNNNN-OOOOOOOOOOOOOO.log, so that older files
// can be moved to an archive without renumbering what stays.
package segment

import (
	"encoding/binary"
	"errors"
	"io"
)

// MaxRecord is the longest record that a 16-bit length can frame.
const MaxRecord = 1<<16 - 1

// FrameHead is the count of bytes before each record.
const FrameHead = 2

// ErrFrame reports bytes that no writer of this package wrote.
var ErrFrame = errors.New("not a record frame")

// AppendFrame appends rec with its length. It panics on a record that cannot be framed: callers split or clip.
func AppendFrame(dst, rec []byte) []byte {
	if len(rec) == 0 || len(rec) > MaxRecord {
		panic("segment: internal error: record length out of range")
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(rec)))
	return append(dst, rec...)
}

// Cut takes the first record off b. It returns io.ErrUnexpectedEOF when b holds only a part of it, and
// ErrFrame when b cannot be the start of a record: every record is one JSON object and a newline.
func Cut(b []byte) (rec, rest []byte, err error) {
	if len(b) < FrameHead {
		return nil, b, io.ErrUnexpectedEOF
	}
	n := int(binary.BigEndian.Uint16(b))
	if n < 3 || (len(b) > FrameHead && b[FrameHead] != '{') {
		return nil, b, ErrFrame
	}
	if len(b) < FrameHead+n {
		return nil, b, io.ErrUnexpectedEOF
	}
	rec = b[FrameHead : FrameHead+n]
	if rec[n-1] != '\n' || rec[n-2] != '}' {
		return nil, b, ErrFrame
	}
	return rec, b[FrameHead+n:], nil
}

// AppendBytes frames bytes that are not a record, such as a signed note.
func AppendBytes(dst, b []byte) []byte { return AppendFrame(dst, b) }

// CutBytes takes frames made by AppendBytes apart; an unfinished one at the end is left out.
func CutBytes(b []byte) [][]byte {
	var out [][]byte
	for len(b) >= FrameHead {
		n := int(binary.BigEndian.Uint16(b))
		if n == 0 || len(b) < FrameHead+n {
			break
		}
		out = append(out, b[FrameHead:FrameHead+n])
		b = b[FrameHead+n:]
	}
	return out
}
