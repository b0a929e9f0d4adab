package git

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zlib"
)

// maxObject bounds what is rebuilt in memory. A larger blob is counted as not scanned.
const maxObject = 256 << 20

var errTooBig = errors.New("larger than the bound")

var kindNames = map[string]uint8{"commit": kindCommit, "tree": kindTree, "blob": kindBlob, "tag": kindTag}

// loose lists the loose objects of all object directories.
func (r *Repo) loose() []looseObject {
	var out []looseObject
	seen := map[id]bool{}
	for _, dir := range r.objects {
		for fan := range 256 {
			sub := fmt.Sprintf("%02x", fan)
			names, err := os.ReadDir(filepath.Join(dir, sub))
			if err != nil {
				continue
			}
			for _, n := range names {
				x, ok := r.parseID(sub + n.Name())
				if !ok || seen[x] {
					continue
				}
				seen[x] = true
				out = append(out, looseObject{x, filepath.Join(dir, sub, n.Name())})
			}
		}
	}
	return out
}

type looseObject struct {
	id   id
	path string
}

// read inflates a loose object: "kind size\0data".
func (o looseObject) read() (uint8, []byte, error) {
	f, err := os.Open(o.path)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	z, err := zlib.NewReader(bufio.NewReader(f))
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", o.path, errors.Join(errCorrupt, err))
	}
	defer z.Close()
	b := bufio.NewReader(z)
	head, err := b.ReadString(0)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", o.path, errors.Join(errCorrupt, err))
	}
	name, length, _ := strings.Cut(strings.TrimSuffix(head, "\x00"), " ")
	size, err := strconv.ParseInt(length, 10, 64)
	kind := kindNames[name]
	if err != nil || kind == 0 || size < 0 {
		return 0, nil, fmt.Errorf("%s: %w", o.path, errCorrupt)
	}
	if size > maxObject {
		return kind, nil, fmt.Errorf("%s: %w", o.path, errTooBig)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(b, data); err != nil {
		return kind, nil, fmt.Errorf("%s: %w", o.path, errors.Join(errCorrupt, err))
	}
	return kind, data, nil
}

var errMissing = errors.New("object is not here")

// object reads one object by id.
func (r *Repo) object(x id) (uint8, []byte, error) { return r.objectAt(x, 0) }

func (r *Repo) objectAt(x id, depth int) (uint8, []byte, error) {
	for _, p := range r.packs {
		if i := p.find(x[:r.size]); i >= 0 {
			return r.packed(p, p.offset(i), depth)
		}
	}
	name := hex.EncodeToString(x[:r.size])
	for _, dir := range r.objects {
		o := looseObject{x, filepath.Join(dir, name[:2], name[2:])}
		if _, err := os.Stat(o.path); err == nil {
			return o.read()
		}
	}
	return 0, nil, fmt.Errorf("%s: %w", name, errMissing)
}

// packed reads an object of a pack through its delta chain.
func (r *Repo) packed(p *pack, off uint64, depth int) (uint8, []byte, error) {
	e, err := p.header(off)
	if err != nil {
		return 0, nil, err
	}
	if e.size > maxObject || depth > 5000 {
		return e.kind, nil, errTooBig
	}
	var f inflater
	data, err := f.inflate(p.data[e.body:], e.size, nil)
	if err != nil {
		return 0, nil, err
	}
	var kind uint8
	var base []byte
	switch e.kind {
	case kindOfsDelta:
		kind, base, err = r.packed(p, e.base, depth+1)
	case kindRefDelta:
		i := p.find(e.ref)
		if i < 0 {
			kind, base, err = r.objectAt(makeID(e.ref), depth+1)
			break
		}
		kind, base, err = r.packed(p, p.offset(i), depth+1)
	default:
		return e.kind, data, nil
	}
	if err != nil {
		return 0, nil, err
	}
	out, err := patch(base, data, nil, nil)
	return kind, out, err
}
