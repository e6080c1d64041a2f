package demo

import "math/rand/v2"

// random is the generator's source of random numbers: the same for the same seed on
// every machine, and cheap to start anew for each session, so that any session
// can be made without those before it.
type random struct {
	pcg rand.PCG
	rng *rand.Rand
}

func newRandom() *random {
	d := new(random)
	d.rng = rand.New(&d.pcg) //nolint:gosec // generated data has to be repeatable, not unguessable
	return d
}

// reseed starts the numbers that belong to the keys.
func (d *random) reseed(keys ...uint64) {
	state := uint64(0)
	for _, key := range keys {
		state = mix(state ^ key)
	}
	d.pcg.Seed(state, mix(state))
}

// mix is the finalizer of SplitMix64: a bijection, so different numbers stay
// different, without any likeness left between neighbours.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is 0 … n-1, all alike likely.
func (d *random) below(n int) int { return d.rng.IntN(n) }

// between is low … high, both included.
func (d *random) between(low, high int) int { return low + d.rng.IntN(high-low+1) }

// happens is true in percent of all calls.
func (d *random) happens(percent int) bool { return d.rng.IntN(100) < percent }

// skewed is 0 … n-1, the lower the likelier: half of the numbers fall into the
// first quarter.
func (d *random) skewed(n int) int {
	u := d.rng.Float64()
	return int(float64(n) * u * u)
}

// hex is 64 random bits as 16 digits.
func (d *random) hex() string { return hex16(d.rng.Uint64()) }

func hex16(x uint64) string {
	const digits = "0123456789abcdef"
	var text [16]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = digits[x&15]
		x >>= 4
	}
	return string(text[:])
}

// digits is a number of n digits that does not begin with zero.
func (d *random) digits(n int) string {
	text := make([]byte, n)
	text[0] = byte('1' + d.below(9))
	for i := 1; i < n; i++ {
		text[i] = byte('0' + d.below(10))
	}
	return string(text)
}

// pick is one of the values.
func pick[T any](d *random, values []T) T { return values[d.below(len(values))] }

// tri is a flag that may also have no value.
type tri int8

const (
	triNull tri = iota
	triFalse
	triTrue
)

// flag is true in yes percent of the calls, without a value in null percent,
// else false.
func (d *random) flag(yes, null int) tri {
	switch roll := d.below(100); {
	case roll < yes:
		return triTrue
	case roll < yes+null:
		return triNull
	default:
		return triFalse
	}
}
