//go:build !unix

package launch

import "os"

// Signal finds a signal by its name, of which this system has none.
func Signal(string) (os.Signal, bool) { return nil, false }
