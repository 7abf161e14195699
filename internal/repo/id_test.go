package repo_test

import (
	"math"
	"strings"
	"testing"

	"github.com/zerostarter/authdb/internal/repo"
)

// TestRandomID: 32 characters of 62, none more likely than another. A modulo without rejection would make the first
// eight letters 25 % more frequent, which is 80 standard deviations here.
func TestRandomID(t *testing.T) {
	t.Parallel()
	const ids = 20_000
	counts, seen := map[rune]int{}, map[string]bool{}
	for range ids {
		id := repo.RandomID()
		if len(id) != 32 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
		for _, r := range id {
			counts[r]++
		}
	}
	expected := float64(ids*32) / 62
	for r, n := range counts {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", r) {
			t.Errorf("character %q", r)
		}
		if off := math.Abs(float64(n)-expected) / math.Sqrt(expected); off > 6 {
			t.Errorf("%q came %d times, %.0f expected: %.1f standard deviations", r, n, expected, off)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters in use", len(counts))
	}
}
