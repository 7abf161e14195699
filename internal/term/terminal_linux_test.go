package term_test

import (
	"bufio"
	"fmt"
	"testing"

	"github.com/zerostarter/authdb/internal/term"
	"github.com/zerostarter/authdb/internal/term/termtest"
)

// TestTerminal: a terminal gets bold, unless NO_COLOR says otherwise or it is a dumb one.
func TestTerminal(t *testing.T) {
	tty, written := termtest.New(t)
	lines := bufio.NewReader(written)
	t.Setenv("TERM", "xterm")
	for _, test := range []struct{ variable, value, want string }{
		{"NO_COLOR", "", "\x1b[1mtext\x1b[m"},
		{"NO_COLOR", "1", "text"},
		{"TERM", "dumb", "text"},
	} {
		t.Setenv(test.variable, test.value)
		fmt.Fprintln(tty, term.Bold(tty, "text"))
		if got, err := lines.ReadString('\n'); got != test.want+"\r\n" || err != nil {
			t.Errorf("%s=%s: got %q, %v", test.variable, test.value, got, err)
		}
	}
}
