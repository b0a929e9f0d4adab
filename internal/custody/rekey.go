package custody

import (
	"github.com/keephold/keephold/internal/seal/shamir"
)

type rekeying struct{ gather *shamir.Gather }

func (r *ceremony) endRekey(i int) { r.rekeys[i] = nil }

type rootAttempt struct{ gather *shamir.Gather }

func (r *ceremony) endRoot() { r.root = nil }
