package auth

import "time"

// PrefixWrapping begins the text of a wrapping token, which opens one wrapped answer once. It is no Caller's token.
const PrefixWrapping = "khw_"

// NewWrapping makes the text and the accessor of a wrapping token.
func NewWrapping(at time.Time) (text []byte, accessor string) {
	return newText(PrefixWrapping, at), string(newText(PrefixAccessor, at))
}

// Refused is the Caller of a credential that nobody could look at: the keep is sealed.
func Refused(cred Credential, why error) Caller {
	return Caller{from: cred.From, terms: cred.Terms, refusal: why}
}
