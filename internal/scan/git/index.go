package git

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// staged is an entry of the index: a path and the blob that the next commit would hold there.
type staged struct {
	path string
	mode uint32
	id   id
}

// index is the staging area (gitformat-index(5)).
type index struct {
	entries []staged
	trees   map[string]id // of the cache-tree extension: directories that are as in the tree with this id
	link    []byte        // of the split-index extension; nil when the index is whole
}

func (r *Repo) readIndex() (*index, error) {
	name := r.index
	if name == "" {
		name = filepath.Join(r.dir, "index")
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &index{}, nil
	}
	if err != nil {
		return nil, err
	}
	x, err := r.parseIndex(b)
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", name, err)
	}
	if x.link != nil {
		if err := r.join(x, x.link); err != nil {
			return nil, fmt.Errorf("split index %s: %w", name, err)
		}
	}
	return x, nil
}

// Tracked lists the paths of the index, relative to the work tree.
func (r *Repo) Tracked() ([]string, error) {
	x, err := r.readIndex()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(x.entries))
	for i := range x.entries {
		out[i] = x.entries[i].path
	}
	return out, nil
}

func (r *Repo) parseIndex(b []byte) (*index, error) {
	if len(b) < 12+r.size || string(b[:4]) != "DIRC" {
		return nil, errCorrupt
	}
	version, n := binary.BigEndian.Uint32(b[4:]), int(binary.BigEndian.Uint32(b[8:]))
	if version < 2 || version > 4 {
		return nil, fmt.Errorf("version %d: %w", version, errCorrupt)
	}
	end := len(b) - r.size
	x := &index{trees: map[string]id{}}
	p, name := 12, ""
	for range n {
		head := 40 + r.size + 2
		if p+head > end {
			return nil, errCorrupt
		}
		e := staged{mode: binary.BigEndian.Uint32(b[p+24:]), id: makeID(b[p+40 : p+40+r.size])}
		q := p + head
		if version >= 3 && b[p+head-2]&0x40 != 0 {
			q += 2
		}
		if q > end {
			return nil, errCorrupt
		}
		if version == 4 {
			cut, rest, ok := offsetVarint(b[q:end])
			if !ok || cut < 0 || cut > len(name) {
				return nil, errCorrupt
			}
			q = end - len(rest)
			name = name[:len(name)-cut]
		} else {
			name = ""
		}
		k := bytes.IndexByte(b[q:end], 0)
		if k < 0 {
			return nil, errCorrupt
		}
		name += string(b[q : q+k])
		e.path = name
		if q > end {
			return nil, errCorrupt
		}
		if version == 4 {
			p = q + k + 1
		} else {
			p += (q + k - p + 8) &^ 7
		}
		x.entries = append(x.entries, e)
	}
	for p+8 <= end {
		size := int(binary.BigEndian.Uint32(b[p+4:]))
		if size < 0 || p+8+size > end {
			break
		}
		switch string(b[p : p+4]) {
		case "TREE":
			r.cacheTree(b[p+8:p+8+size], "", x.trees)
		case "link":
			x.link = b[p+8 : p+8+size : p+8+size]
		}
		p += 8 + size
	}
	return x, nil
}

// offsetVarint reads the number of index version 4, which is that of ofs-deltas.
func offsetVarint(b []byte) (int, []byte, bool) {
	v := 0
	for i, c := range b {
		if i > 8 {
			break
		}
		v = v<<7 | int(c&0x7f)
		if c&0x80 == 0 {
			return v, b[i+1:], true
		}
		v++
	}
	return 0, b, false
}

// cacheTree reads "name\0count subtrees\nid" and the subtrees that follow; a count of -1 has no id.
func (r *Repo) cacheTree(b []byte, dir string, out map[string]id) []byte {
	i := bytes.IndexByte(b, 0)
	j := bytes.IndexByte(b, '\n')
	if i < 0 || j < i {
		return nil
	}
	name := string(b[:i])
	count, subs, ok := bytes.Cut(b[i+1:j], []byte(" "))
	b = b[j+1:]
	n, err := strconv.Atoi(string(count))
	k, err2 := strconv.Atoi(string(subs))
	if !ok || err != nil || err2 != nil {
		return nil
	}
	if dir != "" {
		dir += "/"
	}
	if name != "" {
		dir += name
	}
	if n >= 0 {
		if len(b) < r.size {
			return nil
		}
		out[dir] = makeID(b[:r.size])
		b = b[r.size:]
	}
	for range k {
		if b == nil || bytes.Count([]byte(dir), []byte("/")) > 500 {
			return nil
		}
		b = r.cacheTree(b, dir, out)
	}
	return b
}
