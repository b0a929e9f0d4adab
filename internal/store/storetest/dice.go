package storetest

// dice is a repeatable source of test choices (splitmix64), so that a failure can be seen twice.
type dice uint64

// intN returns a number in [0, n).
func (d *dice) intN(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}
