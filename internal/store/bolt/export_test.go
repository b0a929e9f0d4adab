package bolt

import (
	"io/fs"
	"reflect"
	"syscall"
	"testing"
	"unsafe"

	"go.etcd.io/bbolt"

	"github.com/keephold/keephold/internal/store"
)

// WriteAt is how bbolt writes to its file.
type WriteAt = func(p []byte, off int64) (int, error)

// HookWrites puts a function between bbolt and its file. bbolt keeps the place for its own tests and does not export it; a release
// that moves it makes this panic. Call it while nothing is written.
func HookWrites(e *Engine, wrap func(next WriteAt) WriteAt) {
	field := reflect.ValueOf(e.db).Elem().FieldByName("ops").FieldByName("writeAt")
	p := (*WriteAt)(unsafe.Pointer(field.UnsafeAddr()))
	*p = wrap(*p)
}

// PageSize returns the size of the file's pages: writes below two of them are of the meta pages.
func PageSize(e *Engine) int64 { return int64(e.db.Info().PageSize) }

// FileSize returns the size of the file.
func FileSize(e *Engine) int64 {
	info, err := e.file.Stat()
	if err != nil {
		panic(err)
	}
	return info.Size()
}

// CloseFile closes the file below bbolt, so that whatever it does next fails.
func CloseFile(e *Engine) { _ = e.file.Close() }

// Unsettle makes the newest transaction look as if its sync were still under way; the returned function ends that.
func Unsettle(e *Engine) (settle func()) {
	id := e.durable.Load()
	e.durable.Store(id - 1)
	return func() {
		e.durable.Store(id)
		e.announce()
	}
}

// DiskFull is what a write to a full disk answers.
func DiskFull() error { return &fs.PathError{Op: "write", Path: "store", Err: syscall.ENOSPC} }

// DecodeHolder is decodeHolder.
func DecodeHolder(b []byte) (pid int, command string) {
	h := decodeHolder(b)
	return h.PID, h.Command
}

// Make makes a store with any header, as another release may have.
func Make(t testing.TB, path string, h store.Header) {
	t.Helper()
	if err := build(path, func(db *bbolt.DB) error { return initialize(db, h) }); err != nil {
		t.Fatal(err)
	}
}
