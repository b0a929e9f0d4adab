package launch

// AsFirst makes this process behave as process 1 does, for a test that makes itself a reaper of orphans.
func (o Options) AsFirst() Options { o.first = true; return o }
