package main

import (
	"cmp"
	"math"
	"slices"
)

// quartile is the quiet one: what a quarter of the values stay under.
func quartile[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/4]
}

// estimate is a median with the interval that holds it in 95 of 100 cases, whatever the distribution.
type estimate struct{ Median, Low, High float64 }

func estimateOf(values []float64) estimate {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	// The interval from the k+1st lowest to the k+1st highest misses the median if at most k values are on one side.
	k, missed := 0, math.Pow(0.5, float64(n))
	for p := missed; k < (n-1)/2; k++ {
		p = p * float64(n-k) / float64(k+1)
		if missed += p; missed > 0.025 {
			break
		}
	}
	return estimate{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[k], sorted[n-1-k]}
}

// same is a difference that one contender shows towards itself.
const same = 1.10

// over is the estimate of a towards b, of values of the same rounds.
func over(a, b []float64) estimate {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return estimateOf(ratios)
}

// behind says that a is slower than b beyond doubt: round by round, and by more than noise.
func behind(a, b []float64) bool {
	e := over(a, b)
	return e.Low > 1 && e.Median > same
}

// ranks says of each contender how many are better, plus one. Those between which nothing is decided share a place.
func ranks(rounds map[string][]float64) map[string]int {
	places := map[string]int{}
	for name, a := range rounds {
		places[name] = 1
		for _, b := range rounds {
			if behind(a, b) {
				places[name]++
			}
		}
	}
	return places
}
