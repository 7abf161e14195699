package main

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/zerostarter/authdb/internal/term"
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

// TestOutput: what the demo prints fits a terminal, and has nothing in it that only a terminal should get.
func TestOutput(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/demo")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > term.Width || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
}
