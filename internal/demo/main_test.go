package main

import (
	"os/exec"
	"testing"
)

// TestQuoted: a shell takes what is printed for one word, whatever is in it.
func TestQuoted(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", "a b", "it's", `"$(id)"`, "`id`", `\`, "a&b;c|d", "#", "~", "*", "''", "ü"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+quoted(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q: %q, %v", word, out, err)
		}
	}
}
