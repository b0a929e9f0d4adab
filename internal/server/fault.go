package server

import (
	"errors"
	"io/fs"
	"net"

	"github.com/keephold/keephold/internal/store"
)

// Fault says what kept a server or a keep from opening, as far as somebody can do something about it.
type Fault uint8

const (
	FaultOther    Fault = iota
	FaultBusy           // another process holds the store
	FaultBadData        // the store is damaged or of a newer format
	FaultReadOnly       // the disk is full or cannot be written
	FaultAddress        // an address cannot be taken
)

// FaultOf sorts an error of Open, OpenDev, OpenKeep and Run.
func FaultOf(err error) Fault {
	var address *net.OpError
	switch {
	case errors.Is(err, store.ErrLocked):
		return FaultBusy
	case errors.Is(err, store.ErrFormat), errors.Is(err, store.ErrCorrupt):
		return FaultBadData
	case errors.Is(err, store.ErrReadOnly), errors.Is(err, store.ErrFull), errors.Is(err, fs.ErrPermission):
		return FaultReadOnly
	case errors.As(err, &address):
		return FaultAddress
	}
	return FaultOther
}
