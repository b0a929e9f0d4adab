package git

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/keephold/keephold/internal/scan"
)

// Kinds of objects, as packs number them.
const (
	kindCommit   = 1
	kindTree     = 2
	kindBlob     = 3
	kindTag      = 4
	kindOfsDelta = 6
	kindRefDelta = 7
)

var errCorrupt = errors.New("corrupt object")

// indexMagic begins an index of version 2.
var indexMagic = []byte("\xfftOc\x00\x00\x00\x02")

// pack is a mapped pack with its index, of version 2 or made so.
//
//	idx: magic, version, 256 fan-out counts, ids, CRCs, 31-bit offsets, 64-bit offsets, two checksums
type pack struct {
	name      string
	data, idx []byte
	unmap     []func() error
	n, size   int
	ids       []byte
	small     []byte
	large     []byte
}

func openPack(name string, size int) (*pack, error) {
	p := &pack{name: name, size: size}
	for _, f := range []struct {
		ext string
		to  *[]byte
	}{{".idx", &p.idx}, {".pack", &p.data}} {
		b, unmap, err := scan.MapFile(name + f.ext)
		if err != nil {
			_ = p.close()
			return nil, err
		}
		*f.to = b
		p.unmap = append(p.unmap, unmap)
	}
	if err := p.parse(); err != nil {
		_ = p.close()
		return nil, err
	}
	return p, nil
}

func (p *pack) parse() error {
	const head = 8 + 256*4
	if !bytes.HasPrefix(p.idx, indexMagic[:4]) {
		var err error
		if p.idx, err = modernIndex(p.idx, p.size); err != nil {
			return err
		}
	}
	if len(p.idx) < head || !bytes.HasPrefix(p.idx, indexMagic) {
		return fmt.Errorf("not a pack index of version 1 or 2: %w", errCorrupt)
	}
	if len(p.data) < 12 || !bytes.HasPrefix(p.data, []byte("PACK")) {
		return fmt.Errorf("not a pack: %w", errCorrupt)
	}
	p.n = int(binary.BigEndian.Uint32(p.idx[8+255*4:]))
	need := head + p.n*(p.size+8)
	if p.n < 0 || len(p.idx) < need {
		return fmt.Errorf("index is cut short: %w", errCorrupt)
	}
	p.ids = p.idx[head : head+p.n*p.size]
	p.small = p.idx[head+p.n*(p.size+4) : need]
	p.large = p.idx[need:]
	return nil
}

func (p *pack) close() error {
	var err error
	for _, f := range p.unmap {
		err = errors.Join(err, f())
	}
	p.unmap = nil
	return err
}

func (p *pack) id(i int) []byte { return p.ids[i*p.size : (i+1)*p.size] }

func (p *pack) offset(i int) uint64 {
	o := binary.BigEndian.Uint32(p.small[4*i:])
	if o&(1<<31) == 0 {
		return uint64(o)
	}
	k := int(o&^(1<<31)) * 8
	if k+8 > len(p.large) {
		return 1 << 63
	}
	return binary.BigEndian.Uint64(p.large[k:])
}

// find returns the index position of an id, or -1.
func (p *pack) find(x []byte) int {
	lo := 0
	if x[0] > 0 {
		lo = int(binary.BigEndian.Uint32(p.idx[8+4*(int(x[0])-1):]))
	}
	hi := int(binary.BigEndian.Uint32(p.idx[8+4*int(x[0]):]))
	if lo > hi || hi > p.n {
		return -1
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(p.id(mid), x); {
		case c < 0:
			lo = mid + 1
		case c > 0:
			hi = mid
		default:
			return mid
		}
	}
	return -1
}

// entry is the header of a packed object.
type entry struct {
	kind uint8
	size uint64
	body uint64 // where the deflated data begins
	base uint64 // offset of an ofs-delta's base
	ref  []byte // id of a ref-delta's base
}

func (p *pack) header(off uint64) (entry, error) {
	var e entry
	if off+1 >= uint64(len(p.data)) {
		return e, fmt.Errorf("offset %d: %w", off, errCorrupt)
	}
	b := p.data[off:]
	i := 1
	e.kind = b[0] >> 4 & 7
	e.size = uint64(b[0] & 15)
	for shift := 4; b[i-1]&0x80 != 0; shift += 7 {
		if i >= len(b) || shift > 60 {
			return e, fmt.Errorf("offset %d: %w", off, errCorrupt)
		}
		e.size |= uint64(b[i]&0x7f) << shift
		i++
	}
	switch e.kind {
	case kindOfsDelta:
		back, k := uint64(0), i
		for {
			if i >= len(b) || i-k > 9 {
				return e, fmt.Errorf("offset %d: %w", off, errCorrupt)
			}
			c := b[i]
			i++
			back = back<<7 | uint64(c&0x7f)
			if c&0x80 == 0 {
				break
			}
			back++
		}
		if back == 0 || back > off {
			return e, fmt.Errorf("offset %d: %w", off, errCorrupt)
		}
		e.base = off - back
	case kindRefDelta:
		if i+p.size > len(b) {
			return e, fmt.Errorf("offset %d: %w", off, errCorrupt)
		}
		e.ref = b[i : i+p.size]
		i += p.size
	case kindCommit, kindTree, kindBlob, kindTag:
	default:
		return e, fmt.Errorf("offset %d: kind %d: %w", off, e.kind, errCorrupt)
	}
	e.body = off + uint64(i)
	return e, nil
}
