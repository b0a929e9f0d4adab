package audit

import "os"

// SetWrite replaces the write to a segment.
func SetWrite(c *Config, w func(f *os.File, b []byte) (int, error)) { c.write = w }
