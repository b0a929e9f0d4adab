package custody

import "time"

// Meters are told what the Desk does, for metrics. Each is called from many goroutines and must not block; nil ones are
// not called. None is told a name or a path.
type Meters struct {
	Applied      func(time.Duration) // one commit, until it was durable
	Recorded     func(time.Duration) // one audit record of a read or a refusal, until the log had it
	Refused      func()
	SignInFailed func(method string)
}

func (m *Meters) applied(since time.Time) {
	if m.Applied != nil {
		m.Applied(time.Since(since))
	}
}

func (m *Meters) recorded(since time.Time) {
	if m.Recorded != nil {
		m.Recorded(time.Since(since))
	}
}

func (m *Meters) refused() {
	if m.Refused != nil {
		m.Refused()
	}
}

func (m *Meters) signInFailed(method string) {
	if m.SignInFailed != nil {
		m.SignInFailed(method)
	}
}
