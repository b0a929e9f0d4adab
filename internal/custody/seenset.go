package custody

import "sync"

// seenSet remembers which secrets were noted as read today, so that the others are read without a commit.
type seenSet struct {
	mu   sync.RWMutex
	day  int64               // guarded by mu
	keys map[string]struct{} // guarded by mu; of that day
}

// first says that the key was not noted today, and notes it.
func (s *seenSet) first(key string, today int64) bool {
	s.mu.RLock()
	_, ok := s.keys[key]
	ok = ok && s.day == today
	s.mu.RUnlock()
	if ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.day != today || s.keys == nil || len(s.keys) >= maxSeen {
		s.day, s.keys = today, map[string]struct{}{}
	}
	s.keys[key] = struct{}{}
	return true
}

// forget takes the note back: it could not be stored.
func (s *seenSet) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}
