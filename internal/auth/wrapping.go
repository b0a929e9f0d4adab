package auth

// PrefixWrapping begins the text of a wrapping token, which opens one wrapped answer once. It is no Caller's token.
const PrefixWrapping = "khw_"

// NewWrapping makes the text and the accessor of a wrapping token.
func NewWrapping() (text []byte, accessor string) {
	return newText(PrefixWrapping), string(newText(PrefixAccessor))
}

// Refused is the Caller of a credential that nobody could look at: the keep is sealed.
func Refused(cred Credential, why error) Caller {
	return Caller{from: cred.From, terms: cred.Terms, refusal: why}
}
