package main

import (
	"cmp"
	"slices"
	"time"
)

// sample is what one turn of a load brought.
type sample struct {
	took    []time.Duration // of each answer, ascending
	elapsed time.Duration   // of the turn
	cpu     time.Duration   // that the server used; 0: not known
}

// cost is what the server used for an answer.
func (s sample) cost() time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	return s.cpu / time.Duration(len(s.took))
}

func newSample(took []time.Duration, elapsed time.Duration) sample {
	slices.Sort(took)
	return sample{took: took, elapsed: elapsed}
}

// percentile is the smallest time that p % of the answers did not exceed
// (nearest rank), 0 when there is no answer.
func (s sample) percentile(p int) time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	rank := (p*len(s.took) + 99) / 100
	return s.took[max(rank, 1)-1]
}

// rate is how many answers came in a second.
func (s sample) rate() float64 {
	if s.elapsed <= 0 {
		return 0
	}
	return float64(len(s.took)) / s.elapsed.Seconds()
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratio of a to b, 0 when there is nothing to compare with.
func ratio[T ~int64 | ~float64](a, b T) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// turn is one sample of either side, taken one after the other.
type turn struct{ subject, baseline sample }

// each is what f makes of each turn.
func each[T any](turns []turn, f func(turn) T) []T {
	values := make([]T, len(turns))
	for i, t := range turns {
		values[i] = f(t)
	}
	return values
}
