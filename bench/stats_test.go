package main

import (
	"testing"
	"time"
)

func TestAPercentileIsTheNearestRank(t *testing.T) {
	tests := map[string]struct {
		took []time.Duration
		p    int
		want time.Duration
	}{
		"of none":                   {nil, 50, 0},
		"of one":                    {[]time.Duration{7}, 99, 7},
		"the middle of three":       {[]time.Duration{3, 1, 2}, 50, 2},
		"the lower middle of four":  {[]time.Duration{4, 1, 3, 2}, 50, 2},
		"the last but for the tail": {hundred(), 99, 99},
		"the first":                 {hundred(), 0, 1},
		"the last":                  {hundred(), 100, 100},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := newSample(test.took, time.Second).percentile(test.p); got != test.want {
				t.Errorf("p%d = %d, want %d", test.p, got, test.want)
			}
		})
	}
}

func hundred() []time.Duration {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i))
	}
	return all
}

func TestARateIsAnswersASecond(t *testing.T) {
	if got := newSample(hundred(), 500*time.Millisecond).rate(); got != 200 {
		t.Errorf("rate = %v, want 200", got)
	}
	if got := (sample{}).rate(); got != 0 {
		t.Errorf("rate of nothing = %v", got)
	}
}

func TestAMedianLeavesItsValuesInTheirOrder(t *testing.T) {
	values := []float64{3, 1, 2}
	if got := median(values); got != 2 || values[0] != 3 {
		t.Errorf("median = %v of %v", got, values)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median of an even number = %v, want 2.5", got)
	}
	if got := median([]time.Duration(nil)); got != 0 {
		t.Errorf("median of none = %v", got)
	}
}

func TestARatioToNothingIsNone(t *testing.T) {
	if got := ratio(3.0, 0); got != 0 {
		t.Errorf("ratio = %v", got)
	}
	if got := ratio(3*time.Second, 4*time.Second); got != 0.75 {
		t.Errorf("ratio = %v, want 0.75", got)
	}
}

func TestTurnsAreComparedOneByOne(t *testing.T) {
	fast, slow := newSample(hundred(), time.Second), newSample(hundred(), 2*time.Second)
	turns := []turn{{subject: slow, baseline: fast}, {subject: fast, baseline: fast}, {subject: slow, baseline: fast}}
	ratios := each(turns, func(t turn) float64 { return ratio(t.subject.rate(), t.baseline.rate()) })
	if got := median(ratios); got != 0.5 {
		t.Errorf("median ratio = %v of %v, want 0.5", got, ratios)
	}
}
