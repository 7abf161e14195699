package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/zerostarter/authdb/internal/term"
	"github.com/zerostarter/authdb/internal/term/termtest"
)

// TestTerminal: on a terminal, lines fit 80 columns and a heading is bold, but not with NO_COLOR; the JSON and the SQL of
// a migration are as they are elsewhere.
func TestTerminal(t *testing.T) {
	t.Parallel()
	dsn, _ := database(t)
	must(t, dsn, "up", "1")
	for args, color := range map[string]bool{"status": true, "status NO_COLOR": false, "down 1": true, "-h": false} {
		tty, written := termtest.New(t)
		cmd := exec.Command(binary, strings.Fields(strings.TrimSuffix(args, "NO_COLOR"))...)
		cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn, "TERM=xterm", "NO_COLOR=")
		if strings.HasSuffix(args, "NO_COLOR") {
			cmd.Env = append(cmd.Env, "NO_COLOR=1")
		}
		cmd.Stdout, cmd.Stderr = tty, tty
		lines := make(chan string)
		go func() {
			in := bufio.NewScanner(written)
			for in.Scan() && in.Text() != "end" {
				lines <- in.Text()
			}
			close(lines)
		}()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = cmd.Wait(); fmt.Fprintln(tty, "end") }()
		n, bold := 0, false
		for line := range lines {
			n++
			bold = bold || strings.Contains(line, "\x1b[1m")
			line = strings.NewReplacer("\x1b[1m", "", "\x1b[m", "").Replace(line)
			if utf8.RuneCountInString(line) > term.Width {
				t.Errorf("%s: %s", args, line)
			}
		}
		if n == 0 || bold != color {
			t.Errorf("%s: %d lines, bold: %v", args, n, bold)
		}
	}
}
