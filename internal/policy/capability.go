package policy

import (
	"fmt"
	"math/bits"
	"strings"
)

// Capability is a set of things that may be done to a name.
type Capability uint16

// The capabilities, in the alphabetical order in which the vendor answers them.
const (
	Create Capability = 1 << iota
	Delete
	Deny
	List
	Patch
	Read
	Scan
	Subscribe
	Sudo
	Update

	capabilityCount = iota
)

// Every is every capability that grants something.
const Every = Create | Delete | List | Patch | Read | Scan | Subscribe | Sudo | Update

// capabilityName is the name of capability number i.
func capabilityName(i int) string {
	return [...]string{"create", "delete", "deny", "list", "patch", "read", "scan", "subscribe", "sudo", "update"}[i]
}

// ParseCapability reads one capability's name.
func ParseCapability(s string) (Capability, error) {
	for i := range capabilityCount {
		if capabilityName(i) == s {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("unknown capability %q: use create, read, update, patch, delete, list, scan, subscribe, sudo or deny", clip(s))
}

// Names lists the set's names in alphabetical order, as the vendor answers them.
func (c Capability) Names() []string {
	names := make([]string, 0, bits.OnesCount16(uint16(c)))
	for i := range capabilityCount {
		if c&(1<<i) != 0 {
			names = append(names, capabilityName(i))
		}
	}
	return names
}

// String is the names, joined by commas.
func (c Capability) String() string { return strings.Join(c.Names(), ",") }

// Has reports whether every capability of want is in the set. The empty want is in no set: a request must ask for something.
func (c Capability) Has(want Capability) bool { return want != 0 && c&want == want }

// clip shortens text that came from outside before it goes into an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
