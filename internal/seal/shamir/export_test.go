package shamir

// Field arithmetic, for the test that compares it with long multiplication.
func Multiply(a, b byte) byte { return multiply(a, b) }
func Invert(a byte) byte      { return invert(a) }
