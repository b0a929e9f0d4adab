// Package locked holds a key in memory that is, where the system allows it,
// kept out of swap, core dumps and child processes.
//
// It is best effort: Locked tells what was achieved. The process as a whole is
// never locked (mlockall), because that would pin the mapped store as well.
package locked

// Buffer is a small piece of such memory. It is not safe for concurrent use
// with Destroy.
type Buffer struct {
	b      []byte
	pages  []byte // what was mapped; nil on systems without
	locked bool
}

// New returns a zeroed buffer of n bytes.
func New(n int) *Buffer {
	b := &Buffer{}
	b.pages, b.locked = pages(n)
	if b.pages == nil {
		b.b = make([]byte, n)
		return b
	}
	b.b = b.pages[:n:n]
	return b
}

// Take copies key into a new buffer and clears key.
func Take(key []byte) *Buffer {
	b := New(len(key))
	copy(b.b, key)
	clear(key)
	return b
}

// Bytes is the memory itself, not a copy. It is nil after Destroy.
func (b *Buffer) Bytes() []byte { return b.b }

// Locked tells whether the memory is locked and left out of dumps.
func (b *Buffer) Locked() bool { return b.locked }

// Destroy clears and unlocks the memory. Mapped pages stay mapped: a slice
// that someone still holds then reads zeros instead of ending the program,
// which is worth the page.
func (b *Buffer) Destroy() {
	clear(b.b)
	b.b = nil
	if b.locked {
		unlock(b.pages)
		b.locked = false
	}
}
