package term_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/zerostarter/authdb/internal/term"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	word, long := strings.Repeat("x", 30), strings.Repeat("ü", 90)
	for text, want := range map[string]string{
		"":        "",
		"short\n": "short\n",
		"  " + word + " " + word + " " + word + "\nnext\n": "  " + word + " " + word + "\n    " + word + "\nnext\n",
		"a " + long + " b":                  "a\n  " + long + "\n  b",
		word + "  " + word + "  " + word:    word + "  " + word + " \n  " + word,
		strings.Repeat("SELECT ", 20) + ";": strings.Repeat("SELECT ", 20) + ";",
	} {
		got := term.Wrap(text)
		if got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
		if text != strings.Repeat("SELECT ", 20)+";" {
			for line := range strings.Lines(got) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > term.Width && !strings.Contains(line, long) {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		}
	}
}

// TestFile: what is no terminal gets no escape sequence.
func TestFile(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	term.Line(f, term.Bold(f, "text"))
	got, err := os.ReadFile(f.Name())
	if term.Is(f) || string(got) != "text\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
