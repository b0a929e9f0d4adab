package git

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// modernIndex makes an index of version 2 of one of version 1, which git wrote before 2008 and still reads:
//
//	256 fan-out counts, then for each object its 32-bit offset and its id, two checksums
func modernIndex(old []byte, size int) ([]byte, error) {
	const fan = 256 * 4
	if len(old) < fan {
		return nil, fmt.Errorf("not a pack index: %w", errCorrupt)
	}
	n := int(binary.BigEndian.Uint32(old[fan-4:]))
	row := 4 + size
	if n < 0 || len(old) != fan+n*row+2*size {
		return nil, fmt.Errorf("not a pack index: %w", errCorrupt)
	}
	out := slices.Concat(indexMagic, old[:fan])
	for i := range n {
		out = append(out, old[fan+i*row+4:fan+(i+1)*row]...)
	}
	out = append(out, make([]byte, 4*n)...) // checksums of objects, which nobody here reads
	var large []byte
	for i := range n {
		off := old[fan+i*row : fan+i*row+4]
		if off[0]&0x80 != 0 { // the highest bit leads to the table of long offsets
			k := uint32(len(large) / 8)
			large = binary.BigEndian.AppendUint64(large, uint64(binary.BigEndian.Uint32(off)))
			off = binary.BigEndian.AppendUint32(nil, k|1<<31)
		}
		out = append(out, off...)
	}
	return append(out, large...), nil
}
