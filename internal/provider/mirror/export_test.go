package mirror

// ReadJournal is what fuzzing feeds.
func ReadJournal(b []byte) map[string]Entry { return readJournal(b) }
