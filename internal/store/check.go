package store

import "fmt"

// CheckKeys refuses keys that no engine takes.
func CheckKeys(keys ...string) error {
	for _, k := range keys {
		if k == "" {
			return fmt.Errorf("empty key: %w", ErrInvalid)
		}
		if len(k) > MaxKey {
			return fmt.Errorf("key of %d bytes, at most %d: %w", len(k), MaxKey, ErrInvalid)
		}
	}
	return nil
}

// CheckQuery refuses a query that cannot be meant.
func CheckQuery(q Query) error {
	if q.Limit < 0 {
		return fmt.Errorf("limit %d: %w", q.Limit, ErrInvalid)
	}
	return nil
}

// CheckOps refuses what Apply may not be given, before anything is done. It returns the bytes the operations hold, which is
// what an engine bounds a batch by.
func CheckOps(ops []Op) (size int, err error) {
	if len(ops) == 0 || len(ops) > MaxOps {
		return 0, fmt.Errorf("%d operations, want 1 to %d: %w", len(ops), MaxOps, ErrInvalid)
	}
	for i := range ops {
		op := &ops[i]
		if err := CheckKeys(op.Key); err != nil {
			return 0, err
		}
		if err := op.check(); err != nil {
			return 0, fmt.Errorf("%q: %w", op.Key, err)
		}
		size += len(op.Key) + len(op.Value)
	}
	return size, checkDistinct(ops)
}

func (op *Op) check() error {
	switch {
	case len(op.Value) > MaxValue:
		return fmt.Errorf("value of %d bytes, at most %d: %w", len(op.Value), MaxValue, ErrInvalid)
	case op.Check && (op.Delete || op.Value != nil):
		return fmt.Errorf("a check that changes: %w", ErrInvalid)
	case op.Check && op.Expect == nil:
		return fmt.Errorf("a check without an expectation: %w", ErrInvalid)
	case op.Delete && op.Value != nil:
		return fmt.Errorf("a delete with a value: %w", ErrInvalid)
	}
	return nil
}

// checkDistinct refuses a key that appears twice: the engines to come (etcd, one SQL statement) could not do it either.
func checkDistinct(ops []Op) error {
	if len(ops) <= 8 { // cheaper than a map, and nearly every Apply
		for i := range ops {
			for j := range i {
				if ops[i].Key == ops[j].Key {
					return fmt.Errorf("%q appears twice: %w", ops[i].Key, ErrInvalid)
				}
			}
		}
		return nil
	}
	seen := make(map[string]struct{}, len(ops))
	for i := range ops {
		if _, twice := seen[ops[i].Key]; twice {
			return fmt.Errorf("%q appears twice: %w", ops[i].Key, ErrInvalid)
		}
		seen[ops[i].Key] = struct{}{}
	}
	return nil
}
