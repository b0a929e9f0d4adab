package awssm

func getResourcePolicy(rq *request) (any, error)      { return nil, errNoFunction }
func putResourcePolicy(rq *request) (any, error)      { return nil, errNoFunction }
func deleteResourcePolicy(rq *request) (any, error)   { return nil, errNoFunction }
func validateResourcePolicy(rq *request) (any, error) { return nil, errNoFunction }
