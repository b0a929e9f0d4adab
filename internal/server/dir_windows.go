package server

// syncDir does nothing: a directory cannot be opened for writing here, and the file system's journal orders renames.
func syncDir(string) error { return nil }
