package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Position is a place between two records: the number of the next record and the count of bytes before it.
type Position struct {
	Seq    uint64
	Offset int64
}

// File is one segment on disk.
type File struct {
	Start Position
	Size  int64
}

// Name is the file name of a segment that begins at p.
func (p Position) Name() string { return fmt.Sprintf("%012d-%014d.log", p.Seq, p.Offset) }

// ParseName reads a name made by Position.Name.
func ParseName(name string) (Position, bool) {
	var p Position
	if !strings.HasSuffix(name, ".log") {
		return p, false
	}
	if _, err := fmt.Sscanf(name, "%d-%d.log", &p.Seq, &p.Offset); err != nil || p.Name() != name {
		return Position{}, false
	}
	return p, true
}

// List returns the segments of dir in order. A gap between two of them is an error; missing first ones are not,
// because they may have been archived.
func List(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list audit segments: %w", err)
	}
	var files []File
	for _, e := range entries {
		p, ok := ParseName(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("audit segment %s: %w", e.Name(), err)
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("audit segment %s: %w", e.Name(), ErrNotRegular)
		}
		files = append(files, File{Start: p, Size: info.Size()})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Start.Offset < files[j].Start.Offset })
	for i := 1; i < len(files); i++ {
		if prev := files[i-1]; prev.Start.Offset+prev.Size != files[i].Start.Offset {
			return files, fmt.Errorf("audit segment %s: %w: the segment before it ends at byte %d",
				files[i].Start.Name(), ErrGap, prev.Start.Offset+prev.Size)
		}
	}
	return files, nil
}

// OpenRegular opens name for reading or writing and refuses whatever is not a regular file under that very
// name: a symbolic link, a device or a pipe put there would turn the log into a means of writing elsewhere.
func OpenRegular(name string, flag int, perm fs.FileMode) (*os.File, error) {
	before, err := os.Lstat(name)
	switch {
	case err == nil && !before.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", filepath.Base(name), ErrNotRegular)
	case os.IsNotExist(err) && flag&os.O_CREATE != 0:
		flag |= os.O_EXCL // does not follow a link that appears in between
	case err != nil:
		return nil, err
	}
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	if err := SameFile(f, name); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// SameFile reports an error unless the open file f is still the regular file called name.
func SameFile(f *os.File, name string) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !named.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", filepath.Base(name), ErrNotRegular)
	}
	if !os.SameFile(open, named) {
		return fmt.Errorf("%s: %w", filepath.Base(name), ErrReplaced)
	}
	return nil
}

// ReplaceFile writes a small file so that a reader, or a crash, finds the old or the new.
func ReplaceFile(name string, data []byte) error {
	tmp := name + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
