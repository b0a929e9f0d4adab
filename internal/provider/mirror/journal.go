package mirror

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Entry says at which revisions a secret was the same in both stores. It holds no value, and nothing that is made of one.
type Entry struct {
	Name  string `json:"name"`
	Here  string `json:"here,omitempty"`
	There string `json:"there,omitempty"`
}

// begun stands for the revision here while a secret of several versions is being taken over. A kill leaves it behind, and the next
// run takes them over again.
const begun = "begun"

// gone is an entry of a secret that neither store has.
func (e Entry) gone() bool { return e.Here == "" && e.There == "" }

// Journal remembers, between runs and through a kill, what was the same. It is a file of lines, one JSON object each, of which the
// last of a name counts; a line that a kill cut off is ignored. Without a file it remembers until the end of the program. All of its
// methods may be called at once.
type Journal struct {
	path string

	mu   sync.Mutex
	file *os.File
	last map[string]Entry
}

var errJournal = errors.New("the journal cannot be written")

// OpenJournal reads what earlier runs left.
func OpenJournal(path string) (*Journal, error) {
	j := &Journal{path: path, last: map[string]Entry{}}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	j.last = readJournal(b)
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	if n := len(b); n > 0 && b[n-1] != '\n' { // behind what a kill cut off
		_, err = j.file.WriteString("\n")
	}
	return j, err
}

// readJournal takes the lines that are whole.
func readJournal(b []byte) map[string]Entry {
	last := map[string]Entry{}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		var e Entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Name == "" {
			continue
		}
		if e.gone() {
			delete(last, e.Name)
		} else {
			last[e.Name] = e
		}
	}
	return last
}

// Last is what is known of a secret.
func (j *Journal) Last(name string) (Entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.last[name]
	return e, ok
}

// Note remembers an entry, in place of what was known of its name.
func (j *Journal) Note(e Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if old, ok := j.last[e.Name]; ok && old == e {
		return nil
	}
	if j.last == nil {
		j.last = map[string]Entry{}
	}
	j.last[e.Name] = e
	if e.gone() {
		delete(j.last, e.Name)
	}
	if j.file == nil {
		return nil
	}
	b, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	return nil
}

// Close leaves one line a secret.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	f, made := os.CreateTemp(filepath.Dir(j.path), ".journal-*")
	if made != nil {
		return errors.Join(err, made)
	}
	err = errors.Join(err, j.write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is answered
	}
	return err
}

func (j *Journal) write(f io.Writer) error {
	all := slices.SortedFunc(maps.Values(j.last), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	w := bufio.NewWriter(f)
	for _, e := range all {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}
