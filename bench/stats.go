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

// behind says that a is slower than b beyond doubt: the intervals are apart, and the medians by more than noise.
func (a estimate) behind(b estimate) bool { return a.Low > b.High && a.Median > same*b.Median }

// ranks says of each estimate how many are better, plus one. Those between which nothing is decided share a place.
func ranks(estimates map[string]estimate) map[string]int {
	places := map[string]int{}
	for name, a := range estimates {
		places[name] = 1
		for _, b := range estimates {
			if a.behind(b) {
				places[name]++
			}
		}
	}
	return places
}
